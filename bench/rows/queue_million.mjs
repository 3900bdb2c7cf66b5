// A million fans: joining, what they take in memory and on disk, what they ask of the origin while they wait, and how
// soon the waiting room is back after kill -9.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inTurn, limitRow, median } from '../lib/measure.mjs';
import { herd, onlyStatus, pollers } from '../lib/herd.mjs';
import { proportionalBytes, sleep } from '../lib/processes.mjs';
import { makeShow, metric, startConstantNginx, startNginx, startOnsale } from '../lib/servers.mjs';

const HALL = { rows: 100, seats_per_row: 100, waiting_room: { enabled: true } };
const FANS = 1000000;
const MIB = 1024 * 1024;

const pathOf = (show) => `/api/v1/shows/${show}/queue`;

async function joinAs(server, show, user_id) {
    const response = await fetch(`http://${server.address}${pathOf(show)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user_id }),
    });
    if (response.status !== 201) throw new Error(`POST …/queue: ${response.status}`);
    return response.json();
}

// What the files of a folder take on disk, what is reserved for more included.
const diskBytes = (folder) =>
    readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks * 512, 0);

async function joins(server, show, nginx, round) {
    const load = { connections: 256, requests: FANS, show };
    const [peer, ours] = await inTurn(
        round,
        async () => onlyStatus(await herd('join', { ...load, server: nginx.address, pid: nginx.pid }), 200),
        async () => onlyStatus(await herd('join', { ...load, server: server.address, pid: server.pid }), 201),
    );
    return { peer_cpu: peer.server_cpu_seconds, cpu: ours.server_cpu_seconds, seconds: ours.seconds };
}

// Behind an edge cache, as the polls of fans are.
async function polls(server, show, seconds) {
    const edge = await startNginx({ origin: server.address });
    const before = await metric(server, 'onsale_http_requests_total');
    const told = await pollers({ server: edge.address, path: pathOf(show), fans: FANS, connections: 256, seconds });
    const asked = (await metric(server, 'onsale_http_requests_total')) - before - 1; /* this question */
    await edge.stop();
    if (told.answers < told.polls || told.never_sent > 0)
        throw new Error(`the edge fell behind: ${JSON.stringify(told)}`);
    return { at_origin: asked / seconds, at_edge: told.rate, late_ms: told.late_ms_p99, statuses: told.statuses_seen };
}

async function restart(server, show) {
    const fan = `u${FANS / 2}`;
    const before = await joinAs(server, show, fan);
    const started = performance.now();
    await server.stop('SIGKILL');
    const again = await startOnsale([], { data: server.data });
    const after = await joinAs(again, show, fan);
    const seconds = (performance.now() - started) / 1000;
    const status = await (await fetch(`http://${again.address}${pathOf(show)}`)).json();
    await again.stop();
    if (after.is_new || after.position !== before.position || status.issued !== FANS)
        throw new Error(`after kill -9 the place is not the old one: ${JSON.stringify({ before, after, status })}`);
    return seconds;
}

async function oneRound(nginx, round, poll_seconds) {
    const server = await startOnsale();
    const show = await makeShow(server, HALL);
    await (await fetch(`http://${server.address}${pathOf(show)}`)).arrayBuffer();
    const idle_bytes = proportionalBytes(server.pid);
    const joined = await joins(server, show, nginx, round);
    await sleep(5000); /* so that what was sealed is on disk and its pages are let go */
    const grown_bytes = proportionalBytes(server.pid) - idle_bytes;
    const disk_bytes = diskBytes(join(server.data, 'queue'));
    const polled = await polls(server, show, poll_seconds);
    const restart_seconds = await restart(server, show);
    return { joined, idle_bytes, grown_bytes, disk_bytes, polled, restart_seconds };
}

export async function queueMillion({ quick }) {
    const nginx = await startConstantNginx(360);
    const rounds = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) rounds.push(await oneRound(nginx, round, quick ? 5 : 15));
    await nginx.stop();
    const of = (figure) => rounds.map(figure);
    return [
        limitRow({
            name: 'queue_million_joins_cpu',
            what: 'CPU of the server for a million fans who join (POST …/queue, the record included), 256 connections',
            values: of((one) => one.joined.cpu),
            limit: 12,
            unit: 's',
            sense: 'at most',
            figures: {
                'nginx, s of CPU for a million constant answers': median(of((one) => one.joined.peer_cpu)),
                'to nginx': median(of((one) => one.joined.cpu / one.joined.peer_cpu)),
                'seconds it took': median(of((one) => one.joined.seconds)),
            },
        }),
        limitRow({
            name: 'queue_million_memory',
            what: 'Memory (PSS) of the server that a million waiting fans add',
            values: of((one) => one.grown_bytes / MIB),
            limit: 64,
            unit: 'MiB',
            sense: 'at most',
            figures: {
                'MiB before they came': median(of((one) => one.idle_bytes / MIB)),
                'bytes a fan': median(of((one) => one.grown_bytes / FANS)),
            },
        }),
        limitRow({
            name: 'queue_disk',
            what: 'Disk that a fan takes in the queue’s folder, with a million of them, what is reserved for more included',
            values: of((one) => one.disk_bytes / FANS),
            limit: 64,
            unit: 'bytes',
            sense: 'at most',
        }),
        limitRow({
            name: 'queue_polls_at_origin',
            what: 'Requests a second at the origin, behind nginx as an edge cache, while a million fans poll as told',
            values: of((one) => one.polled.at_origin),
            limit: 100,
            unit: 'requests a second',
            sense: 'at most',
            figures: {
                'polls a second at the edge': median(of((one) => one.polled.at_edge)),
                'statuses that differed': median(of((one) => one.polled.statuses)),
                'polls went out late by (p99), ms': median(of((one) => one.polled.late_ms)),
            },
        }),
        limitRow({
            name: 'queue_restart',
            what: 'From kill -9 with a million in the queue until /readyz is 200 again and a fan who joins has the old place',
            values: of((one) => one.restart_seconds),
            limit: 5,
            unit: 's',
            sense: 'at most',
        }),
    ];
}

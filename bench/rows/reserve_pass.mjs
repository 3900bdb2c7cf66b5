// Reserving with a pass beside reserving in a show that has no waiting room: the same fans, seats and server.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inTurn, limitRow, median, ratioRow } from '../lib/measure.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { newFolder, sleep } from '../lib/processes.mjs';
import { makeShow, metric, startOnsale } from '../lib/servers.mjs';

const STADIUM = { rows: 200, seats_per_row: 250 };
const OPEN = { enabled: true, rate_per_minute: 6000000, max_active: 100000 };
const SHOWS = 8; // of a kind: enough for the fastest server thinkable, in so short a time
const FANS = 64; // of each show

async function post(server, path, body) {
    const response = await fetch(`http://${server.address}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
}

async function passOf(server, show, user_id) {
    const queue = `/api/v1/shows/${show}/queue`;
    const { body: joined } = await post(server, queue, { user_id });
    for (let tries = 0; tries < 100; tries++) {
        const claimed = await post(server, `${queue}/claim`, { queue_ticket: joined.queue_ticket });
        if (claimed.status === 200) return claimed.body.pass;
        await sleep(100);
    }
    throw new Error(`${user_id} was never let in`);
}

// Shows of a kind, their fans in a file for the herd.
async function makeSide(server, has_room) {
    const shows = [];
    const lines = [];
    for (let i = 0; i < SHOWS; i++) {
        const show = await makeShow(server, has_room ? { ...STADIUM, waiting_room: OPEN } : STADIUM);
        const users = Array.from({ length: FANS }, (_, number) => `fan${number}`);
        const passes = has_room ? await Promise.all(users.map((user) => passOf(server, show, user))) : [];
        users.forEach((user, number) => lines.push(`${show} ${user} ${passes[number] ?? '-'}`));
        shows.push(show);
    }
    const fans = join(newFolder('fans'), 'fans');
    writeFileSync(fans, `${lines.join('\n')}\n`);
    return { show: shows, fans };
}

// The server has been started anew in between, so that it has seen none of the passes.
async function oneRound(round, seconds) {
    const first = await startOnsale();
    const sides = [await makeSide(first, false), await makeSide(first, true)];
    await first.stop();
    const ours = await startOnsale([], { data: first.data });
    const load = { server: ours.address, pid: ours.pid, connections: 64, 'warm-up': 0.3, seconds };
    const checked = () => metric(ours, 'onsale_passes_checked_total');
    const before = await checked();
    const pair = await inTurn(round, ...sides.map((side) => async () => onlyStatus(await herd('reserve', { ...load, ...side }), 201)));
    const checks = (await checked()) - before;
    const shown = Math.min(SHOWS, Math.ceil((2 * pair[1].sent) / (STADIUM.rows * STADIUM.seats_per_row))) * FANS;
    await ours.stop();
    return { pair, checks, shown };
}

export async function reservePass({ rounds, seconds }) {
    const all = [];
    for (let round = 0; round < rounds; round++) all.push(await oneRound(round, Math.min(seconds, 1.5)));
    const pairs = all.map(({ pair }) => pair);
    return [
        ratioRow({
            name: 'reserve_pass_cpu',
            what: 'CPU of POST …/reserve with a pass to the same in a show without a waiting room, 64 connections',
            ratios: pairs.map(([without, having]) => having.server_cpu_us_per_request / without.server_cpu_us_per_request),
            sense: 'at most',
            bar: 1.15,
            figures: {
                'without, µs of CPU a request': median(pairs.map(([without]) => without.server_cpu_us_per_request)),
                'with a pass, µs of CPU a request': median(pairs.map(([, having]) => having.server_cpu_us_per_request)),
                'requests with a pass': median(pairs.map(([, having]) => having.requests)),
            },
        }),
        limitRow({
            name: 'pass_checks',
            what: 'Signature checks that a pass costs a server that has never seen it, used again and again',
            values: all.map(({ checks, shown }) => checks / shown),
            limit: 1,
            unit: 'checks a pass',
            sense: 'at most',
            also_met: all.every(({ checks }) => checks > 0),
            figures: { 'passes': median(all.map(({ shown }) => shown)), 'checks': median(all.map(({ checks }) => checks)) },
        }),
    ];
}

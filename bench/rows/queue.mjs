// The waiting room's calls beside nginx that answers the same requests with a constant of the same length: joining, each
// request another fan's, and the one status that everybody reads.
import { alternate, inTurn, median, ratioRow } from '../lib/measure.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { makeShow, startConstantNginx, startOnsale } from '../lib/servers.mjs';

const HALL = { rows: 100, seats_per_row: 100, waiting_room: { enabled: true } };

const cpuRatio = ([peer, ours]) => ours.server_cpu_us_per_request / peer.server_cpu_us_per_request;
const rateRatio = ([peer, ours]) => ours.rate / peer.rate;

const figuresOf = (pairs) => ({
    'nginx, µs of CPU a request': median(pairs.map(([peer]) => peer.server_cpu_us_per_request)),
    'onsale, µs of CPU a request': median(pairs.map(([, ours]) => ours.server_cpu_us_per_request)),
    'nginx, requests a second': median(pairs.map(([peer]) => peer.rate)),
    'onsale, requests a second': median(pairs.map(([, ours]) => ours.rate)),
    'onsale, p50 in µs': median(pairs.map(([, ours]) => ours.latency_us.p50)),
    'onsale, p99 in µs': median(pairs.map(([, ours]) => ours.latency_us.p99)),
    'onsale, answer in bytes': pairs[0][1].answer_bytes,
    'nginx, answer in bytes': pairs[0][0].answer_bytes,
});

async function lengthOfJoined() {
    const ours = await startOnsale();
    const show = await makeShow(ours, HALL);
    const outcome = await herd('join', { server: ours.address, show, connections: 1, requests: 100000, 'users-before': 10000000 });
    await ours.stop();
    return onlyStatus(outcome, 201).answer_bytes;
}

// Each round has a server and a queue of its own.
async function compareJoins({ rounds, seconds, connections }) {
    const nginx = await startConstantNginx(await lengthOfJoined());
    const pairs = [];
    for (let round = 0; round < rounds; round++) {
        const ours = await startOnsale();
        const load = { connections, seconds, show: await makeShow(ours, HALL) };
        const sides = [
            async () => onlyStatus(await herd('join', { ...load, server: nginx.address, pid: nginx.pid }), 200),
            async () => onlyStatus(await herd('join', { ...load, server: ours.address, pid: ours.pid }), 201),
        ];
        pairs.push(await inTurn(round, ...sides));
        await ours.stop();
    }
    await nginx.stop();
    return pairs;
}

export async function queueJoin({ rounds, seconds }) {
    const rows = [];
    for (const connections of [64, 256]) {
        const pairs = await compareJoins({ rounds, seconds, connections });
        rows.push(
            ratioRow({
                name: `queue_join_cpu_${connections}`,
                what: `CPU of POST …/queue (each another fan, the record included) to nginx answering the same requests with a constant, ${connections} connections`,
                ratios: pairs.map(cpuRatio),
                sense: 'at most',
                bar: 1.05,
                figures: figuresOf(pairs),
            }),
        );
    }
    return rows;
}

async function compareStatus({ rounds, seconds, depth }) {
    const ours = await startOnsale();
    const show = await makeShow(ours, HALL);
    const path = `/api/v1/shows/${show}/queue`;
    await herd('join', { server: ours.address, show, requests: 10000 });
    const ask = { path, connections: 64, depth, seconds: depth > 1 ? Math.min(seconds, 1) : seconds };
    const at_ours = { ...ask, server: ours.address, pid: ours.pid };
    const probe = onlyStatus(await herd('get', { ...at_ours, connections: 1, 'warm-up': 0, seconds: 0.05 }), 200);
    const nginx = await startConstantNginx(probe.answer_bytes);
    const pairs = await alternate(
        rounds,
        async () => onlyStatus(await herd('get', { ...ask, server: nginx.address, pid: nginx.pid }), 200),
        async () => onlyStatus(await herd('get', at_ours), 200),
    );
    await nginx.stop();
    await ours.stop();
    return pairs;
}

export async function queueStatus({ rounds, seconds }) {
    const single = await compareStatus({ rounds, seconds, depth: 1 });
    const pipelined = await compareStatus({ rounds, seconds, depth: 16 });
    return [
        ratioRow({
            name: 'queue_status_cpu',
            what: 'CPU of GET …/queue to nginx answering the same requests with a constant of the same length, 64 connections',
            ratios: single.map(cpuRatio),
            sense: 'at most',
            bar: 0.95,
            figures: figuresOf(single),
        }),
        ratioRow({
            name: 'queue_status_pipelined_rate',
            what: 'Rate of GET …/queue to that of nginx answering the same requests with a constant of the same length, 64 connections, 16 deep',
            ratios: pipelined.map(rateRatio),
            sense: 'at least',
            bar: 5,
            figures: figuresOf(pipelined),
        }),
    ];
}

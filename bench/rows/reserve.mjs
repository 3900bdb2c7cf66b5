// POST …/reserve of two named seats, each request others, beside nginx that answers the same requests with a constant of
// the same length.
import { inTurn, median, ratioRow } from '../lib/measure.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { makeShow, makeShows, startConstantNginx, startOnsale } from '../lib/servers.mjs';

const STADIUM = { rows: 200, seats_per_row: 250 };

// How long the answer to a reservation is, head and body.
async function lengthOfAnswer() {
    const server = await startOnsale();
    const show = await makeShow(server, STADIUM);
    const outcome = await herd('reserve', { server: server.address, show, connections: 1, 'warm-up': 0, seconds: 0.2 });
    await server.stop();
    return onlyStatus(outcome, 201).answer_bytes;
}

// Each round has a fresh server of ours, and stadiums enough for the fastest one thinkable: no seat is asked for twice.
async function compare({ rounds, seconds, warm_up, depth, stadiums }) {
    const nginx = await startConstantNginx(await lengthOfAnswer());
    const pairs = [];
    for (let round = 0; round < rounds; round++) {
        const ours = await startOnsale();
        const show = await makeShows(ours, stadiums, STADIUM);
        const load = { connections: 64, depth, seconds, 'warm-up': warm_up, show, 'seats-from': ours.address };
        const sides = [
            async () => onlyStatus(await herd('reserve', { ...load, server: nginx.address, pid: nginx.pid }), 200),
            async () => onlyStatus(await herd('reserve', { ...load, server: ours.address, pid: ours.pid }), 201),
        ];
        pairs.push(await inTurn(round, ...sides));
        await ours.stop();
    }
    await nginx.stop();
    return pairs;
}

const figuresOf = (pairs) => ({
    'nginx, µs of CPU a request': median(pairs.map(([peer]) => peer.server_cpu_us_per_request)),
    'onsale, µs of CPU a request': median(pairs.map(([, ours]) => ours.server_cpu_us_per_request)),
    'nginx, requests a second': median(pairs.map(([peer]) => peer.rate)),
    'onsale, requests a second': median(pairs.map(([, ours]) => ours.rate)),
    'onsale, p50 in µs': median(pairs.map(([, ours]) => ours.latency_us.p50)),
    'onsale, p99 in µs': median(pairs.map(([, ours]) => ours.latency_us.p99)),
    'answer in bytes': pairs[0][1].answer_bytes,
});

export async function reserve({ rounds, seconds }) {
    const pairs = await compare({ rounds, seconds, warm_up: 0.5, depth: 1, stadiums: 20 });
    return [
        ratioRow({
            name: 'reserve_cpu',
            what: 'CPU of POST …/reserve (2 seats, the journal included) to nginx answering the same requests with a constant, 64 connections',
            ratios: pairs.map(([peer, ours]) => ours.server_cpu_us_per_request / peer.server_cpu_us_per_request),
            sense: 'at most',
            bar: 1.5,
            figures: figuresOf(pairs),
        }),
    ];
}

export async function reservePipelined({ rounds, seconds }) {
    const pairs = await compare({ rounds, seconds: Math.min(seconds, 1), warm_up: 0.2, depth: 16, stadiums: 24 });
    return [
        ratioRow({
            name: 'reserve_pipelined_rate',
            what: 'Rate of POST …/reserve to that of nginx answering the same requests with a constant, 64 connections, 16 deep',
            ratios: pairs.map(([peer, ours]) => ours.rate / peer.rate),
            sense: 'at least',
            bar: 2,
            figures: figuresOf(pairs),
        }),
    ];
}

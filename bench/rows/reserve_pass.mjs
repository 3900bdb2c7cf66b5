// Reserving with a pass beside reserving in a show that has no waiting room: the same fans, seats and server.
import { inTurn, limitRow, median, ratioRow } from '../lib/measure.mjs';
import { makeShowsWithFans } from '../lib/fans.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { calm } from '../lib/processes.mjs';
import { metric, startOnsale } from '../lib/servers.mjs';

const STADIUM = { rows: 200, seats_per_row: 250 };
const SHOWS = 8; // of a kind: enough for the fastest server thinkable, in so short a time
const FANS = 64; // of each show

const makeSide = (server, has_room) => makeShowsWithFans(server, STADIUM, { shows: SHOWS, fans: FANS, has_room });

// The server has been started anew in between, so that it has seen none of the passes.
async function oneRound(round, seconds) {
    const first = await startOnsale();
    const sides = [await makeSide(first, false), await makeSide(first, true)];
    await first.stop();
    const ours = await startOnsale([], { data: first.data });
    await calm(ours);
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

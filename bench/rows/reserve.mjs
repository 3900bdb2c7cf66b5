// POST …/reserve of two named seats, each request others, beside nginx that answers the same requests with a constant of
// the same length.
import { besideNginx, cpuRatio, ratioRow, rateRatio } from '../lib/measure.mjs';
import { alternateFresh, lengthOfAnswer, makeShows } from '../lib/servers.mjs';

const STADIUM = { rows: 200, seats_per_row: 250 };

// Stadiums enough for the fastest server thinkable: no seat is asked for twice.
async function compare({ rounds, seconds, warm_up, depth, stadiums }) {
    const bytes = await lengthOfAnswer('reserve', 201, STADIUM, { 'warm-up': 0, seconds: 0.2 });
    return alternateFresh({
        rounds,
        bytes,
        mode: 'reserve',
        status: 201,
        prepare: async (ours) => ({
            connections: 64,
            depth,
            seconds,
            'warm-up': warm_up,
            show: await makeShows(ours, stadiums, STADIUM),
            'seats-from': ours.address,
        }),
    });
}

export async function reserve({ rounds, seconds }) {
    const pairs = await compare({ rounds, seconds, warm_up: 0.5, depth: 1, stadiums: 20 });
    return [
        ratioRow({
            name: 'reserve_cpu',
            what: 'CPU of POST …/reserve (2 seats, the journal included) to nginx answering the same requests with a constant, 64 connections',
            ratios: pairs.map(cpuRatio),
            sense: 'at most',
            bar: 1.5,
            figures: besideNginx(pairs),
        }),
    ];
}

export async function reservePipelined({ rounds, seconds }) {
    const pairs = await compare({ rounds, seconds: Math.min(seconds, 1), warm_up: 0.2, depth: 16, stadiums: 24 });
    return [
        ratioRow({
            name: 'reserve_pipelined_rate',
            what: 'Rate of POST …/reserve to that of nginx answering the same requests with a constant, 64 connections, 16 deep',
            ratios: pairs.map(rateRatio),
            sense: 'at least',
            bar: 2,
            figures: besideNginx(pairs),
        }),
    ];
}

// The waiting room's calls beside nginx that answers the same requests with a constant of the same length: joining, each
// request another fan's, and the one status that everybody reads.
import { alternate, besideNginx, cpuRatio, rateRatio, ratioRow } from '../lib/measure.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { calm } from '../lib/processes.mjs';
import { alternateFresh, lengthOfAnswer, makeShow, startConstantNginx, startOnsale } from '../lib/servers.mjs';

const HALL = { rows: 100, seats_per_row: 100, waiting_room: { enabled: true } };

async function compareJoins({ rounds, seconds, connections }) {
    const bytes = await lengthOfAnswer('join', 201, HALL, { requests: 100000, 'users-before': 10000000 });
    return alternateFresh({
        rounds,
        bytes,
        mode: 'join',
        status: 201,
        prepare: async (ours) => ({ connections, seconds, show: await makeShow(ours, HALL) }),
    });
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
                figures: besideNginx(pairs),
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
    await calm(ours);
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
            figures: besideNginx(single),
        }),
        ratioRow({
            name: 'queue_status_pipelined_rate',
            what: 'Rate of GET …/queue to that of nginx answering the same requests with a constant of the same length, 64 connections, 16 deep',
            ratios: pipelined.map(rateRatio),
            sense: 'at least',
            bar: 5,
            figures: besideNginx(pipelined),
        }),
    ];
}

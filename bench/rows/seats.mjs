// Reading the seats of a 50,000-seat show: unchanged (304), as bits, and while they change all the time.
import { alternate, besideNginx, cpuRatio, limitRow, ratioRow } from '../lib/measure.mjs';
import { herd, onlyStatus } from '../lib/herd.mjs';
import { calm } from '../lib/processes.mjs';
import { makeShow, metric, startConstantNginx, startNginx, startOnsale } from '../lib/servers.mjs';

const STADIUM = { rows: 200, seats_per_row: 250 };
const LARGE = { rows: 500, seats_per_row: 500 };

// As the herd asks: each coding has an ETag of its own.
const PLAIN = { headers: { 'accept-encoding': 'identity' } };

export async function seatsUnchanged({ rounds, seconds }) {
    const ours = await startOnsale();
    const path = `/api/v1/shows/${await makeShow(ours, STADIUM)}/seats`;
    const etag = (await fetch(`http://${ours.address}${path}`, PLAIN)).headers.get('etag');
    if (!etag) throw new Error(`GET ${path} has no ETag`);
    const ask = { server: ours.address, pid: ours.pid, path, 'if-none-match': etag, connections: 64 };
    const probe = onlyStatus(await herd('get', { ...ask, connections: 1, 'warm-up': 0, seconds: 0.05 }), 304);
    const nginx = await startConstantNginx(probe.answer_bytes);
    await calm(ours);
    const pairs = await alternate(
        rounds,
        async () =>
            onlyStatus(
                await herd('get', { ...ask, seconds, server: nginx.address, pid: nginx.pid }),
                200,
            ),
        async () => onlyStatus(await herd('get', { ...ask, seconds }), 304),
    );
    await nginx.stop();
    await ours.stop();
    return [
        ratioRow({
            name: 'seats_304_cpu',
            what: 'CPU of GET …/seats answered 304 to nginx answering the same requests with a constant of the same length, 64 connections',
            ratios: pairs.map(cpuRatio),
            sense: 'at most',
            bar: 1,
            figures: besideNginx(pairs),
        }),
    ];
}

export async function seatsBits({ rounds, seconds }) {
    const ours = await startOnsale();
    const path = `/api/v1/shows/${await makeShow(ours, STADIUM)}/seats.bits`;
    const bytes = Buffer.from(await (await fetch(`http://${ours.address}${path}`, PLAIN)).arrayBuffer());
    const nginx = await startNginx({ files: { 'seats.bits': bytes } });
    const load = { connections: 64, seconds };
    await calm(ours);
    const pairs = await alternate(
        rounds,
        async () =>
            onlyStatus(await herd('get', { ...load, server: nginx.address, pid: nginx.pid, path: '/seats.bits' }), 200),
        async () => onlyStatus(await herd('get', { ...load, server: ours.address, pid: ours.pid, path }), 200),
    );
    await nginx.stop();
    await ours.stop();
    return [
        ratioRow({
            name: 'seats_bits_cpu',
            what: `CPU of GET …/seats.bits (${bytes.length} bytes) to nginx's sendfile of the same bytes, 64 connections`,
            ratios: pairs.map(cpuRatio),
            sense: 'at most',
            bar: 0.95,
            figures: besideNginx(pairs),
        }),
    ];
}

// One connection takes holds without a pause, four others read the seats: each read has to wait for what was taken
// before it, and yet there is at most one snapshot in 100 ms.
export async function snapshots({ seconds }) {
    const ours = await startOnsale();
    const show = await makeShow(ours, LARGE);
    const path = `/api/v1/shows/${show}/seats`;
    await (await fetch(`http://${ours.address}${path}`, PLAIN)).arrayBuffer();
    const before = await metric(ours, 'onsale_snapshots_built_total');
    const started = performance.now();
    const load = { server: ours.address, 'warm-up': 0, seconds };
    const [changes, reads] = await Promise.all([
        herd('reserve', { ...load, show, connections: 1 }, { spin: false }),
        herd('get', { ...load, path, connections: 4 }, { spin: false }),
    ]);
    const took = (performance.now() - started) / 1000;
    const built = (await metric(ours, 'onsale_snapshots_built_total')) - before;
    onlyStatus(changes, 201);
    onlyStatus(reads, 200);
    await ours.stop();
    return [
        limitRow({
            name: 'snapshots_rebuilt',
            what: 'Snapshots of one show built in 100 ms, while it changes and is read all the time',
            // The one that answers the last reads may fall behind the end.
            values: [Math.max(0, built - 1) / (took * 10)],
            limit: 1,
            unit: 'snapshots in 100 ms',
            sense: 'at most',
            also_met: built > 1,
            figures: {
                'changes a second': changes.rate,
                'reads a second': reads.rate,
                'snapshots built': built,
                'seconds': took,
                'p50 of a read in ms': reads.latency_us.p50 / 1000,
                'p99 of a read in ms': reads.latency_us.p99 / 1000,
            },
        }),
    ];
}

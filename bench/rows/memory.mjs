// What the demo server holds in memory, and what one more idle connection adds.
import { limitRow } from '../lib/measure.mjs';
import { idleHerd } from '../lib/herd.mjs';
import { residentBytes, sleep } from '../lib/processes.mjs';
import { startOnsale } from '../lib/servers.mjs';

const MIB = 1024 * 1024;

export async function memory({ quick }) {
    const ours = await startOnsale(['--demo'], { core: null });
    const shows = await (await fetch(`http://${ours.address}/api/v1/shows`)).json();
    const path = `/api/v1/shows/${shows[0].show_id}/seats`;
    const at_start = residentBytes(ours.pid);
    for (const encoding of ['identity', 'gzip'])
        for (let i = 0; i < 500; i++)
            await (await fetch(`http://${ours.address}${path}`, { headers: { 'accept-encoding': encoding } })).arrayBuffer();
    const after_reads = residentBytes(ours.pid);
    const rows = [
        limitRow({
            name: 'demo_memory',
            what: 'Resident memory of the demo server (50,000 seats) after 1,000 GET …/seats',
            values: [after_reads / MIB],
            limit: 64,
            unit: 'MiB',
            sense: 'at most',
            figures: { 'MiB after start': at_start / MIB, 'MiB after 1,000 reads': after_reads / MIB },
        }),
    ];

    // The slope, so that what the first thousand brought with them is left out. Each connection has had an answer, so
    // it had its buffers once.
    const idle = { server: ours.address, path: '/api/v1/shows' };
    const first = await idleHerd({ ...idle, connections: 1000 });
    await sleep(500);
    const before = residentBytes(ours.pid);
    const count = quick ? 4000 : 10000;
    const more = await idleHerd({ ...idle, connections: count });
    await sleep(500);
    const each = (residentBytes(ours.pid) - before) / count;
    await more.close();
    await first.close();
    await ours.stop();
    rows.push(
        limitRow({
            name: 'idle_connection_memory',
            what: `Resident memory of ours that one more idle connection adds (${count} more, each had an answer before)`,
            values: [each],
            limit: 300,
            unit: 'bytes',
            sense: 'at most',
        }),
    );
    return rows;
}


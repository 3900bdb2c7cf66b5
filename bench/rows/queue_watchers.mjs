// What a fan who watches the queue by WebSocket takes in memory.
import { limitRow } from '../lib/measure.mjs';
import { watchers } from '../lib/herd.mjs';
import { proportionalBytes, sleep } from '../lib/processes.mjs';
import { makeShow, startOnsale } from '../lib/servers.mjs';

const WATCHERS = 18000;
const MIB = 1024 * 1024;

// Some fans a second, so that each second has a push to all.
async function joinFor(seconds, server, show) {
    const end = performance.now() + seconds * 1000;
    for (let i = 0; performance.now() < end; i++) {
        const response = await fetch(`http://${server.address}/api/v1/shows/${show}/queue`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ user_id: `${seconds}-${i}` }),
        });
        if (response.status !== 201) throw new Error(`POST …/queue: ${response.status}`);
        await sleep(100);
    }
}

export async function queueWatchers() {
    const ours = await startOnsale([], { core: null });
    const show = await makeShow(ours, { rows: 100, seats_per_row: 100, waiting_room: { enabled: true } });
    const path = `/api/v1/shows/${show}/queue/live`;
    await joinFor(1, ours, show);
    const first = await watchers({ server: ours.address, path, connections: 10 });
    await first.close();
    await sleep(500);
    const before = proportionalBytes(ours.pid);
    const watching = await watchers({ server: ours.address, path, connections: WATCHERS });
    await joinFor(5, ours, show);
    const grown = proportionalBytes(ours.pid) - before;
    const end = await watching.close();
    await ours.stop();
    return [
        limitRow({
            name: 'queue_watchers_memory',
            what: `Memory (PSS) of the server that ${WATCHERS.toLocaleString('en')} WebSockets add that watch the queue, pushes to all going on`,
            values: [grown / MIB],
            limit: 8,
            unit: 'MiB',
            sense: 'at most',
            also_met: watching.watching === WATCHERS && end.least_frames > 3,
            figures: {
                'bytes a WebSocket': grown / WATCHERS,
                'frames that each had, at least': end.least_frames,
            },
        }),
    ];
}

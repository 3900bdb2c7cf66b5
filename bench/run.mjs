// The driver of script/bench: runs the rows one after the other, tells each outcome as it comes, writes the report.
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BUILD } from './lib/processes.mjs';
import { asMarkdown, asText, machine, versions } from './lib/report.mjs';
import { reserve, reservePipelined } from './rows/reserve.mjs';
import { reservePass } from './rows/reserve_pass.mjs';
import { seatsBits, seatsUnchanged, snapshots } from './rows/seats.mjs';
import { queueJoin, queueStatus } from './rows/queue.mjs';
import { queueMillion } from './rows/queue_million.mjs';
import { liveTier } from './rows/live_tier.mjs';
import { queueWatchers } from './rows/queue_watchers.mjs';
import { selloutFree, selloutPaid } from './rows/sellout.mjs';
import { checkout } from './rows/checkout.mjs';
import { openSagas } from './rows/open_sagas.mjs';
import { memory } from './rows/memory.mjs';
import { bestAvailable, holdStore, ledger } from './rows/engines.mjs';
import { bundle, firstPaint, mapFrames } from './rows/pages.mjs';
import { lighthouse } from './rows/lighthouse.mjs';
import { livePush, push } from './rows/push.mjs';
import { peer } from './rows/peer.mjs';

// In the order of the report. Each gives one row or more. What fills the kernel with sockets and the disk with work
// stands last, so that it slows nobody who comes after it.
const BENCHES = {
    reserve,
    pipelined: reservePipelined,
    reserve_pass: reservePass,
    queue_join: queueJoin,
    queue_status: queueStatus,
    seats_304: seatsUnchanged,
    seats_bits: seatsBits,
    snapshots,
    best_available: bestAvailable,
    hold_store: holdStore,
    ledger,
    sellout_paid: selloutPaid,
    sellout_free: selloutFree,
    checkout,
    memory,
    bundle,
    first_paint: firstPaint,
    map_frames: mapFrames,
    lighthouse,
    open_sagas: openSagas,
    push,
    live_push: livePush,
    queue_watchers: queueWatchers,
    live_tier: liveTier,
    queue_million: queueMillion,
};

const { values: options } = parseArgs({
    options: {
        only: { type: 'string', multiple: true },
        quick: { type: 'boolean' },
        'with-peer': { type: 'boolean' },
        list: { type: 'boolean' },
    },
});
const benches = options['with-peer'] ? { ...BENCHES, peer } : BENCHES;
if (options.list) {
    console.log([...Object.keys(BENCHES), 'peer'].join('\n'));
    process.exit(0);
}
const only = options.only?.flatMap((names) => names.split(','));
for (const name of only ?? []) {
    if (name === 'peer') benches.peer = peer;
    else if (!(name in benches)) {
        console.error(`bench: there is no '${name}'; there are ${Object.keys(BENCHES).join(', ')}, peer`);
        process.exit(2);
    }
}

const settings = options.quick
    ? { rounds: 2, seconds: 0.5, sales: 1, quick: true }
    : { rounds: 5, seconds: 3, sales: 3, quick: false };
const rows = [];
for (const [name, bench] of Object.entries(benches)) {
    if (only && !only.includes(name)) continue;
    try {
        for (const row of await bench(settings)) {
            rows.push(row);
            console.log(asText(row));
        }
    } catch (error) {
        const row = { name, ratio: null, bar: null, met: false, error: error.message };
        rows.push(row);
        console.log(asText(row));
    }
}

const report = { machine: machine(), date: new Date().toISOString(), versions: versions(), rounds: settings.rounds, rows };
const folder = only || options.quick ? BUILD : 'docs';
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/performance.json`, `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(`${folder}/performance.md`, asMarkdown(report));
const missed = rows.filter((row) => row.met === false);
console.log(`bench: ${rows.length - missed.length} of ${rows.length} rows as they should be; see ${folder}/performance.md`);
process.exit(missed.length > 0 ? 1 : 0);

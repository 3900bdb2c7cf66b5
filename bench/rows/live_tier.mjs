// A fan-out tier: several relays on one origin's feeds, and many who watch. How far behind the truth the last of all
// viewers is, in the ticks that the relays chose for so many.
//
// A mark is a change made at a known time (bench/marks.h). Its way: the request to the origin, the origin's frame, the
// relay's tick, the relay's sends, and the viewer's read: what lies between the request's first byte and the last
// viewer's last one is told in ticks of that viewer's relay. Programs, relays and origin share the machine's cores, so
// each relay is allowed a small part of one, and chooses its tick by that.
import { availableParallelism, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { watchers } from '../lib/herd.mjs';
import { median, ratioRow } from '../lib/measure.mjs';
import { runNow, sleep } from '../lib/processes.mjs';
import { ask, makeShow, metric, startOnsale, startRelay } from '../lib/servers.mjs';

const VIEWERS = 100000;
const VIEWERS_A_RELAY = 17000;
const FILES_APART = 1000; // of a process's limit: what is not a viewer
const BYTES_A_VIEWER = 40 * 1024; // two sockets, and a snapshot under way
const BYTES_APART = 2 * 1024 ** 3;
const LIVE_SHARES = 33; // percent of each core, as by default of one server: for all relays together

const MARK_SEATS = 100;
const SEATS = 50000;
const SEATS_AT_ONCE = 500; // ten times a second: a tenth of all seats each second
const CHANGE_MS = 100;
const QUEUE_TICK_MS = 1000; // of a queue's status, at least

const now_ms = () => Number(process.hrtime.bigint()) / 1e6;

function availableBytes() {
    const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return line ? Number(line[1]) * 1024 : totalmem() / 2;
}

// As many as there are to be, or as memory and the limit of open files allow.
function shape(quick) {
    const wanted = quick ? 2000 : VIEWERS;
    const viewers = Math.min(wanted, Math.floor((availableBytes() - BYTES_APART) / BYTES_A_VIEWER));
    const files = Number(runNow('sh', ['-c', 'ulimit -Hn'])) || Infinity;
    const most = Math.min(quick ? 1000 : VIEWERS_A_RELAY, files - FILES_APART);
    const relays = Math.ceil(viewers / most);
    return { relays, each: Math.floor(viewers / relays), share: Math.max(1, Math.floor((LIVE_SHARES * availableParallelism()) / relays)) };
}

// What the relays' ticks are, asked twice a second.
function watchTicks(relays) {
    const seen = relays.map(() => []);
    let ends = false;
    const done = (async () => {
        for (; !ends; await sleep(500))
            await Promise.all(
                relays.map(async (relay, i) => {
                    const tick = await metric(relay, 'onsale_live_tick_milliseconds');
                    seen[i].push({ at_ms: now_ms(), tick });
                }),
            );
    })();
    return {
        async stop() {
            ends = true;
            await done;
        },
        // The last that was told before a time.
        at: (relay, at_ms) => (seen[relay].findLast((one) => one.at_ms <= at_ms) ?? seen[relay][0]).tick,
        middle: () => median(seen.flat().map(({ tick }) => tick)),
    };
}

// Changes that go on until they are stopped: what went wrong with one is told then.
function keepChanging(change) {
    let ends = false;
    let changes = 0;
    const began_ms = now_ms();
    const done = (async () => {
        while (!ends) {
            await change(changes++);
            await sleep(Math.max(0, began_ms + changes * CHANGE_MS - now_ms()));
        }
    })();
    done.catch(() => {});
    return async () => {
        ends = true;
        await done;
        return changes / ((now_ms() - began_ms) / 1000);
    };
}

// One tier, and all who watch one path of it.
async function tier({ quick }, { path_of, show: hall, marks, prepare, least_tick_ms }) {
    const { relays: relay_count, each, share } = shape(quick);
    const origin = await startOnsale([], { core: null });
    const show = await makeShow(origin, hall);
    const { make_mark, change } = await prepare(origin, show);
    const words = ['--reactors', '1', '--live-share', String(share), '--idle-seconds', '3600'];
    const relays = await Promise.all(Array.from({ length: relay_count }, () => startRelay(origin, words)));
    const watching = await Promise.all(
        relays.map((relay) => watchers({ server: relay.address, path: path_of(show), connections: each, marks }, null)),
    );
    const end_changes = change ? keepChanging(change) : async () => 0;
    await sleep(quick ? 2000 : 20000); // until the relays know what a send costs
    const ticks = watchTicks(relays);
    await sleep(1000);
    const made_ms = [];
    for (let mark = 0; mark < (quick ? 4 : 15); mark++) {
        made_ms.push(now_ms());
        await make_mark(mark);
        await sleep((0.4 + Math.random()) * Math.max(ticks.middle(), least_tick_ms)); // anywhere in a tick
    }
    await sleep(3 * Math.max(ticks.middle(), least_tick_ms) + 2000);
    await ticks.stop();
    const changes_a_second = await end_changes();
    const behind = (await Promise.all(relays.map((relay) => metric(relay, 'onsale_websocket_behind_total')))).reduce((a, b) => a + b);
    const send_ns = median(await Promise.all(relays.map((relay) => metric(relay, 'onsale_live_send_nanoseconds'))));
    const seen = await Promise.all(watching.map((one) => one.close()));
    await Promise.all(relays.map((relay) => relay.stop()));
    await origin.stop();
    const tick_of = (relay, at_ms) => Math.max(least_tick_ms, ticks.at(relay, at_ms));
    const of_mark = (figure) => made_ms.map((at_ms, mark) => Math.max(...seen.map((one, relay) => figure(one.marks[mark], at_ms, relay))));
    const all_saw_all = seen.every(({ marks: of }) => made_ms.every((_, mark) => of[mark].seen === each));
    const last_ms = of_mark((mark, at_ms) => mark.last_ms - at_ms);
    return {
        viewers: each * relay_count,
        relays: relay_count,
        all_saw_all,
        lags: of_mark((mark, at_ms, relay) => (mark.last_ms - at_ms) / tick_of(relay, at_ms)),
        figures: {
            viewers: each * relay_count,
            relays: relay_count,
            'percent of a core that each relay may take to push': share,
            'tick that the relays chose, ms': Math.max(least_tick_ms, ticks.middle()),
            'cost of a send as the relays measured it, µs': send_ns / 1000,
            marks: made_ms.length,
            'until half of the viewers of the slowest relay had a mark, ms': median(of_mark((mark, at_ms) => mark.half_ms - at_ms)),
            'until the last of all viewers had it, ms': median(last_ms),
            'the worst of that, ms': Math.max(...last_ms),
            'frames that each had, at least': Math.min(...seen.map((one) => one.least_frames)),
            'frames that viewers were too slow for': behind,
            ...(change ? { 'seats changed a second': changes_a_second * SEATS_AT_ONCE } : {}),
        },
    };
}

// The worst mark counts.
const tierRow = (name, what, { viewers, relays, lags, all_saw_all, figures }) => {
    const row = ratioRow({
        name,
        what: `${what}: from a change at the origin until the last of ${viewers.toLocaleString('en')} viewers on ${relays} relays has it, in ticks as the relays chose them; the worst change counts`,
        ratios: lags,
        sense: 'at most',
        bar: 2,
        figures,
    });
    return { ...row, met: all_saw_all && Math.max(...lags) <= row.bar };
};

// Each in turn is taken off sale; the next time round it is put back.
async function seatsInTurn(origin, show) {
    const response = await fetch(`http://${origin.address}/api/v1/shows/${show}/seats`);
    const ids = (await response.json()).map(({ seat_id }) => seat_id);
    const blocked = new Set();
    const path = (verb) => `/api/v1/admin/shows/${show}/seats/${verb}`;
    return {
        make_mark: (mark) => ask(origin, 'POST', path('block'), { seat_ids: [ids[mark]] }),
        change: (turn) => {
            const chunk = turn % Math.floor((ids.length - MARK_SEATS) / SEATS_AT_ONCE);
            const first = MARK_SEATS + chunk * SEATS_AT_ONCE;
            const verb = blocked.delete(chunk) ? 'unblock' : (blocked.add(chunk), 'block');
            return ask(origin, 'POST', path(verb), { seat_ids: ids.slice(first, first + SEATS_AT_ONCE) });
        },
    };
}

async function fansWhoJoin(origin, show) {
    const join = async (mark) => {
        const response = await fetch(`http://${origin.address}/api/v1/shows/${show}/queue`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ user_id: `fan-${mark}` }),
        });
        if (response.status !== 201) throw new Error(`POST …/queue: ${response.status}`);
    };
    return { make_mark: join };
}

export async function liveTier(settings) {
    const map = await tier(settings, {
        path_of: (show) => `/api/v1/shows/${show}/live`,
        show: {
            sections: [
                { name: 'M', rows: 1, seats_per_row: MARK_SEATS, category: 'Standard' },
                { name: 'S', rows: SEATS / 100 - 1, seats_per_row: 100, category: 'Standard' },
            ],
        },
        marks: `seats:${MARK_SEATS}`,
        prepare: seatsInTurn,
        least_tick_ms: 100,
    });
    const queue = await tier(settings, {
        path_of: (show) => `/api/v1/shows/${show}/queue/live`,
        show: { rows: 10, seats_per_row: 10, waiting_room: { enabled: true, rate_per_minute: 1 } },
        marks: `issued:${MARK_SEATS}`,
        prepare: fansWhoJoin,
        least_tick_ms: QUEUE_TICK_MS,
    });
    return [
        tierRow('live_tier_map', `A seat map of ${SEATS.toLocaleString('en')} seats, a tenth of them changing each second`, map),
        tierRow('live_tier_queue', 'The status of a queue', queue),
    ];
}

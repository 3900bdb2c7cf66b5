// The main job: 50,000 seats sold two by two over HTTP, payments by the sandbox gateway in its own process, or free.
import { limitRow } from '../lib/measure.mjs';
import { herd } from '../lib/herd.mjs';
import { makeShow, startOnsale, stopAndVerify } from '../lib/servers.mjs';
import { runNow } from '../lib/processes.mjs';
import { join } from 'node:path';

export const SEATS = 50000;

// The sale, then the audit. Fails unless each seat was sold, once.
export async function sell({ amount, connections }) {
    const ours = await startOnsale(['--payments', 'sandbox'], { core: null });
    const show = await makeShow(ours, { rows: 200, seats_per_row: 250, amount });
    const outcome = await herd(
        'sellout',
        { server: ours.address, show, connections, pid: ours.pid, ...(amount > 0 ? { token: 'tok_ok' } : {}) },
        { core: null },
    );
    await stopAndVerify(ours);
    const tickets = Number(runNow('sqlite3', ['-readonly', join(ours.data, 'ledger.sqlite'), 'SELECT count(*) FROM tickets']));
    if (tickets !== SEATS || outcome.bookings * 2 !== SEATS)
        throw new Error(`sold ${tickets} tickets in ${outcome.bookings} bookings: ${JSON.stringify(outcome)}`);
    return outcome;
}

async function row(name, what, limit, rounds, settings) {
    const outcomes = [];
    for (let round = 0; round < rounds; round++) outcomes.push(await sell(settings));
    const last = outcomes[outcomes.length - 1];
    return limitRow({
        name,
        what,
        values: outcomes.map(({ seconds }) => seconds),
        limit,
        unit: 's',
        sense: 'at most',
        figures: {
            connections: settings.connections,
            bookings: last.bookings,
            'bookings a second': last.bookings / last.seconds,
            'reserve, p50 in ms': last.reserve_us.p50 / 1000,
            'reserve, p99 in ms': last.reserve_us.p99 / 1000,
            'confirm, p50 in ms': last.confirm_us.p50 / 1000,
            'confirm, p99 in ms': last.confirm_us.p99 / 1000,
            'CPU of the server in s': last.server_cpu_seconds,
            'CPU of the load in s': last.herd_cpu_seconds,
            answers: JSON.stringify(last.statuses),
        },
    });
}

export async function selloutPaid({ sales }) {
    const what = 'Selling out 50,000 seats, 2 a booking, paid at the gateway in its own process; audited by onsale verify';
    return [await row('sellout_paid', what, 20, sales, { amount: 5000, connections: 128 })];
}

export async function selloutFree({ sales }) {
    const what = 'Selling out 50,000 seats, 2 a booking, free of charge; audited by onsale verify';
    return [await row('sellout_free', what, 3, sales, { amount: 0, connections: 256 })];
}

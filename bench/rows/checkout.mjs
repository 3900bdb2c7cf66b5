// Paying: bookings a second where the gateway takes its time, beside what the ledger alone makes of the same commits.
import { join } from 'node:path';
import { limitRow, median, ratioRow } from '../lib/measure.mjs';
import { herd } from '../lib/herd.mjs';
import { makeShow, startFarSandbox, startOnsale, stopAndVerify } from '../lib/servers.mjs';
import { BUILD, runNow } from '../lib/processes.mjs';
import { figuresOf } from './engines.mjs';

const FANS = 256; // who pay at once
const GATEWAY_MS = 50;

// A whole sale, audited. Fails unless each seat was sold, once.
async function sale(delay_ms, { rows, token }) {
    const gateway = await startFarSandbox(delay_ms);
    const ours = await startOnsale(gateway.words, { core: null, environment: gateway.environment });
    const show = await makeShow(ours, { rows, seats_per_row: 100 });
    const outcome = await herd(
        'sellout',
        { server: ours.address, show, connections: FANS, pid: ours.pid, token },
        { core: null },
    );
    await stopAndVerify(ours);
    await gateway.stop();
    const tickets = Number(runNow('sqlite3', ['-readonly', join(ours.data, 'ledger.sqlite'), 'SELECT count(*) FROM tickets']));
    if (tickets !== rows * 100 || outcome.bookings * 2 !== tickets)
        throw new Error(`sold ${tickets} tickets in ${outcome.bookings} bookings: ${JSON.stringify(outcome)}`);
    return { ...outcome, rate: outcome.bookings / outcome.seconds };
}

// The group-commit ceiling: the four commits of a booking that is paid, as many bookings at once, no gateway.
async function ceiling() {
    const told = await figuresOf('ledger_bench', ['--paid', '--rounds', '1', '--folder', `${BUILD}/bench`]);
    return told.of('paid_256').value;
}

export async function checkout({ sales, quick }) {
    const rounds = [];
    for (let round = 0; round < sales; round++) {
        rounds.push({
            ceiling: await ceiling(),
            far: await sale(GATEWAY_MS, { rows: quick ? 50 : 200, token: 'tok_ok' }),
            slow_card: await sale(0, { rows: quick ? 50 : 200, token: `tok_slow_${GATEWAY_MS}` }),
            near: await sale(0, { rows: quick ? 100 : 400, token: 'tok_ok' }),
        });
    }
    const of = (figure) => rounds.map(figure);
    const middle = (figure) => median(of(figure));
    const p99 = ({ far }) => far.confirm_us.p99 / 1000;
    return [
        limitRow({
            name: 'checkout_rate',
            what: `Bookings a second, reserved, paid and captured on two cores, the gateway answering each of the three calls in ${GATEWAY_MS} ms; ${FANS} fans at once; audited by onsale verify`,
            values: of(({ far }) => far.rate),
            limit: 800,
            unit: 'bookings a second',
            sense: 'at least',
            figures: {
                'confirm, p50 in ms': middle(({ far }) => far.confirm_us.p50 / 1000),
                'confirm, p99 in ms': middle(p99),
                'CPU of the server, µs a booking': middle(({ far }) => (far.server_cpu_seconds * 1e6) / far.bookings),
                'the group-commit ceiling, bookings a second': middle((one) => one.ceiling),
                'only the authorization takes so long, bookings a second': middle(({ slow_card }) => slow_card.rate),
                'only the authorization takes so long, confirm, p99 in ms': middle(
                    ({ slow_card }) => slow_card.confirm_us.p99 / 1000,
                ),
                answers: JSON.stringify(rounds.at(-1).far.statuses),
            },
        }),
        limitRow({
            name: 'checkout_p99',
            what: `POST …/confirm with each of the gateway's answers taking ${GATEWAY_MS} ms, 99th percentile`,
            values: of(p99),
            limit: 500,
            unit: 'ms',
            sense: 'at most',
        }),
        ratioRow({
            name: 'checkout_over_ledger',
            what: `Those bookings a second to the group-commit ceiling: the ledger alone, with the same four commits a booking`,
            ratios: of(({ far, ceiling }) => far.rate / ceiling),
            sense: 'at least',
            bar: 0.08,
            figures: { 'the group-commit ceiling, bookings a second': middle((one) => one.ceiling) },
        }),
        ratioRow({
            name: 'checkout_near_over_ledger',
            what: 'Bookings a second to the group-commit ceiling where the gateway answers at once',
            ratios: of(({ near, ceiling }) => near.rate / ceiling),
            sense: 'at least',
            bar: 0.3,
            figures: {
                'bookings a second': middle(({ near }) => near.rate),
                'confirm, p99 in ms': middle(({ near }) => near.confirm_us.p99 / 1000),
                'CPU of the server, µs a booking': middle(({ near }) => (near.server_cpu_seconds * 1e6) / near.bookings),
            },
        }),
    ];
}

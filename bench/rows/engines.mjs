// The rows of the modules: each has a program of its own in bench/, which prints a line of JSON a figure
// ({"name","value","low","high"}); here they get their bars.
import { existsSync } from 'node:fs';
import { limitRow, noteRow } from '../lib/measure.mjs';
import { BUILD, newFolder, run } from '../lib/processes.mjs';

export async function figuresOf(program, words) {
    const path = `${BUILD}/bench/${program}`;
    if (!existsSync(path)) throw new Error(`${path} is not built`);
    const figures = new Map();
    for (const line of (await run(path, words)).split('\n').filter((text) => text.startsWith('{'))) {
        const figure = JSON.parse(line);
        figures.set(figure.threads === undefined ? figure.name : `${figure.name}_${figure.threads}`, figure);
    }
    return {
        of(name) {
            if (!figures.has(name)) throw new Error(`${program} does not tell ${name}`);
            return figures.get(name);
        },
    };
}

// A row of a ratio that the program made itself, round by round.
export const ratioOf = (figure, { name, what, sense, bar, figures = {} }) => ({
    name,
    what,
    ratio: figure.value,
    spread: [figure.low, figure.high],
    sense,
    bar,
    met: sense === null ? null : sense === 'at most' ? figure.value <= bar : figure.value >= bar,
    figures,
});

export const limitOf = (figure, { name, what, sense, limit, unit, figures = {} }) =>
    limitRow({ name, what, values: [figure.low, figure.value, figure.high], limit, unit, sense, figures });

export async function ledger({ quick }) {
    // Next to the build: an ordinary disk, where /tmp may be memory.
    const told = await figuresOf('ledger_bench', ['--rounds', quick ? '1' : '5', '--folder', `${BUILD}/bench`]);
    const value = (name) => told.of(name).value;
    return [
        ratioOf(told.of('ledger_over_bare_loop'), {
            name: 'ledger_over_bare_loop',
            what: 'Bookings through the ledger, 256 in flight, fsync on, to a bare SQLite loop with the same statements and groups',
            sense: 'at least',
            bar: 0.7,
            figures: { 'ledger, bookings a second': value('ledger_256'), 'bare loop, bookings a second': value('bare_loop_256') },
        }),
        ratioOf(told.of('ledger_over_one_a_commit'), {
            name: 'ledger_over_one_a_commit',
            what: 'Bookings through the ledger, 256 in flight, to one commit a booking',
            sense: 'at least',
            bar: 5,
            figures: { 'one a commit, bookings a second': value('one_a_commit') },
        }),
        limitOf(told.of('ledger_256'), {
            name: 'ledger_rate',
            what: 'Bookings through the ledger, 256 in flight',
            sense: 'at least',
            limit: 20000,
            unit: 'bookings a second',
        }),
        limitOf(told.of('ledger_16_p50'), {
            name: 'ledger_16_p50', what: "A booking's time in the ledger, 16 in flight, median",
            sense: 'at most', limit: 3, unit: 'ms',
        }),
        limitOf(told.of('ledger_256_p50'), {
            name: 'ledger_256_p50', what: "A booking's time in the ledger, 256 in flight, median",
            sense: 'at most', limit: 15, unit: 'ms',
        }),
        limitOf(told.of('ledger_16_p99'), {
            name: 'ledger_16_p99', what: "A booking's time in the ledger, 16 in flight, 99th percentile",
            sense: 'at most', limit: 40, unit: 'ms',
        }),
        limitOf(told.of('ledger_256_p99'), {
            name: 'ledger_256_p99', what: "A booking's time in the ledger, 256 in flight, 99th percentile",
            sense: 'at most', limit: 40, unit: 'ms',
        }),
        ratioOf(told.of('pessimistic_over_optimistic'), {
            name: 'locking', what: 'Bookings a second with pessimistic to those with optimistic locking, no contention',
            sense: null, bar: null, figures: { 'pessimistic, bookings a second': value('pessimistic_256') },
        }),
        ratioOf(told.of('contended_pessimistic_over_optimistic'), {
            name: 'locking_contended',
            what: 'Attempts a second with pessimistic to those with optimistic locking, everybody wanting the same few seats',
            sense: null,
            bar: null,
            figures: {
                'optimistic, attempts a second': value('contended_optimistic'),
                'pessimistic, attempts a second': value('contended_pessimistic'),
            },
        }),
    ];
}

export async function bestAvailable() {
    const told = await figuresOf('best_available_bench', []);
    return [2, 4].map((quantity) => {
        const figure = told.of(`best_available_${quantity}`);
        return limitRow({
            name: `best_available_${quantity}`,
            what: `Finding the best ${quantity} adjacent seats of the stadium, 95 % sold, median`,
            values: [figure.median_ns / 1000],
            limit: 50,
            unit: 'µs',
            sense: 'at most',
            figures: {
                'p99 in µs': figure.p99_ns / 1000,
                'a plain scan of all seats, median in µs': figure.peer_median_ns / 1000,
                'to the plain scan': figure.ratio,
                'in vain, median in µs': told.of('best_available_none').median_ns / 1000,
                'with the lock, the copy and the hold, median in µs': told.of('hold_take_best_2').median_ns / 1000,
                'a hold of two named seats taken and released, median in µs': told.of('hold_take_release_2').median_ns / 1000,
            },
        });
    });
}

export async function holdStore() {
    const told = await figuresOf('hold_store_bench', []);
    const median = (name) => told.of(name).ns_per_take_and_release.p50;
    const spread = (name) => told.of(name).ns_per_take_and_release;
    const plain = median('no_journal_1');
    return [
        noteRow({
            name: 'hold_store',
            what: 'Time of a hold of two seats taken and released in process, with its journal to without',
            ratios: ['p10', 'p50', 'p90'].map((share) => spread('journal_1')[share] / plain),
            figures: {
                'no journal, median in ns': plain,
                'with the journal, median in ns': median('journal_1'),
                'with the journal and a kept answer, median in ns': median('journal_and_answer_1'),
                'no journal, two threads on one show, median in ns': median('no_journal_2'),
                'with the journal, two threads on one show, median in ns': median('journal_2'),
            },
        }),
    ];
}

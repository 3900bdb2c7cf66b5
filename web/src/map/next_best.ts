/* The next best seats after some were lost: side by side, near, and at about the price.
 *
 * Looked for among the sections whose seats are known (where the lost ones were is one of them): every run of free seats
 * in every row, with no aisle in between. First so that the seats that are left stay: a run that continues them; else as
 * many together as there were. Null: the server has to be asked for its best available. */
import { AVAILABLE } from './frames';
import type { Plan, Section } from './plan';

export interface NextBest {
  seats: number[]; /* to take, in plan order */
  instead_of: number[]; /* still chosen, to be given up for them */
}

/* A step of a price is worth about a row; a whole price more is not taken while others are there. */
const PRICE_WEIGHT = 60;
const OTHER_SECTION = 12;

interface Wanted {
  x: number;
  y: number;
  amount: number;
  pitch: number;
  section: Section;
}

function where(plan: Plan, seats: readonly number[]): Wanted | null {
  let [x, y, amount, known] = [0, 0, 0, 0];
  let home: Section | null = null;
  for (const index of seats) {
    const section = plan.home(index).section;
    const found = section?.seats_known;
    if (!section || !found) continue;
    const at = index - section.first;
    x += found.xs[at]!;
    y += found.ys[at]!;
    amount += plan.prices[found.categories[at]!]?.amount ?? 0;
    home ??= section;
    known++;
  }
  return home && { x: x / known, y: y / known, amount: amount / known, pitch: home.pitch, section: home };
}

/* All runs of `count` seats that `free` says are to be had, each with its cost; the least. */
function best_run(plan: Plan, wanted: Wanted, count: number, free: (index: number) => boolean, must_have: readonly number[]): number[] | null {
  let [best, least] = [null as number[] | null, Infinity];
  for (const section of plan.sections) {
    const seats = section.seats_known;
    if (!seats || section.left + must_have.length < count) continue;
    for (const row of seats.rows) {
      let length = 0;
      for (let index = row.first; index < row.first + row.seats; index++) {
        const at = index - section.first;
        length = free(index) ? length + 1 : 0;
        if (length >= count) {
          const first = index - count + 1;
          if (must_have.every((seat) => seat >= first && seat <= index)) {
            let cost = section === wanted.section ? 0 : OTHER_SECTION;
            let amount = 0;
            for (let i = first; i <= index; i++) amount += plan.prices[seats.categories[i - section.first]!]?.amount ?? Infinity;
            amount /= count;
            const middle = (first + index) / 2 - section.first;
            const [low, high] = [Math.floor(middle), Math.ceil(middle)];
            cost += Math.hypot((seats.xs[low]! + seats.xs[high]!) / 2 - wanted.x, (seats.ys[low]! + seats.ys[high]!) / 2 - wanted.y) / wanted.pitch;
            cost += wanted.amount > 0 ? (PRICE_WEIGHT * Math.abs(amount - wanted.amount)) / wanted.amount : amount > 0 ? PRICE_WEIGHT : 0;
            if (cost < least) {
              least = cost;
              best = Array.from({ length: count }, (_, i) => first + i);
            }
          }
        }
        if (seats.gaps[at]) length = 0;
      }
    }
  }
  return best;
}

/* `lost` are gone; `kept` are still chosen; `refused`: said to be taken, whatever the map says. */
export function next_best(plan: Plan, lost: readonly number[], kept: readonly number[], refused: ReadonlySet<number>): NextBest | null {
  const wanted = where(plan, lost);
  if (!wanted) return null;
  const chosen = new Set(kept);
  const gone = new Set(lost);
  const free = (index: number) => plan.statuses[index] === AVAILABLE && !refused.has(index) && !gone.has(index);
  /* Those of the same row belonged together with the lost ones. */
  const row_of = (index: number) => {
    const section = plan.home(index).section;
    return section?.seats_known ? `${section.index}.${section.seats_known.row_of[index - section.first]}` : '';
  };
  const rows = new Set(lost.map(row_of));
  const together = kept.filter((index) => rows.has(row_of(index)));
  const others = new Set(kept.filter((index) => !together.includes(index)));
  const count = lost.length + together.length;
  const usable = (index: number) => free(index) && !others.has(index);
  if (together.length > 0) {
    const longer = best_run(plan, wanted, count, usable, together);
    if (longer) return { seats: longer.filter((index) => !chosen.has(index)), instead_of: [] };
  }
  const anew = best_run(plan, wanted, count, usable, []);
  if (anew) return { seats: anew.filter((index) => !chosen.has(index)), instead_of: together.filter((index) => !anew.includes(index)) };
  const single = together.length > 0 ? best_run(plan, wanted, lost.length, (index) => usable(index) && !chosen.has(index), []) : null;
  return single && { seats: single, instead_of: [] };
}

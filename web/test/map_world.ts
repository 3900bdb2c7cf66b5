/* A small venue for the map's tests: sections of straight rows, beside each other, with the stage in front. */
import { Plan } from '../src/map/plan';
import type { Category, PlanOverview, PlanSeat, PlanSectionRows } from '../src/base/types';

export interface World {
  plan: Plan;
  fetched: number[];
}

/* Seats one apart, rows two apart; `cheap`: these sections cost half. An aisle after seat `aisle` of each row. */
export async function venue({ sections = 1, rows = 2, seats = 10, cheap = [] as number[], aisle = 0, known = true } = {}): Promise<World> {
  const part = (section: number): PlanSectionRows => ({
    section,
    name: `S${section}`,
    first: section * rows * seats,
    rows: Array.from({ length: rows }, (_, r) => ({
      label: String.fromCharCode(65 + r),
      seats: Array.from({ length: seats }, (_, s): PlanSeat => [`S${section}-${String.fromCharCode(65 + r)}${s + 1}`, String(s + 1), section * (seats + 5) + s, r * 2, cheap.includes(section) ? 1 : 0, s + 1 === aisle ? 1 : 0]),
    })),
  });
  const width = sections * (seats + 5);
  const overview: PlanOverview = {
    name: 'Hall',
    hash: 'h',
    focus: { x: width / 2, y: -5 },
    seats: sections * rows * seats + 30,
    box: [0, -5, width, rows * 2],
    categories: [
      { name: 'Front', color: '#0072b2' },
      { name: 'Rear', color: '#e69f00' },
    ],
    sections: Array.from({ length: sections }, (_, section) => ({
      name: `S${section}`,
      outline: [
        [section * (seats + 5), 0],
        [section * (seats + 5) + seats - 1, 0],
        [section * (seats + 5) + seats - 1, (rows - 1) * 2],
        [section * (seats + 5), (rows - 1) * 2],
      ],
      first: section * rows * seats,
      seats: rows * seats,
      rows,
      categories: [cheap.includes(section) ? 1 : 0],
    })),
    areas: [{ name: 'Floor', outline: null, first: sections * rows * seats, capacity: 30, category: 1 }],
  };
  const category = (name: string, amount: number): Category => ({ name, color: '#000000', seats: 0, available: 0, amount, currency: 'EUR' });
  const fetched: number[] = [];
  const plan = new Plan('show', overview, [category('Front', 10000), category('Rear', 5000)], (section) => {
    fetched.push(section);
    return Promise.resolve(part(section));
  });
  plan.adopt(new Uint8Array(overview.seats));
  if (known) for (let section = 0; section < sections; section++) await plan.seats(section);
  return { plan, fetched };
}

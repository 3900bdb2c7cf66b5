/* What the map and the list know of the venue: the overview first, a section's seats when somebody looks at it.
 *
 * Parts are named by the plan's hash, so that they are fetched once and never change. Seats are numbered in plan order
 * everywhere here; a section's are `first` to `first + seats - 1`, an area's places likewise. How many are left is kept
 * in step with the live map, and never counted anew. */
import { get } from '../base/api';
import type { Category, PlanArea, PlanOverview, PlanSection, PlanSectionRows, Point, Show } from '../base/types';
import { AVAILABLE, type Changed } from './frames';
import { box_of, Grid, label_place, pitch_of, stage_place, type Box, type LabelPlace } from './geometry';

export interface Row {
  label: string;
  first: number; /* in plan order */
  seats: number;
}

/* A section's seats, by their place in the section. */
export interface Seats {
  ids: string[];
  numbers: string[];
  xs: Float32Array;
  ys: Float32Array;
  categories: Uint16Array;
  gaps: Uint8Array; /* 1 where an aisle follows */
  row_of: Uint16Array;
  rows: Row[];
  grid: Grid;
}

export interface Section extends PlanSection {
  index: number;
  box: Box;
  label: LabelPlace;
  left: number;
  pitch: number; /* between seats; estimated until they are known */
  seats_known: Seats | null;
}

export interface Area extends PlanArea {
  index: number;
  box: Box | null;
  label: LabelPlace | null;
  left: number;
}

export interface Price {
  index: number;
  name: string;
  color: string;
  amount: number | null; /* null: not for sale */
  currency: string;
}

/* One place that a fan can have: a seat, with all that is written about it. */
export interface Seat {
  index: number;
  seat_id: string;
  section: string;
  row: string; /* '' in an area */
  number: string;
  category: number;
}

const MOST_AT_ONCE = 4;

export class Plan {
  readonly sections: Section[];
  readonly areas: Area[];
  readonly prices: Price[];
  readonly box: Box; /* all of it, with the stage and the rows' labels */
  readonly stage: { box: Box; upright: boolean } | null;
  statuses: Uint8Array;

  private readonly watchers = new Set<(section: Section) => void>();
  private readonly loading = new Map<number, Promise<Seats>>();
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  private readonly firsts: { first: number; end: number; section: Section | null; area: Area | null }[];

  constructor(
    readonly show_id: string,
    readonly overview: PlanOverview,
    categories: readonly Category[],
    private readonly fetch_part: (section: number) => Promise<PlanSectionRows> = (section) =>
      get<PlanSectionRows>(`/api/v1/shows/${show_id}/plan?part=${section}&hash=${overview.hash}`),
  ) {
    this.statuses = new Uint8Array(overview.seats);
    this.prices = overview.categories.map(({ name, color }, index) => {
      const price = categories.find((category) => category.name === name);
      return { index, name, color, amount: price?.amount ?? null, currency: price?.currency ?? 'EUR' };
    });
    this.sections = overview.sections.map((section, index) => {
      const box = box_of(section.outline);
      const area = Math.max(1e-6, (box[2] - box[0]) * (box[3] - box[1]));
      return { ...section, index, box, label: label_place(section.outline), left: section.seats, pitch: Math.sqrt(area / Math.max(1, section.seats)) * 0.7, seats_known: null };
    });
    this.areas = overview.areas.map((area, index) => ({
      ...area,
      index,
      box: area.outline ? box_of(area.outline) : null,
      label: area.outline ? label_place(area.outline) : null,
      left: area.capacity,
    }));
    this.firsts = [
      ...this.sections.map((section) => ({ first: section.first, end: section.first + section.seats, section, area: null })),
      ...this.areas.map((area) => ({ first: area.first, end: area.first + area.capacity, section: null, area })),
    ].sort((a, b) => a.first - b.first);
    const { focus, box } = overview;
    const outlines = [...overview.sections, ...overview.areas].flatMap(({ outline }) => (outline ? [outline] : []));
    this.stage = stage_place([focus.x, focus.y], box, outlines);
    const rim = Math.max(0, ...this.sections.map((section) => section.pitch)) * 1.1;
    const all = this.stage?.box ?? box;
    this.box = [Math.min(box[0] - rim, all[0]), Math.min(box[1] - rim, all[1]), Math.max(box[2] + rim, all[2]), Math.max(box[3] + rim, all[3])];
  }

  /* Called when a section's seats have come; returns what ends it. */
  watch(watcher: (section: Section) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /* The section or area that a seat belongs to. */
  home(index: number): { section: Section | null; area: Area | null } {
    let [low, high] = [0, this.firsts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle]!.first <= index) low = middle;
      else high = middle - 1;
    }
    const found = this.firsts[low];
    return found && index >= found.first && index < found.end ? found : { section: null, area: null };
  }

  /* The live map's statuses, as they are now and as they go on being changed. */
  adopt(statuses: Uint8Array): void {
    this.statuses = statuses;
    for (const { first, end, section, area } of this.firsts) {
      let left = 0;
      for (let i = first; i < end; i++) if (statuses[i] === AVAILABLE) left++;
      if (section) section.left = left;
      if (area) area.left = left;
    }
  }

  /* `statuses` have changed already. */
  count(changed: Changed): void {
    changed.indices.forEach((index, i) => {
      const home = this.home(index);
      const place = home.section ?? home.area;
      if (!place) return;
      if (changed.before[i] === AVAILABLE) place.left--;
      else if (this.statuses[index] === AVAILABLE) place.left++;
    });
  }

  total_left(): number {
    return this.firsts.reduce((sum, { section, area }) => sum + (section?.left ?? area?.left ?? 0), 0);
  }

  /* By price; null where seats of it stand in sections that nobody has looked at, beside others. */
  left_by_price(): (number | null)[] {
    const left: (number | null)[] = this.prices.map(() => 0);
    const add = (category: number, count: number) => {
      const before = left[category];
      if (typeof before === 'number') left[category] = before + count;
    };
    for (const section of this.sections) {
      if (section.categories.length === 1) add(section.categories[0]!, section.left);
      else if (!section.seats_known) for (const category of section.categories) left[category] = null;
      else section.seats_known.categories.forEach((category, i) => this.statuses[section.first + i] === AVAILABLE && add(category, 1));
    }
    for (const area of this.areas) add(area.category, area.left);
    return left;
  }

  least_amount(categories: readonly number[]): Price | null {
    let least: Price | null = null;
    for (const category of categories) {
      const price = this.prices[category];
      if (price && price.amount !== null && (least === null || price.amount < (least.amount ?? 0))) least = price;
    }
    return least;
  }

  /* A section's seats, fetched if need be; a few at a time, in the order asked. */
  seats(index: number): Promise<Seats> {
    const known = this.sections[index]?.seats_known;
    if (known) return Promise.resolve(known);
    let under_way = this.loading.get(index);
    if (!under_way) {
      under_way = this.fetch(index).finally(() => this.loading.delete(index));
      this.loading.set(index, under_way);
    }
    return under_way;
  }

  private async fetch(index: number): Promise<Seats> {
    if (this.busy >= MOST_AT_ONCE) await new Promise<void>((go) => this.waiting.push(go));
    this.busy++;
    try {
      const section = this.sections[index]!;
      const seats = read_section(section, await this.fetch_part(index));
      section.seats_known = seats;
      section.pitch = pitch_of(seats.xs, seats.ys);
      for (const watcher of [...this.watchers]) watcher(section);
      return seats;
    } finally {
      this.busy--;
      this.waiting.shift()?.();
    }
  }

  /* What is written about a seat; null until its section is known. */
  seat(index: number): Seat | null {
    const { section, area } = this.home(index);
    if (area) return { index, seat_id: `${area.name}-${index - area.first + 1}`, section: area.name, row: '', number: '', category: area.category };
    const seats = section?.seats_known;
    if (!section || !seats) return null;
    const at = index - section.first;
    return {
      index,
      seat_id: seats.ids[at]!,
      section: section.name,
      row: seats.rows[seats.row_of[at]!]!.label,
      number: seats.numbers[at]!,
      category: seats.categories[at]!,
    };
  }

  price(seat: Seat): Price {
    return this.prices[seat.category] ?? { index: -1, name: '', color: '#888888', amount: null, currency: 'EUR' };
  }

  /* The seats of these ids. Most ids begin with their section's name; where none does, all sections are asked. */
  async find(seat_ids: readonly string[]): Promise<Seat[]> {
    const found = new Map<string, Seat>();
    const missing = () => seat_ids.filter((id) => !found.has(id));
    for (const id of seat_ids)
      for (const area of this.areas) {
        const place = id.startsWith(`${area.name}-`) ? Number(id.slice(area.name.length + 1)) : NaN;
        if (Number.isInteger(place) && place >= 1 && place <= area.capacity) found.set(id, this.seat(area.first + place - 1)!);
      }
    const look = async (sections: Section[]) => {
      for (const section of sections) {
        const wanted = new Set(missing());
        if (wanted.size === 0) return;
        const seats = await this.seats(section.index);
        seats.ids.forEach((id, at) => wanted.has(id) && found.set(id, this.seat(section.first + at)!));
      }
    };
    await look(this.sections.filter((section) => section.seats_known));
    await look(this.sections.filter((section) => missing().some((id) => id.startsWith(section.name ? `${section.name}-` : ''))));
    await look(this.sections);
    return seat_ids.flatMap((id) => found.get(id) ?? []);
  }
}

function read_section(section: PlanSection, part: PlanSectionRows): Seats {
  const count = part.rows.reduce((sum, row) => sum + row.seats.length, 0);
  if (count !== section.seats || part.first !== section.first) throw new Error('the section is not of this plan');
  const seats = {
    ids: new Array<string>(count),
    numbers: new Array<string>(count),
    xs: new Float32Array(count),
    ys: new Float32Array(count),
    categories: new Uint16Array(count),
    gaps: new Uint8Array(count),
    row_of: new Uint16Array(count),
    rows: [] as Row[],
  };
  let at = 0;
  part.rows.forEach((row, r) => {
    seats.rows.push({ label: row.label, first: section.first + at, seats: row.seats.length });
    for (const [id, number, x, y, category, gap] of row.seats) {
      seats.ids[at] = id;
      seats.numbers[at] = number;
      seats.xs[at] = x;
      seats.ys[at] = y;
      seats.categories[at] = category;
      seats.gaps[at] = gap;
      seats.row_of[at] = r;
      at++;
    }
  });
  const points: Point[] = Array.from(seats.xs, (x, i) => [x, seats.ys[i]!]);
  return { ...seats, grid: new Grid(seats.xs, seats.ys, box_of(points), Math.max(pitch_of(seats.xs, seats.ys) * 4, 1e-3)) };
}

export async function plan_load(show: Show): Promise<Plan> {
  const overview = await get<PlanOverview>(`/api/v1/shows/${show.show_id}/plan?part=overview&hash=${show.plan.hash}`);
  return new Plan(show.show_id, overview, show.categories);
}

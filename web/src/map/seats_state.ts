/* Choosing seats, without a picture: what is chosen, what is held, what was lost, and what is said about it.
 *
 *     choose ──hold──▶ checkout          (hold_take; all or none)
 *        ▲ │ taken by somebody else      (seen live, or by the refusal)
 *        │ ▼
 *     next best, in one tap
 *
 * Lives as long as the page. It is told of each change of the seats, and tells the page (`changed`) at most a few times a
 * second. A seat that we ask for ourselves is seen to go as any other: while that call runs nothing is taken for lost. */
import { clock_now } from '../base/clock';
import { device_bookings, device_show, device_watch } from '../base/device';
import { get, problem_from } from '../base/api';
import { go } from '../base/router';
import type { Problem, Show } from '../base/types';
import { hold_forget, hold_now, hold_release, hold_take, type Wish } from '../shop/hold';
import { AVAILABLE, type Changed } from './frames';
import { Live, type LiveState } from './live';
import { next_best, type NextBest } from './next_best';
import { plan_load, type Plan, type Seat } from './plan';
import { most_seats, nothing, selection_count, selection_keep, selection_kept, selection_set_area, selection_toggle, selection_without, type Selection } from './selection';

const SHOW_EVERY_MS = 15_000;
const TELL_EVERY_MS = 250;
const LOST_SHOWN_MS = 8000;
const REFUSED_MS = 6000; /* a refusal is newer than the map for so long */
const GIVEN_BACK_MS = 4000;

export type Notice =
  | { kind: 'problem'; problem: Problem; retry: (() => void) | null }
  | { kind: 'taken'; seats: Seat[]; offer: NextBest | null; count: number; category: number }
  | { kind: 'too_many'; most: number }
  | { kind: 'not_free'; seat: Seat }
  | { kind: 'holding' };

export class SeatsState {
  show: Show | null = null;
  plan: Plan | null = null;
  live: LiveState = 'connecting';
  selection: Selection = nothing;
  mine: Seat[] = []; /* of the hold */
  lost: ReadonlySet<number> = new Set();
  notice: Notice | null = null;
  busy = false;
  failed: Problem | null = null; /* the page cannot be shown */
  seats_changed: (changes: Changed) => void = () => undefined; /* the map */

  private feed: Live | null = null;
  private readonly spared = new Map<number, number>(); /* seats that are not lost before this time, whatever the map says */
  private readonly refused = new Map<number, number>();
  private readonly stopping = new AbortController();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private told_ms = -Infinity;
  private telling = false;
  private unwatch: () => void = () => undefined;
  private first_look = true;

  constructor(
    readonly show_id: string,
    private readonly changed: () => void,
  ) {}

  async start(): Promise<void> {
    this.unwatch = device_watch(() => void this.held_changed());
    try {
      this.show = await this.show_get();
      this.tell();
      this.plan = await plan_load(this.show);
    } catch (error) {
      this.failed = problem_from(error);
      if (!this.stopping.signal.aborted) this.tell();
      return;
    }
    if (this.stopping.signal.aborted) return;
    const { plan } = this;
    this.selection = selection_kept(this.show_id, this.show.plan.hash, plan.overview.seats, plan.areas.length);
    for (const index of this.selection.seats) this.fetch_home(index);
    plan.watch(() => this.tell());
    this.feed = new Live(
      this.show_id,
      plan.overview.seats,
      (changes) => this.seats_went(changes),
      (state) => {
        this.live = state;
        this.tell();
      },
    );
    this.feed.start();
    this.later(() => void this.follow_show(), SHOW_EVERY_MS * (0.75 + Math.random() * 0.5));
    await this.held_changed();
    this.tell();
  }

  stop(): void {
    this.stopping.abort();
    this.feed?.stop();
    this.unwatch();
    for (const timer of this.timers) clearTimeout(timer);
  }

  get statuses_known(): boolean {
    return this.feed?.has_statuses ?? false;
  }

  get held() {
    return hold_now(this.show_id);
  }

  /* Of the waiting room; null: there is none, or it has ended. */
  get pass_ends_ms(): number | null {
    const { pass, pass_ends_ms } = device_show(this.show_id);
    return pass && (pass_ends_ms ?? 0) > clock_now() ? (pass_ends_ms ?? null) : null;
  }

  get has_to_queue(): boolean {
    return (this.show?.waiting_room.enabled ?? false) && this.pass_ends_ms === null;
  }

  get most(): number {
    return this.show ? most_seats(this.show) : 1;
  }

  /* Chosen, in plan order. */
  get seats(): Seat[] {
    return [...this.selection.seats].sort((a, b) => a - b).flatMap((index) => this.plan?.seat(index) ?? []);
  }

  get count(): number {
    return selection_count(this.selection);
  }

  /* Null while a price is not known. */
  get amount(): number | null {
    const { plan } = this;
    if (!plan) return null;
    let sum = 0;
    for (const index of this.selection.seats) {
      const seat = plan.seat(index);
      const amount = seat && plan.price(seat).amount;
      if (amount === null) return null;
      sum += amount;
    }
    for (const [area, count] of Object.entries(this.selection.areas)) sum += (plan.prices[plan.areas[Number(area)]?.category ?? -1]?.amount ?? 0) * count;
    return sum;
  }

  get currency(): string {
    return this.show?.categories[0]?.currency ?? 'EUR';
  }

  /* ---- what the fan does ---- */

  toggle = (index: number): void => {
    const { plan } = this;
    if (!plan || this.busy) return;
    if (this.held) {
      this.say({ kind: 'holding' });
      return;
    }
    const seat = plan.seat(index);
    if (!this.selection.seats.includes(index) && plan.statuses[index] !== AVAILABLE) {
      if (seat) this.say({ kind: 'not_free', seat });
      return;
    }
    this.choose(selection_toggle(this.selection, index, this.most));
  };

  set_area = (area: number, count: number): void => {
    if (this.busy) return;
    if (this.held) this.say({ kind: 'holding' });
    else this.choose(selection_set_area(this.selection, area, count, this.most));
  };

  private choose(selection: Selection | null): void {
    if (!selection) {
      this.say({ kind: 'too_many', most: this.most });
      return;
    }
    if (this.notice?.kind !== 'taken') this.notice = null;
    this.keep(selection);
  }

  private keep(selection: Selection): void {
    this.selection = selection;
    if (this.show) selection_keep(this.show_id, this.show.plan.hash, selection);
    this.tell();
  }

  clear = (): void => {
    this.notice = null;
    this.keep(nothing);
  };

  say(notice: Notice | null): void {
    this.notice = notice;
    this.tell();
  }

  hold = (): Promise<void> => {
    const { plan, selection } = this;
    if (!plan) return Promise.resolve();
    const seat_ids = this.seats.map((seat) => seat.seat_id);
    const areas = Object.entries(selection.areas).map(([area, quantity]) => ({ name: plan.areas[Number(area)]!.name, quantity }));
    const wish = { ...(seat_ids.length ? { seat_ids } : {}), ...(areas.length ? { areas } : {}) } as Wish;
    return this.take(wish, this.hold);
  };

  hold_best = (quantity: number, category: number | null): Promise<void> => {
    const name = category === null ? undefined : this.plan?.prices[category]?.name;
    return this.take({ best_available: { quantity, ...(name === undefined ? {} : { category: name }) } }, () => this.hold_best(quantity, category));
  };

  private async take(wish: Wish, again: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    if (this.has_to_queue) {
      go(`/shows/${this.show_id}/queue`);
      return;
    }
    this.busy = true;
    this.notice = null;
    this.tell();
    try {
      await hold_take(this.show_id, wish);
    } catch (error) {
      const problem = problem_from(error);
      if (problem.code === 'seat_unavailable' && problem.seat_ids?.length) await this.seats_refused(problem);
      else this.say({ kind: 'problem', problem, retry: () => void again() });
      this.busy = false;
      this.check();
      this.tell();
      return;
    }
    this.busy = false;
    if (!this.stopping.signal.aborted) go(`/shows/${this.show_id}/checkout`);
  }

  /* The seats go back, and stay chosen. */
  change_seats = async (): Promise<void> => {
    const { held } = this;
    if (!held || this.busy) return;
    this.busy = true;
    this.tell();
    try {
      const seats = this.mine;
      await hold_release(this.show_id);
      const until = performance.now() + GIVEN_BACK_MS;
      for (const seat of seats) this.spared.set(seat.index, until);
      this.later(() => this.check(), GIVEN_BACK_MS + 100);
      this.notice = null;
      const numbered = seats.filter((seat) => seat.row !== '' || this.plan?.home(seat.index).section);
      if (this.count === 0) this.keep({ seats: numbered.map((seat) => seat.index), areas: {} });
    } catch (error) {
      this.say({ kind: 'problem', problem: problem_from(error), retry: () => void this.change_seats() });
    }
    this.busy = false;
    this.tell();
  };

  /* What was offered after a loss. */
  take_offer = (): void => {
    const { notice } = this;
    if (notice?.kind !== 'taken') return;
    if (!notice.offer) {
      this.notice = null;
      void this.hold_best(Math.min(this.most, notice.count), notice.category);
      return;
    }
    const { seats, instead_of } = notice.offer;
    const kept = this.selection.seats.filter((seat) => !instead_of.includes(seat));
    this.notice = null;
    this.keep({ ...this.selection, seats: [...kept, ...seats].slice(0, this.most) });
  };

  /* ---- what others do ---- */

  private seats_went(changes: Changed): void {
    const { plan, feed } = this;
    if (!plan || !feed) return;
    if (plan.statuses !== feed.known.statuses) plan.adopt(feed.known.statuses);
    else plan.count(changes);
    this.seats_changed(changes);
    this.check();
    this.tell_soon();
  }

  /* Chosen seats that are not to be had any more. */
  private check(): void {
    const { plan } = this;
    if (!plan || !this.statuses_known || this.busy || this.held) return;
    const now = performance.now();
    const gone = this.selection.seats.filter((index) => plan.statuses[index] !== AVAILABLE && (this.spared.get(index) ?? 0) < now);
    const quiet = this.first_look && device_bookings().some((booking) => booking.show_id === this.show_id);
    this.first_look = false;
    let areas = this.selection;
    for (const [area, count] of Object.entries(this.selection.areas)) {
      const left = plan.areas[Number(area)]?.left ?? 0;
      if (count > left) areas = selection_set_area(areas, Number(area), left, this.most) ?? areas;
    }
    if (areas !== this.selection) this.keep(areas);
    if (gone.length === 0) return;
    if (quiet) this.keep(selection_without(this.selection, gone));
    else this.seats_lost(gone);
  }

  private async seats_refused(problem: Problem): Promise<void> {
    const seats = (await this.plan?.find(problem.seat_ids ?? []).catch(() => [])) ?? [];
    const chosen = seats.filter((seat) => this.selection.seats.includes(seat.index));
    const until = performance.now() + REFUSED_MS;
    for (const seat of seats) this.refused.set(seat.index, until);
    if (chosen.length > 0) this.seats_lost(chosen.map((seat) => seat.index));
    else this.say({ kind: 'problem', problem, retry: null });
  }

  private seats_lost(gone: readonly number[]): void {
    const { plan } = this;
    if (!plan) return;
    const now = performance.now();
    for (const [index, until] of this.refused) if (until < now) this.refused.delete(index);
    const seats = gone.flatMap((index) => plan.seat(index) ?? []);
    const before = this.notice?.kind === 'taken' ? this.notice.seats : [];
    const all = [...before, ...seats.filter((seat) => !before.some((other) => other.index === seat.index))];
    const selection = selection_without(this.selection, gone);
    this.lost = new Set([...this.lost, ...gone]);
    this.later(() => {
      this.lost = new Set([...this.lost].filter((index) => !gone.includes(index)));
      this.tell();
    }, LOST_SHOWN_MS);
    this.notice = {
      kind: 'taken',
      seats: all,
      offer: next_best(plan, all.map((seat) => seat.index), selection.seats, new Set(this.refused.keys())),
      count: all.length + selection.seats.length,
      category: all[0]?.category ?? 0,
    };
    this.keep(selection);
  }

  /* An offer may go, too. */
  refresh_offer(): void {
    const { notice, plan } = this;
    if (!plan || notice?.kind !== 'taken' || !notice.offer) return;
    if (notice.offer.seats.every((index) => plan.statuses[index] === AVAILABLE && !this.refused.has(index))) return;
    this.notice = { ...notice, offer: next_best(plan, notice.seats.map((seat) => seat.index), this.selection.seats, new Set(this.refused.keys())) };
  }

  /* ---- behind it ---- */

  private async held_changed(): Promise<void> {
    const { held, plan } = this;
    const kept = device_show(this.show_id).held;
    if (kept && !held && !kept.booking_id) hold_forget(this.show_id);
    if (!plan) return;
    if (!held) {
      if (this.mine.length > 0) {
        this.mine = [];
        this.check();
      }
      this.tell();
      return;
    }
    const ids = held.seat_ids.join('\n');
    if (ids === this.mine.map((seat) => seat.seat_id).join('\n')) return;
    this.mine = await plan.find(held.seat_ids).catch(() => []);
    this.tell();
  }

  private fetch_home(index: number): void {
    const section = this.plan?.home(index).section;
    if (section && !section.seats_known) this.plan?.seats(section.index).catch(() => undefined);
  }

  private show_get(): Promise<Show> {
    return get<Show>(`/api/v1/shows/${this.show_id}`, { signal: this.stopping.signal });
  }

  private async follow_show(): Promise<void> {
    if (!document.hidden)
      try {
        this.show = await this.show_get();
        this.tell();
      } catch {
        /* The live map says that we are cut off. */
      }
    if (!this.stopping.signal.aborted) this.later(() => void this.follow_show(), SHOW_EVERY_MS * (0.75 + Math.random() * 0.5));
  }

  private later(run: () => void, milliseconds: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, milliseconds);
    this.timers.add(timer);
  }

  private tell(): void {
    if (this.stopping.signal.aborted) return;
    this.told_ms = performance.now();
    this.refresh_offer();
    this.changed();
  }

  /* For what nobody waits for: seats go many times a second. */
  private tell_soon(): void {
    if (this.telling || this.stopping.signal.aborted) return;
    this.telling = true;
    this.later(
      () => {
        this.telling = false;
        this.tell();
      },
      Math.max(0, this.told_ms + TELL_EVERY_MS - performance.now()),
    );
  }
}

/* The waiting room's arithmetic: when to ask again, how long it may take, and whether seats will be left. No page and no
 * clock: what changes is handed in.
 *
 * How long: the pace that the server announces, moved towards how fast the queue was seen to move. What was seen counts
 * by its age (an exponential mean over two minutes), so that neither a burst nor a stall throws the answer about.
 *
 * Whether seats will be left: the seats left now against what the fans ahead are expected to take. A fan is taken to
 * want two seats until this page has seen how many went for how many that were called; who was called and did not come
 * counts, too, so that nothing has to be known about them. */

export interface Status {
  status: string;
  issued: number;
  serving: number;
  waiting: number;
  pace_per_minute: number;
  active: number;
  seats_left: number | null; /* null: the room stands before something that has no seats */
  seats_held: number | null;
  opens_at: string | null;
  claim_seconds: number;
  retry_after_seconds: number;
  poll: { per_thousand_ahead_seconds: number; max_seconds: number };
}

const MEMORY_MS = 120_000;
const SEATS_A_FAN = 2;
const FANS_SUPPOSED = 50; /* so many fans have to be seen before they outweigh the two seats */

const { max, min, floor, ceil } = Math;

/* The server's rule, spread by a fifth to either side so that a crowd does not ask at one moment. `draw`: 0 … 1. Who
 * does not know their place yet may be called as soon as it is drawn: they ask within half of the time they then have. */
export function poll_ms(now: Status, ahead: number | null, draw: number): number {
  const base = now.retry_after_seconds;
  const seconds = min(base + ((ahead ?? now.waiting) / 1000) * now.poll.per_thousand_ahead_seconds, now.poll.max_seconds);
  return (ahead === null ? min(seconds, max(now.claim_seconds / 2, base)) : seconds) * (800 + draw * 400);
}

/* How long after an opening, whose moment all know, this page asks: a crowd must not come at once, and nobody so late
 * that they miss a turn of the first minute. */
export function opening_ms(now: Status, draw: number): number {
  return min(now.claim_seconds * 400, now.waiting / 5) * draw;
}

/* What this page has seen. */
export interface Outlook {
  rate: number; /* places a minute; 0: nothing seen yet */
  at_ms: number; /* of the last look */
  serving: number;
  first?: Status; /* of the open sale */
}

/* A status, and when it came. Only an open sale says how fast it goes. */
export function see(outlook: Outlook, now: Status, at_ms: number): void {
  const passed_ms = at_ms - outlook.at_ms;
  if (passed_ms < 1000) return;
  if (now.status === 'ON_SALE') {
    outlook.first ??= now;
    const seen = ((now.serving - outlook.serving) * 60_000) / passed_ms;
    outlook.rate = outlook.rate ? outlook.rate + (1 - Math.exp(-passed_ms / MEMORY_MS)) * (seen - outlook.rate) : now.pace_per_minute;
  }
  outlook.at_ms = at_ms;
  outlook.serving = now.serving;
}

/* From, to, in minutes, in steps that grow with them; null: it stands still. */
export function minutes(outlook: Outlook, ahead: number): [number, number] | null {
  const likely = ahead / outlook.rate;
  const step = likely < 10 ? 1 : likely < 60 ? 5 : 30;
  return likely < 6000 ? [floor((likely * 0.9) / step) * step, ceil((likely * 1.2) / step) * step] : null;
}

export function seats_a_fan(outlook: Outlook, now: Status): number {
  const first = outlook.first ?? now;
  const fans = max(now.serving - now.active - first.serving + first.active, 0);
  return min(max((first.seats_left! - now.seats_left! + SEATS_A_FAN * FANS_SUPPOSED) / (fans + FANS_SUPPOSED), 0.2), 10);
}

/* 0: good, 1: tight, 2: unlikely. Those inside will take theirs, too; what they hold already is not among the seats
 * left. */
export function chance(now: Status, ahead: number, a_fan: number): number {
  const wanted = ahead * a_fan + max(now.active * a_fan - now.seats_held!, 0);
  return now.seats_left! > wanted * 1.4 + SEATS_A_FAN ? 0 : now.seats_left! > wanted * 0.8 ? 1 : 2;
}

/* How much of the way lies behind: of those who were ahead when this fan came. */
export function share_done(ahead: number, ahead_first: number): number {
  return min(max(1 - ahead / (ahead_first || 1), 0), 1);
}

/* 1:02:05, 2:05 */
export function countdown(milliseconds: number): string {
  const seconds = max(0, ceil(milliseconds / 1000));
  const parts = [floor(seconds / 3600), floor(seconds / 60) % 60, seconds % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, i) => (i ? `${part}`.padStart(2, '0') : part)).join(':');
}

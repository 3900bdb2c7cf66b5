/* When to ask, how long it takes, whether seats will be left: the waiting room's arithmetic. */
import { expect, test } from 'vitest';
import { chance, countdown, minutes, opening_ms, type Outlook, poll_ms, seats_a_fan, see, share_done, type Status } from '../src/queue/estimate';

const status = (changes: Partial<Status> = {}): Status => ({
  status: 'ON_SALE', issued: 10_000, serving: 0, waiting: 10_000, pace_per_minute: 600, active: 0, seats_left: 50_000, seats_held: 0, opens_at: null,
  claim_seconds: 120, retry_after_seconds: 2, poll: { per_thousand_ahead_seconds: 25, max_seconds: 252 }, ...changes,
});
const outlook = (): Outlook => ({ rate: 0, at_ms: 0, serving: 0 });
const START_MS = 1_700_000_000_000;

test('who is far behind asks seldom, as the server says, and a crowd not at one moment', () => {
  // red when: the server's rule is not kept, or a million pages ask together
  expect(poll_ms(status(), 0, 0.5)).toBe(2000);
  expect(poll_ms(status(), 4000, 0.5)).toBe(102_000);
  expect(poll_ms(status(), 4000, 0)).toBeCloseTo(81_600);
  expect(poll_ms(status(), 4000, 1)).toBeCloseTo(122_400);
  expect(poll_ms(status(), 1_000_000, 0.5)).toBe(252_000);
});

test('who does not know their place asks before a turn could be missed', () => {
  // red when: the winner of a draw among a million asks minutes after it, and their turn is over
  const drawn = status({ waiting: 1_000_000, poll: { per_thousand_ahead_seconds: 3, max_seconds: 600 } });
  expect(poll_ms(drawn, null, 1)).toBeLessThan(120_000);
  expect(opening_ms(drawn, 1)).toBeLessThan(60_000);
  expect(opening_ms(status({ waiting: 100 }), 1)).toBe(20);
});

test('the estimate begins with the announced pace', () => {
  // red when: nothing is said until something was seen
  const seen = outlook();
  see(seen, status(), START_MS);
  expect(minutes(seen, 18_000)).toEqual([25, 40]);
  expect(minutes(seen, 60_000)).toEqual([90, 120]);
  expect(minutes(seen, 1800)).toEqual([2, 4]);
  expect(minutes(seen, 9000)).toEqual([10, 20]);
});

test('a stall of half a minute does not throw the estimate about, one of ten minutes is told', () => {
  // red when: the estimate follows every look, or never what was seen
  const seen = outlook();
  see(seen, status(), START_MS);
  see(seen, status(), START_MS + 30_000);
  expect(600 / seen.rate).toBeLessThan(1.4);
  for (let i = 2; i < 20; i++) see(seen, status(), START_MS + i * 30_000);
  expect(600 / seen.rate).toBeGreaterThan(20);
  see(seen, status({ serving: 40_000 }), START_MS + 20 * 30_000);
  expect(seen.rate).toBeLessThan(80_000);
});

test('looks in quick succession, and pauses, count for nothing', () => {
  // red when: two pushed looks of a second are taken for a minute's, or a pause for slowness
  const seen = outlook();
  see(seen, status(), START_MS);
  see(seen, status({ serving: 500 }), START_MS + 100);
  expect(seen.rate).toBe(600);
  see(seen, status({ status: 'PAUSED' }), START_MS + 5000);
  see(seen, status({ status: 'PAUSED' }), START_MS + 900_000);
  expect(seen.rate).toBe(600);
  see(seen, status({ serving: 10 }), START_MS + 901_000);
  expect(seen.rate).toBeCloseTo(600);
});

test('what stands still has no estimate', () => {
  // red when: a queue without pace is said to take no time, or for ever
  const seen = outlook();
  see(seen, status({ pace_per_minute: 0 }), START_MS);
  expect(minutes(seen, 100)).toBeNull();
  expect(minutes(outlook(), 0)).toBeNull();
});

test('fans take two seats each until more was seen', () => {
  // red when: the chance rests on nothing, or never on what was seen
  const seen = outlook();
  see(seen, status(), START_MS);
  expect(seats_a_fan(seen, status())).toBe(2);
  expect(seats_a_fan(seen, status({ serving: 1000, seats_left: 46_000 }))).toBeCloseTo(3.9, 1);
  expect(seats_a_fan(seen, status({ serving: 1000, active: 900, seats_left: 49_800 }))).toBeCloseTo(2, 1);
  expect(seats_a_fan(seen, status({ serving: 1000, seats_left: 60_000 }))).toBe(0.2);
});

test('the chance dwindles with the seats', () => {
  // red when: a fan is told to hope in vain, or not to
  expect(chance(status({ seats_left: 5000 }), 1000, 2)).toBe(0);
  expect(chance(status({ seats_left: 2000 }), 1000, 2)).toBe(1);
  expect(chance(status({ seats_left: 1500 }), 1000, 2)).toBe(2);
  expect(chance(status({ seats_left: 0, seats_held: 40 }), 0, 2)).toBe(2);
  expect(chance(status({ seats_left: 3000, active: 600 }), 1000, 2)).toBe(1);
  expect(chance(status({ seats_left: 3000, active: 600, seats_held: 1200 }), 1000, 2)).toBe(0);
});

test('the bar goes from where the fan came to the front', () => {
  // red when: the bar runs backwards or out of its frame
  expect(share_done(200, 200)).toBe(0);
  expect(share_done(50, 200)).toBe(0.75);
  expect(share_done(0, 200)).toBe(1);
  expect(share_done(0, 0)).toBe(1);
  expect(share_done(300, 200)).toBe(0);
});

test('a countdown is told in hours, minutes and seconds', () => {
  // red when: 2:05 is written 2:5
  expect(countdown(125_000)).toBe('2:05');
  expect(countdown(59_001)).toBe('1:00');
  expect(countdown(3_725_000)).toBe('1:02:05');
  expect(countdown(-5)).toBe('0:00');
});

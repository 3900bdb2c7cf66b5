import { expect, it, vi } from 'vitest';

async function fresh_clock(at: { ms: number }) {
  vi.resetModules();
  vi.spyOn(performance, 'now').mockImplementation(() => at.ms);
  return import('../src/base/clock');
}

it('takes_the_servers_time_from_the_middle_of_the_way', async () => {
  /* Red when the time of asking or of answering is taken: half of the way would be counted as time gone. */
  const at = { ms: 1000 };
  const clock = await fresh_clock(at);
  clock.clock_set(5_000_000, 1000, 1400);
  at.ms = 1200;
  expect(clock.clock_now()).toBe(5_000_000);
});

it('believes_a_fast_answer_more_than_a_slow_one', async () => {
  /* Red when the last answer always decides: a countdown would jump with the network. */
  const at = { ms: 2000 };
  const clock = await fresh_clock(at);
  clock.clock_set(5_000_000, 1000, 1020);
  clock.clock_set(5_001_500, 1100, 3100);
  at.ms = 1010;
  expect(clock.clock_now()).toBe(5_000_000);
});

it('believes_even_a_slow_one_after_the_device_has_slept', async () => {
  /* Red when nothing but the error counts: after a night's sleep every deadline would be hours off. */
  const at = { ms: 2000 };
  const clock = await fresh_clock(at);
  clock.clock_set(5_000_000, 1000, 1020);
  clock.clock_set(45_000_000, 1100, 2100);
  at.ms = 1600;
  expect(clock.clock_now()).toBe(45_000_000);
});

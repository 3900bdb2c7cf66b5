/* The pace of the drip: it falls when the shop struggles, and comes back by itself. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, sleep, until } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(async () => { await server.stop(); });

const stats = async (show) => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json.queue;

/* Sells `count` seats one after the other, each to somebody of their own. */
async function sell(show, count, from) {
  for (let i = from; i < from + count; i++) {
    const { pass } = await server.enter(show, `fan-${i}`);
    const held = await server.reserve(show, { best_available: { quantity: 1 } }, `fan-${i}`, { Authorization: `Bearer ${pass}` });
    assert.equal(held.status, 201, held.body.toString());
    const confirmed = await server.fan('POST', '/api/v1/bookings/confirm', {
      body: { reservation_id: held.json.reservation_id, payment_token: 'tok_slow_20' },
    });
    assert.equal(confirmed.status, 200, confirmed.body.toString());
  }
}

test('confirms that are slower than the operator allows halve the pace, and it recovers by itself', async () => {
  // red when: the usher does not look at the confirms, or the factor is not part of the pace
  const adaptive = { enabled: true, confirm_ms: 10, most_percent: 5 };
  const show = await server.queue_show({ rows: 10, waiting_room: { rate_per_minute: 60_000, adaptive } });
  let sold = 0;
  const slowed = await until('the pace has fallen', async () => {
    await sell(show, 5, sold);
    sold += 5;
    const now = await stats(show);
    return now.factor < 1 && now;
  });
  assert.equal(slowed.pace_per_minute, Math.floor(60_000 * slowed.factor));
  const { rate_per_minute, pace_per_minute } = await server.queue(show);
  assert.equal(rate_per_minute, 60_000);
  assert.ok(pace_per_minute < rate_per_minute);
  let { factor } = await stats(show);
  for (let steps = 0; steps < 3 && factor < 1; steps++)
    factor = await until('the pace rises', async () => { const now = await stats(show); return now.factor > factor && now.factor; });
});

test('a pace that may not adapt stays', async () => {
  // red when: `adaptive.enabled` is not looked at
  const adaptive = { enabled: false, confirm_ms: 10, most_percent: 5 };
  const show = await server.queue_show({ rows: 10, waiting_room: { rate_per_minute: 60_000, adaptive } });
  await sell(show, 15, 0);
  await sleep(1500); // a look is taken every second
  assert.equal((await stats(show)).factor, 1);
});

/* A gateway that is gone: confirms are refused at once, holds are kept, and it goes on as soon as the gateway is back. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Sandbox, Server, exchange, until } from './harness.mjs';

const MANY = 40; // more than the failures in a row that it takes

async function start() {
  const gateway = await Sandbox.start();
  return { gateway, server: await Server.start(gateway.for_server()) };
}

async function stop({ gateway, server }) {
  await server.stop();
  await gateway.stop();
}

const metric = async (server, name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await exchange(server.operator, 'GET', '/metrics')).body.toString())[1]);
const is_left_alone = async (server) => (await metric(server, 'onsale_gateway_left_alone')) === 1;
const holds = (server, show) => Promise.all([...Array(MANY).keys()].map((i) => server.hold(show, { best_available: { quantity: 1 } }, `fan-${i}`)));

async function is_refused(answer) {
  assert.deepEqual([answer.status, answer.json.code], [503, 'gateway_unavailable']);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1, 'it says when to come again');
}

// The second takes as long as a call may take, so both run at once.
describe('a gateway', { concurrency: true }, () => {
  describe('that is gone', { concurrency: 1 }, () => {
    let gateway;
    let server;
    before(async () => { ({ gateway, server } = await start()); });
    after(() => stop({ gateway, server }));

    test('refuses connections: 503 with the hold kept, at once when it is known; then it goes on', async () => {
      // red when: every fan waits for the same dead gateway, a hold dies of it, or nobody asks whether it is back
      const show = await server.show({ rows: 4, seats_per_row: 50, payment_attempts: 1 });
      const taken = await holds(server, show);
      await gateway.kill();
      for (const answer of await Promise.all(taken.map(({ reservation_id }) => server.confirm(reservation_id)))) await is_refused(answer);
      await until('the gateway is left alone', () => is_left_alone(server));
      // Known to be gone, it costs nobody the seconds that it took to find out, nor a call.
      const calls = await metric(server, 'onsale_gateway_calls_total');
      const began = Date.now();
      for (let i = 0; i < 10; i++) await is_refused(await server.confirm(taken[i].reservation_id));
      const took_ms = Date.now() - began;
      assert.ok((await metric(server, 'onsale_gateway_calls_total')) - calls <= 3, 'asked by one call at a time');
      if (!process.env.ONSALE_SLOW) assert.ok(took_ms < 5000, `ten refusals in ${took_ms} ms`);
      for (const { reservation_id } of taken) assert.equal((await server.fan('GET', `/api/v1/reservations/${reservation_id}`)).status, 200);
      assert.equal(Object.values(await server.seats(show)).filter((status) => status === 'HELD').length, MANY);
      const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings?limit=1000`);
      assert.equal(json.bookings.filter(({ status }) => status !== 'CANCELLED').length, 0, 'nothing is half done');

      await gateway.spawn();
      const booked = await Promise.all(taken.map(({ reservation_id }) => until('the confirm works', async () => {
        const { status, json: told } = await server.confirm(reservation_id);
        if (status === 503) return null;
        assert.ok([200, 202].includes(status), JSON.stringify(told));
        return told;
      }, 40_000)));
      for (const { booking_id } of booked) await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
      assert.equal(await metric(server, 'onsale_gateway_left_alone'), 0);
      assert.equal((await gateway.intents()).filter(({ status }) => status === 'succeeded').length, MANY);
    });

    test('the same key is not told 503 for ever', async () => {
      // red when: the refusal of a gateway that is gone is kept as the answer
      const show = await server.show();
      const { reservation_id } = await server.hold(show, ['A1']);
      const key = { 'Idempotency-Key': 'while-it-is-gone' };
      await gateway.kill();
      await is_refused(await server.confirm(reservation_id, 'tok_visa', key));
      await gateway.spawn();
      await until('it works', async () => (await server.confirm(reservation_id, 'tok_visa', key)).status === 200, 40_000);
    });

    test('refunds wait for a gateway that is gone, and are made when it is back', async () => {
      // red when: what must be done is given up as what may be refused
      const show = await server.show();
      const { booking_id } = await server.book(show, ['A1']);
      await server.settled(booking_id, 'CAPTURED');
      await gateway.kill();
      const refunded = await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'ill' } });
      assert.equal(refunded.status, 200);
      assert.equal((await server.seats(show)).A1, 'AVAILABLE');
      await gateway.spawn();
      await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
    });
  });

  test('a gateway that takes connections and says nothing: 202 or 503, holds kept, and then each is paid once', async (t) => {
    // red when: a time-out is taken for an end, or for an answer
    const mine = await start();
    t.after(() => stop(mine));
    const { server, gateway } = mine;
    const show = await server.show({ rows: 4, seats_per_row: 50 });
    const taken = await holds(server, show);
    gateway.pause();
    try {
      const answers = await Promise.all(taken.map(({ reservation_id }) => server.confirm(reservation_id)));
      for (const { status, json } of answers) assert.ok(status === 202 || json.code === 'gateway_unavailable', JSON.stringify(json));
      assert.equal(Object.values(await server.seats(show)).filter((status) => status === 'HELD').length, MANY);
      await until('the gateway is left alone', () => is_left_alone(server), 60_000);
      const late = await server.hold(show, { best_available: { quantity: 1 } }, 'late');
      await is_refused(await server.confirm(late.reservation_id));
      assert.equal((await server.fan('GET', `/api/v1/reservations/${late.reservation_id}`)).status, 200);
    } finally {
      gateway.go_on();
    }
    for (const { reservation_id } of taken) {
      const booking_id = await until('the confirm works', async () => {
        const { status, json } = await server.confirm(reservation_id);
        assert.ok([200, 202, 409, 503].includes(status), JSON.stringify(json));
        return status === 200 && json.booking_id;
      }, 60_000);
      await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
    }
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings?limit=1000&status=CONFIRMED`);
    const paid = new Set((await gateway.intents()).filter(({ status }) => status === 'succeeded').map(({ metadata }) => metadata.booking_id));
    assert.equal(json.bookings.length, MANY);
    for (const { booking_id } of json.bookings) assert.ok(paid.has(booking_id));
  });
});

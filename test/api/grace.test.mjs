/* The end of a hold: the fan's deadline, the store's a grace later, and what a payment that is open then does to them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Sandbox, Server, sleep, until } from './harness.mjs';

const HOLD = 2;
const GRACE = 3;

/* A server and its gateway; those who stop theirs have one of their own, so that all can run at once. */
class World {
  static async start() {
    const world = new World();
    world.gateway = await Sandbox.start();
    world.server = await Server.start(world.gateway.for_server());
    return world;
  }

  async stop() {
    await this.server.stop();
    await this.gateway.stop();
  }

  show(grace_seconds = GRACE) {
    return this.server.show({ hold_seconds: HOLD, grace_seconds });
  }

  async intent_of(booking_id) {
    return (await this.gateway.intents()).find(({ metadata }) => metadata.booking_id === booking_id);
  }

  is_begun() {
    return until('the gateway is at it', async () => (await this.gateway.intents()).find(({ status }) => status === 'processing'));
  }

  /* Looks at the seat until it is free; `look` is called each time it is not. The time of the first look that found it so. */
  is_freed(show, seat, look = () => {}) {
    return until(`${seat} is free`, async () => {
      const before_ms = Date.now();
      if ((await this.server.seats(show))[seat] === 'AVAILABLE') return before_ms;
      await look();
      return null;
    }, 60_000);
  }
}

let world;
let server;
before(async () => {
  world = await World.start();
  server = world.server;
});
after(() => world.stop());

const ends_at = ({ expires_at }, grace = GRACE) => Date.parse(expires_at) + grace * 1000;
const at = async (time_ms) => sleep(Math.max(0, time_ms - Date.now()));
describe('a hold\'s end', { concurrency: true }, () => {
  test('an unpaid hold keeps its seats until the store\'s deadline, and not two seconds longer', async () => {
    // red when: the fan's deadline frees the seats, or nothing does
    const show = await world.show();
    const hold = await server.hold(show, ['A1', 'A2']);
    const freed_ms = await world.is_freed(show, 'A1', async () => {
      if (Date.now() > ends_at(hold)) return;
      const taken = await server.reserve(show, ['A1'], 'bob');
      // It was asked in time, and may have been answered after it.
      assert.ok(taken.status === 409 || Date.now() > ends_at(hold), 'given to another before its time');
      if (taken.status === 201) await server.fan('DELETE', `/api/v1/reservations/${taken.json.reservation_id}`);
    });
    assert.ok(freed_ms >= ends_at(hold) - 100, 'not before');
    if (!process.env.ONSALE_SLOW) assert.ok(freed_ms < ends_at(hold) + 2000, `${freed_ms - ends_at(hold)} ms after the deadline`);
    assert.equal((await server.seats(show)).A2, 'AVAILABLE', 'all of it ends');
  });

  test('who confirms after the fan\'s deadline is refused, though the seats are still held', async () => {
    // red when: the grace is given to those who come late
    const show = await world.show(30);
    const hold = await server.hold(show, ['A1']);
    await at(Date.parse(hold.expires_at) + 50);
    assert.equal((await server.seats(show)).A1, 'HELD');
    for (const token of ['tok_visa', null]) {
      const { status, json } = await server.confirm(hold.reservation_id, token);
      assert.deepEqual([status, json.code], [410, 'reservation_expired']);
    }
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`);
    assert.deepEqual(json.bookings, [], 'no payment was begun');
  });

  test('a payment begun in time may end within the grace', async () => {
    // red when: the fan's deadline ends a payment, or the sale asks for it again
    const show = await world.show(20);
    const hold = await server.hold(show, ['A1', 'A2']);
    const { status, json } = await server.confirm(hold.reservation_id, 'tok_slow_4000');
    assert.ok(Date.now() > Date.parse(hold.expires_at), 'it took longer than the fan had');
    assert.deepEqual([status, json.status], [200, 'CONFIRMED']);
    await server.settled(json.booking_id, 'CAPTURED', 'CONFIRMED');
    assert.equal((await server.seats(show)).A2, 'BOOKED');
  });

  test('who asks again about such a payment after the deadline is told how it ends', async () => {
    // red when: a confirm after the deadline is refused without a look at the payment under way
    const show = await world.show(20);
    const hold = await server.hold(show, ['A1']);
    const first = server.confirm(hold.reservation_id, 'tok_slow_4000');
    await at(Date.parse(hold.expires_at) + 300);
    const second = await server.confirm(hold.reservation_id, 'tok_slow_4000');
    assert.deepEqual([second.status, second.json.booking_id], [200, (await first).json.booking_id]);
  });

  test('a payment that the gateway never answers keeps its seats past the store\'s deadline, until it is cancelled there', async () => {
    // red when: a seat whose payment is open is released by a clock
    const show = await world.show();
    const hold = await server.hold(show, ['A1']);
    const pending = await server.confirm(hold.reservation_id, 'tok_hang');
    assert.ok(Date.now() > ends_at(hold) - 1000);
    assert.ok([202, 410].includes(pending.status), String(pending.status));
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`);
    const [{ booking_id }] = json.bookings;
    await world.is_freed(show, 'A1', async () => {
      const { status } = await server.reserve(show, ['A1'], 'bob');
      if (status === 201) assert.equal((await world.intent_of(booking_id)).status, 'canceled', 'given to another before the gateway has said so');
    });
    assert.equal((await world.intent_of(booking_id)).status, 'canceled');
    const booking = (await server.booking(booking_id)).json;
    assert.equal(booking.status, 'CANCELLED');
    assert.equal((await world.intent_of(booking_id)).amount_received, 0);
    assert.equal((await server.confirm(hold.reservation_id, 'tok_visa')).status, 410);
  });

  test('nothing but the gateway\'s word releases a seat whose payment is open', async (t) => {
    // red when: a deadline, a refused connection, the fan, another fan or a restart releases it
    const mine = await World.start();
    t.after(() => mine.stop());
    const { server, gateway } = mine;
    const show = await mine.show();
    const hold = await server.hold(show, ['A1', 'A2']);
    const first = server.confirm(hold.reservation_id, 'tok_slow_1500').catch(() => null);
    const { metadata: { booking_id } } = await mine.is_begun();
    gateway.pause();
    const is_held = async () => {
      const seats = await server.seats(show);
      assert.deepEqual([seats.A1, seats.A2], ['HELD', 'HELD']);
      assert.equal((await server.reserve(show, ['A2'], 'bob')).json.code, 'seat_unavailable');
      const released = await server.fan('DELETE', `/api/v1/reservations/${hold.reservation_id}`);
      assert.deepEqual([released.status, released.json.code], [409, 'payment_in_progress']);
      assert.equal((await server.booking(booking_id)).json.status, 'PENDING');
    };
    try {
      await at(ends_at(hold) + 200);
      await is_held();
      await first;
      await server.restart();
      await is_held();
      await sleep(1500);
      await is_held();
    } finally {
      gateway.go_on();
    }
    const booking = await until('the booking has an end', async () => {
      const { json } = await server.booking(booking_id);
      return json.status !== 'PENDING' && !['AUTHORIZED', 'NONE'].includes(json.payment_state) && json;
    }, 60_000);
    const [seats, at_the_gateway] = [await server.seats(show), await mine.intent_of(booking_id)];
    if (booking.status === 'CONFIRMED') {
      assert.deepEqual([seats.A1, seats.A2, at_the_gateway.status], ['BOOKED', 'BOOKED', 'succeeded']);
    } else {
      assert.deepEqual([seats.A1, seats.A2, at_the_gateway.status, at_the_gateway.amount_received], ['AVAILABLE', 'AVAILABLE', 'canceled', 0]);
    }
  });

  test('a gateway that is gone keeps the seats too, and has its say when it comes back', async (t) => {
    // red when: a connection that is refused is taken for an answer
    const mine = await World.start();
    t.after(() => mine.stop());
    const { server, gateway } = mine;
    const show = await mine.show();
    const hold = await server.hold(show, ['A1']);
    const first = server.confirm(hold.reservation_id, 'tok_slow_1500').catch(() => null);
    const { metadata: { booking_id } } = await mine.is_begun();
    await gateway.kill();
    await at(ends_at(hold) + 1500);
    assert.equal((await server.seats(show)).A1, 'HELD');
    await gateway.spawn();
    await first;
    await mine.is_freed(show, 'A1');
    assert.equal((await mine.intent_of(booking_id)).status, 'canceled');
  });
});

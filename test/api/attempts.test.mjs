/* payment_attempts over 1: another card on the same hold, one attempt after the other's end, so many and no more. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sandbox, Server, sleep, until } from './harness.mjs';

let gateway;
let server;
before(async () => {
  gateway = await Sandbox.start();
  server = await Server.start(gateway.for_server());
});
after(async () => {
  await server.stop();
  await gateway.stop();
});

const keyed = (key) => ({ 'Idempotency-Key': key });

async function intents_of(show) {
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`);
  const ids = new Set(json.bookings.map(({ booking_id }) => booking_id));
  return (await gateway.intents()).filter(({ metadata }) => ids.has(metadata.booking_id));
}

async function is_declined(reservation_id, attempts_left, token = 'tok_declined', headers = {}) {
  const answer = await server.confirm(reservation_id, token, headers);
  assert.deepEqual([answer.status, answer.json.code, answer.json.attempts_left], [402, 'payment_declined', attempts_left]);
  return answer;
}

test('another card pays on the same hold, and only it is charged', async () => {
  // red when: a new attempt confirms the declined one's intent, or the hold goes with the first decline
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id, seat_ids } = await server.hold(show, ['A1', 'A2']);
  await is_declined(reservation_id, 2, 'tok_insufficient_funds');
  await is_declined(reservation_id, 1, 'tok_expired_card');
  const { status, json } = await server.confirm(reservation_id, 'tok_visa');
  assert.equal(status, 200);
  const booking = await server.settled(json.booking_id, 'CAPTURED', 'CONFIRMED');
  assert.deepEqual(booking.seat_ids, seat_ids);
  const intents = await intents_of(show);
  assert.equal(intents.length, 3, 'an intent an attempt');
  assert.deepEqual(intents.filter(({ amount_received }) => amount_received > 0).map(({ metadata }) => metadata.booking_id), [json.booking_id]);
});

test('the last decline lets the seats go, and no card is taken after it', async () => {
  // red when: the last attempt is not counted, or a hold that was let go can be paid
  const show = await server.show({ payment_attempts: 2 });
  const { reservation_id } = await server.hold(show, ['A1', 'A2']);
  await is_declined(reservation_id, 1);
  assert.equal((await server.seats(show)).A1, 'HELD');
  await is_declined(reservation_id, 0);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['AVAILABLE', 'AVAILABLE']);
  const late = await server.confirm(reservation_id, 'tok_visa');
  assert.deepEqual([late.status, late.json.code], [410, 'reservation_expired']);
  assert.equal((await intents_of(show)).length, 2);
});

test('a decline that is repeated with its key is not another attempt', async () => {
  // red when: a repeated answer counts
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const first = await is_declined(reservation_id, 2, 'tok_declined', keyed('declined-once'));
  for (let i = 0; i < 4; i++) {
    const again = await is_declined(reservation_id, 2, 'tok_declined', keyed('declined-once'));
    assert.ok(again.body.equals(first.body));
  }
  await is_declined(reservation_id, 1, 'tok_declined', keyed('declined-twice'));
  assert.equal((await intents_of(show)).length, 2);
});

test('attempts are counted over kill -9', async () => {
  // red when: a hold that comes back from the journal has all its attempts again
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id } = await server.hold(show, ['A1']);
  await is_declined(reservation_id, 2);
  await sleep(700); // the journal has it
  await server.restart();
  await is_declined(reservation_id, 1);
  await sleep(700);
  await server.restart();
  await is_declined(reservation_id, 0);
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
});

test('attempts are counted over an orderly stop', async () => {
  // red when: a stop does not write the last of the journal
  const show = await server.show({ payment_attempts: 2 });
  const { reservation_id } = await server.hold(show, ['A1']);
  await is_declined(reservation_id, 1);
  server.child.kill('SIGTERM');
  await server.ended;
  server.exit = undefined;
  await server.spawn();
  await is_declined(reservation_id, 0);
});

test('an attempt whose end is not known is not followed by another until it is', async () => {
  // red when: a second card is tried while the first may still be charged
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const first = server.confirm(reservation_id, 'tok_slow_1200');
  await until('the gateway is at it', async () => (await intents_of(show)).some(({ status }) => status === 'processing'));
  gateway.pause();
  try {
    for (let i = 0; i < 5; i++) {
      const second = await server.confirm(reservation_id, 'tok_other_card');
      assert.deepEqual([second.status, second.json.code], [409, 'payment_in_progress']);
      await sleep(300);
    }
    assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).json.code, 'payment_in_progress');
  } finally {
    gateway.go_on();
  }
  const { json } = await first;
  const booking = await server.settled(json.booking_id, 'CAPTURED', 'CONFIRMED');
  const after_it = await server.confirm(reservation_id, 'tok_other_card');
  assert.deepEqual([after_it.status, after_it.json.booking_id], [200, booking.booking_id]);
  assert.equal((await intents_of(show)).length, 1);
});

test('an attempt whose end is not known when the server dies is not followed by another until it is', async () => {
  // red when: after a restart a hold can be paid again before the gateway was asked about its open payment
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id } = await server.hold(show, ['A1']);
  await sleep(600);
  const lost = server.confirm(reservation_id, 'tok_slow_1200').catch(() => null);
  await until('the gateway is at it', async () => (await intents_of(show)).some(({ status }) => status === 'processing'));
  gateway.pause();
  try {
    await server.restart();
    await lost;
    for (let i = 0; i < 3; i++) {
      const second = await server.confirm(reservation_id, 'tok_other_card');
      assert.deepEqual([second.status, second.json.code], [409, 'payment_in_progress']);
      await sleep(200);
    }
    assert.equal((await server.seats(show)).A1, 'HELD');
  } finally {
    gateway.go_on();
  }
  const [{ metadata }] = await intents_of(show);
  await server.settled(metadata.booking_id, 'CAPTURED', 'CONFIRMED');
  const after_it = await server.confirm(reservation_id, 'tok_other_card');
  assert.deepEqual([after_it.status, after_it.json.booking_id], [200, metadata.booking_id]);
  assert.equal((await intents_of(show)).length, 1);
});

/* A fan gives a booking back: where the show's policy allows it, all of it or some seats, once, and the money with it. */
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

let count = 0;
const keyed = () => ({ 'Idempotency-Key': `cancel-${process.pid}-${++count}` });
const cancel = (booking_id, body = {}, headers = {}) => server.fan('POST', `/api/v1/bookings/${booking_id}/cancel`, { body, headers });
const from_now = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const DAY = 86400;
const lenient = (settings = {}) => server.show({ cancellation: { allowed: true }, ...settings });

async function paid(show, seats, user) {
  const { booking_id, reservation_id } = await server.book(show, seats, user);
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  return { booking_id, reservation_id };
}

/* What the gateway has given back for a booking, and in how many refunds. */
async function given_back(booking_id) {
  const intent = (await gateway.intents()).find(({ metadata }) => metadata.booking_id === booking_id);
  const refunds = (await gateway.list('refunds')).filter(({ payment_intent }) => payment_intent === intent.id);
  return { sum: refunds.reduce((sum, { amount }) => sum + amount, 0), refunds: refunds.length };
}

const is_refunded = (booking_id, amount) => until(`${amount} are given back`, async () => (await given_back(booking_id)).sum === amount);

test('a booking that is given back is cancelled, its seats are free at once, and all the money goes back', async () => {
  // red when: the seats are freed without the refund, or the other way round
  const show = await lenient();
  const { booking_id, reservation_id } = await paid(show, ['A1', 'A2']);
  const { status, json } = await cancel(booking_id);
  assert.equal(status, 200);
  assert.deepEqual([json.booking_id, json.status], [booking_id, 'CANCELLED']);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['AVAILABLE', 'AVAILABLE']);
  const booking = await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.deepEqual([booking.refunded, booking.amount], [10000, 10000]);
  assert.deepEqual(await given_back(booking_id), { sum: 10000, refunds: 1 });
  assert.equal((await server.confirm(reservation_id)).status, 410);
  const next = await paid(show, ['A1', 'A2'], 'bob');
  assert.notEqual(next.booking_id, booking_id);
});

test('a call without a body gives all of it back', async () => {
  // red when: an empty body is read as JSON
  const show = await lenient();
  const { booking_id } = await paid(show, ['A1']);
  const { status, json } = await server.fan('POST', `/api/v1/bookings/${booking_id}/cancel`);
  assert.deepEqual([status, json.status], [200, 'CANCELLED']);
});

for (const [name, settings, status] of [
  ['no show that says nothing about it', {}, 403],
  ['no show that forbids it', { cancellation: { allowed: false, until_seconds: 0 } }, 403],
  ['a show without a start', { cancellation: { allowed: true, until_seconds: DAY } }, 200],
  ['a show that starts in two days, until a day before', { start_time: from_now(2 * DAY), cancellation: { allowed: true, until_seconds: DAY } }, 200],
  ['no show that starts in a day, until two days before', { start_time: from_now(DAY), cancellation: { allowed: true, until_seconds: 2 * DAY } }, 403],
  ['no show that has begun', { start_time: from_now(-60), cancellation: { allowed: true, until_seconds: 0 } }, 403],
]) {
  test(`the policy: ${name}`, async () => {
    // red when: the policy, its default or its end is not looked at
    const show = await server.show(settings);
    const { booking_id } = await paid(show, ['A1']);
    const answer = await cancel(booking_id);
    assert.equal(answer.status, status, answer.body.toString());
    if (status === 200) return;
    assert.equal(answer.json.code, 'forbidden');
    assert.equal((await server.booking(booking_id)).json.status, 'CONFIRMED');
    assert.equal((await server.seats(show)).A1, 'BOOKED');
    assert.deepEqual(await given_back(booking_id), { sum: 0, refunds: 0 });
  });
}

test('the policy is told to fans, and changed while the sale runs', async () => {
  // red when: PATCH does not reach it, or one member of it clears the other
  const show = await server.show();
  const { booking_id } = await paid(show, ['A1']);
  const policy = async () => (await server.fan('GET', `/api/v1/shows/${show}`)).json.cancellation;
  assert.deepEqual(await policy(), { allowed: false, until_seconds: 0 });
  const change = (cancellation) => server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { cancellation } });
  assert.equal((await change({ until_seconds: 3600 })).status, 200);
  const changed = await change({ allowed: true });
  assert.deepEqual(changed.json.cancellation, { allowed: true, until_seconds: 3600 });
  assert.deepEqual(await until('fans are told', async () => { const now = await policy(); return now.allowed && now; }), { allowed: true, until_seconds: 3600 });
  assert.equal((await cancel(booking_id)).status, 200);
  for (const [wrong, pointer] of [[5, '/cancellation'], [{ allowed: 1 }, '/cancellation/allowed'], [{ until_seconds: -1 }, '/cancellation/until_seconds'], [{ until_seconds: 1.5 }, '/cancellation/until_seconds'], [{ until_seconds: 'x' }, '/cancellation/until_seconds']]) {
    const { status, json } = await change(wrong);
    assert.deepEqual([status, json.code, json.pointer], [422, 'invalid_field', pointer]);
  }
});

test('the policy outlives kill -9', async () => {
  // red when: it is not written with the show
  const show = await server.show({ cancellation: { allowed: true, until_seconds: 77 } });
  await server.restart();
  assert.deepEqual((await server.admin('GET', `/api/v1/admin/shows/${show}`)).json.cancellation, { allowed: true, until_seconds: 77 });
});

test('some seats of a booking are given back, and then the others', async () => {
  // red when: a part frees all, gives all the money back, or cannot be followed by another
  const show = await lenient({ sections: [{ name: '', rows: 1, seats_per_row: 10, category: 'Dear' }, { name: 'Back', rows: 1, seats_per_row: 10, category: 'Cheap' }], prices: { Dear: { amount: 7000, currency: 'EUR' }, Cheap: { amount: 1001, currency: 'EUR' } } });
  const { booking_id } = await paid(show, ['A1', 'A2', 'Back-A1']);
  const part = await cancel(booking_id, { seat_ids: ['Back-A1'] });
  assert.equal(part.status, 200);
  assert.equal(part.json.status, 'CONFIRMED');
  await is_refunded(booking_id, 1001);
  let seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2, seats['Back-A1']], ['BOOKED', 'BOOKED', 'AVAILABLE']);
  const booking = await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  assert.deepEqual([booking.seat_ids, booking.refunded], [['A1', 'A2'], 1001]);
  const gone = await cancel(booking_id, { seat_ids: ['Back-A1'] });
  assert.deepEqual([gone.status, gone.json.code], [422, 'unknown_seat']);
  assert.equal((await cancel(booking_id, { seat_ids: ['A2', 'A1'] })).json.status, 'CANCELLED');
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.deepEqual(await given_back(booking_id), { sum: 15001, refunds: 2 });
  seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['AVAILABLE', 'AVAILABLE']);
});

for (const [name, body, code, pointer] of [
  ['a seat that is not the booking\'s', { seat_ids: ['A9'] }, 'unknown_seat'],
  ['a seat twice', { seat_ids: ['A1', 'A1'] }, 'duplicate_seat'],
  ['no seats', { seat_ids: [] }, 'invalid_field', '/seat_ids'],
  ['seats that are a text', { seat_ids: 'A1' }, 'invalid_field', '/seat_ids'],
  ['a number for a seat', { seat_ids: [1] }, 'unknown_seat'],
]) {
  test(`refused: ${name}`, async () => {
    // red when: seat_ids is not checked against the booking
    const show = await lenient();
    const { booking_id } = await paid(show, ['A1', 'A2']);
    const { status, json } = await cancel(booking_id, body);
    assert.deepEqual([status, json.code], [422, code]);
    if (pointer) assert.equal(json.pointer, pointer);
    assert.equal((await server.booking(booking_id)).json.seat_ids.length, 2);
    assert.deepEqual(await given_back(booking_id), { sum: 0, refunds: 0 });
  });
}

test('a booking that never was is 404, another method 405', async () => {
  // red when: an id is parsed loosely
  for (const id of [`b${'a'.repeat(32)}`, 'b456', `r${'a'.repeat(32)}`]) {
    const { status, json } = await cancel(id);
    assert.deepEqual([status, json.code], [404, 'booking_not_found']);
  }
  const get = await server.fan('GET', `/api/v1/bookings/b${'a'.repeat(32)}/cancel`);
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
});

test('a booking whose payment is under way is not given back', async () => {
  // red when: a cancel races the sale
  const show = await lenient();
  const { reservation_id } = await server.hold(show, ['A1']);
  const confirming = server.confirm(reservation_id, 'tok_slow_1500');
  const booking_id = await until('it is begun', async () => (await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`)).json.bookings[0]?.booking_id);
  const { status, json } = await cancel(booking_id);
  assert.deepEqual([status, json.code], [409, 'payment_in_progress']);
  assert.equal((await confirming).status, 200);
  assert.equal((await cancel(booking_id)).status, 200);
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
});

test('a booking whose money is still being taken is given back when it has been', async () => {
  // red when: what was just confirmed cannot be given back, or is refunded before it is captured
  const show = await lenient();
  const { booking_id } = await server.book(show, ['A1'], 'ann', 'tok_capture_fails_2');
  const answer = await until('it is taken', async () => {
    const { status, json } = await cancel(booking_id);
    return status === 409 ? assert.equal(json.code, 'payment_in_progress') : { status, json };
  });
  assert.ok([200, 202].includes(answer.status));
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.deepEqual(await given_back(booking_id), { sum: 5000, refunds: 1 });
});

test('free tickets are given back without a gateway', async () => {
  // red when: a cancel of nothing waits for money
  const show = await lenient({ amount: 0 });
  const { booking_id } = await server.book(show, ['A1', 'A2'], 'ann', null);
  assert.equal((await cancel(booking_id, { seat_ids: ['A1'] })).json.status, 'CONFIRMED');
  assert.equal((await cancel(booking_id)).json.status, 'CANCELLED');
  assert.equal((await server.booking(booking_id)).json.payment_state, 'NONE');
});

test('fifty cancels at once, of fan and operator, give the money back once', async () => {
  // red when: two cancels both find the booking CONFIRMED
  const show = await lenient();
  const { booking_id } = await paid(show, ['A1', 'A2']);
  const answers = await Promise.all([...Array(50).keys()].map((i) => (i % 5
    ? cancel(booking_id, {}, i % 2 ? {} : keyed())
    : server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'ill' } }))));
  for (const { status, json } of answers) assert.ok([200, 202, 409].includes(status), JSON.stringify(json));
  assert.ok(answers.some(({ status }) => status === 200));
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.deepEqual(await given_back(booking_id), { sum: 10000, refunds: 1 });
});

test('the seats of a booking given back one by one, at once, give back each one\'s money', async () => {
  // red when: two parts both take the booking as it was before either
  const show = await lenient();
  const all = ['A1', 'A2', 'A3', 'A4'];
  const { booking_id } = await paid(show, all);
  const seats = [...all];
  await until('all are given back', async () => {
    const answers = await Promise.all(seats.map(async (seat) => [seat, await cancel(booking_id, { seat_ids: [seat] })]));
    for (const [seat, { status, json }] of answers) {
      assert.ok([200, 202, 409, 422].includes(status), JSON.stringify(json));
      if (status !== 409) seats.splice(seats.indexOf(seat), 1);
    }
    return seats.length === 0;
  });
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.equal((await given_back(booking_id)).sum, 20000);
});

test('a cancel that is repeated with its key gives the same answer, through kill -9', async () => {
  // red when: the answer is not kept in one step with what it did
  const show = await lenient();
  const { booking_id } = await paid(show, ['A1', 'A2']);
  const [part_key, key] = [keyed(), keyed()];
  const part = await cancel(booking_id, { seat_ids: ['A1'] }, part_key);
  await is_refunded(booking_id, 5000);
  const whole = await cancel(booking_id, {}, key);
  assert.deepEqual([part.status, whole.status], [200, 200]);
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  await server.restart();
  for (const [first, again] of [[part, await cancel(booking_id, { seat_ids: ['A1'] }, part_key)], [whole, await cancel(booking_id, {}, key)]]) {
    assert.ok(again.body.equals(first.body), `${again.body} is not ${first.body}`);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
  }
  assert.equal((await cancel(booking_id, { seat_ids: ['A2'] }, key)).json.code, 'idempotency_key_reused');
  assert.deepEqual(await given_back(booking_id), { sum: 10000, refunds: 2 });
});

test('a gateway that does not answer keeps nobody\'s seats: they are free, and the money follows', async () => {
  // red when: the seats wait for the refund
  const show = await lenient();
  const { booking_id } = await paid(show, ['A1']);
  gateway.pause();
  try {
    const { status } = await cancel(booking_id);
    assert.ok([200, 202].includes(status));
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
    assert.equal((await server.reserve(show, ['A1'], 'bob')).status, 201);
    const { json } = await server.booking(booking_id);
    assert.deepEqual([json.status, json.payment_state], ['CANCELLED', 'CAPTURED']);
    await server.restart();
    await sleep(300);
    assert.equal((await server.booking(booking_id)).json.payment_state, 'CAPTURED');
  } finally {
    gateway.go_on();
  }
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.deepEqual(await given_back(booking_id), { sum: 5000, refunds: 1 });
});

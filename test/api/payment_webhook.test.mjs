/* The gateway's webhooks: who sent them is checked, what they say is asked for at the gateway, and a payment that comes
 * through late gets its seats again, or its money back. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Sandbox, Server, sleep, until } from './harness.mjs';

const PATH = '/api/v1/payments/webhook';
const secret = `whsec_${randomBytes(24).toString('hex')}`;
const coming = `whsec_${randomBytes(24).toString('hex')}`;

let gateway;
let server;
before(async () => {
  gateway = await Sandbox.start();
  const { payments, env } = gateway.for_server();
  server = await Server.start({ payments, env: { ...env, ONSALE_PAYMENTS_WEBHOOK_SECRET: `${secret} ${coming}` } });
  server.secrets.add(secret).add(coming);
  await gateway.kill();
  gateway.args = ['--webhook', `${server.fans}${PATH}`, '--webhook-secret', secret];
  await gateway.spawn();
});
after(async () => {
  await server.stop();
  await gateway.stop();
});

const now_s = () => Math.floor(Date.now() / 1000);
const mac = (time, body, by = secret) => createHmac('sha256', by).update(`${time}.`).update(body).digest('hex');
const signed = (body, time = now_s(), by = secret) => `t=${time},v1=${mac(time, body, by)}`;
const event = (members = {}) => JSON.stringify({ id: 'evt_test', object: 'event', type: 'customer.created', data: { object: { id: 'cus_1' } }, ...members });
const deliver = (body, header = signed(body), { to = server } = {}) => to.fan('POST', PATH, { body, headers: header === null ? {} : { 'Stripe-Signature': header } });

/* ---- who sent it ---- */

test('what the gateway signed is taken, whatever it is about', async () => {
  // red when: an event that is none of ours comes again for days
  for (const body of [
    event(),
    event({ type: 'payment_intent.succeeded', data: { object: { id: 'pi_of_another_shop', metadata: {} } } }),
    event({ type: 'payment_intent.succeeded', data: { object: { id: 'pi_x', metadata: { booking_id: `b${'a'.repeat(32)}` } } } }),
    event({ type: 'payment_intent.succeeded', data: { object: { id: 'pi_x', metadata: { booking_id: 'nonsense' } } } }),
    event({ type: 'payment_intent.succeeded', data: { object: { id: 'pi_x', metadata: { booking_id: 5 } } } }),
    ` ${event()}\n`,
    event({ more: { unknown: ['members', null, 1.5] } }),
  ]) {
    const { status, json } = await deliver(body);
    assert.deepEqual([status, json], [200, { received: true }], body);
  }
});

for (const [name, header] of [
  ['no signature', () => null],
  ['an empty one', () => ''],
  ['one by another secret', (body) => signed(body, now_s(), 'whsec_other')],
  ['one by a part of the secret', (body) => signed(body, now_s(), secret.slice(6))],
  ['one of another body', (body) => signed(`${body} `)],
  ['one of another time', (body) => `t=${now_s() - 1},v1=${mac(now_s(), body)}`],
  ['one that is too old', (body) => signed(body, now_s() - 400)],
  ['one from the future', (body) => signed(body, now_s() + 400)],
  ['another scheme alone', (body) => `t=${now_s()},v0=${mac(now_s(), body)}`],
  ['no time', (body) => `v1=${mac(now_s(), body)}`],
  ['two times', (body) => `t=${now_s()},t=${now_s() - 400},v1=${mac(now_s(), body)}`],
  ['a time that is none', (body) => `t=soon,v1=${mac('soon', body)}`],
  ['a time below zero', (body) => `t=-1,v1=${mac(-1, body)}`],
  ['a time of twenty digits', (body) => `t=99999999999999999999,v1=${mac('99999999999999999999', body)}`],
  ['a signature cut short', (body) => signed(body).slice(0, -2)],
  ['a signature with more behind it', (body) => `${signed(body)}00`],
  ['a signature that is no hex', () => `t=${now_s()},v1=${'z'.repeat(64)}`],
  ['an empty signature', () => `t=${now_s()},v1=`],
  ['a flood of commas', (body) => `${','.repeat(4000)}`],
]) {
  test(`refused: ${name}`, async () => {
    // red when: one part of the header is not looked at
    const body = event();
    const { status, json } = await deliver(body, header(body));
    assert.deepEqual([status, json.code], [400, 'bad_request']);
  });
}

test('one good signature among several is enough, as while a secret is changed', async () => {
  // red when: only the first v1 is looked at, or only one secret is known
  const body = event();
  const time = now_s();
  const bad = `v1=${'0'.repeat(64)}`;
  for (const header of [
    `t=${time},${bad},v1=${mac(time, body)}`,
    `t=${time},v1=${mac(time, body)},${bad}`,
    `t=${time},v0=${'1'.repeat(64)},v1=${mac(time, body)},v2=x`,
    `v1=${mac(time, body)},t=${time}`,
    `t=${time},v1=${mac(time, body, coming)}`,
    `t=${time},v1=${mac(time, body, 'whsec_gone')},v1=${mac(time, body, coming)}`,
    signed(body, time - 250),
    signed(body, time + 250),
  ]) assert.equal((await deliver(body, header)).status, 200, header);
});

test('the signature is of the bytes that came, and a body that cannot be read is refused after it', async () => {
  // red when: the body is parsed, and written anew, before it is checked
  for (const body of ['{"id":"evt_1","id":"evt_2"}', '{', '', '[]', '5', '{}', '{"id":"evt_1","type":"x"}']) {
    const { status, json } = await deliver(body);
    assert.equal(status >= 400 && status < 500, true, `${body}: ${status}`);
    assert.ok(['bad_json', 'bad_request', 'length_required', 'invalid_field'].includes(json.code), json.code);
  }
});

test('it is the gateway\'s way in on the fans\' listener, and a server without a secret has none', async () => {
  // red when: webhooks are taken unsigned where no secret is set
  const body = event();
  assert.equal((await server.admin('POST', PATH, { body, headers: { 'Stripe-Signature': signed(body) } })).status, 404);
  assert.equal((await server.fan('GET', PATH)).status, 405);
  const other = await Server.start(gateway.for_server());
  const unset = await deliver(body, signed(body, now_s(), ''), { to: other });
  assert.deepEqual([unset.status, unset.json.code], [404, 'not_found']);
  assert.equal((await deliver(body, null, { to: other })).status, 404);
  await other.stop();
});

/* ---- what it says is a hint ---- */

const intent_of = async (booking_id) => (await gateway.intents()).find(({ metadata }) => metadata.booking_id === booking_id);
const events_of = async (intent) => (await gateway.events()).filter(({ data }) => data.object.id === intent.id || data.object.payment_intent === intent.id);

async function paid(show, seats, user) {
  const { booking_id } = await server.book(show, seats, user);
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  return booking_id;
}

test('the same events again, in any order, change nothing', async () => {
  // red when: an event is believed instead of the gateway, or is applied twice
  const show = await server.show();
  const booking_id = await paid(show, ['A1', 'A2']);
  const intent = await intent_of(booking_id);
  const events = await events_of(intent);
  assert.ok(events.length >= 3);
  const before_it = (await server.booking(booking_id)).json;
  const shuffled = [...events, ...events, ...events].sort(() => Math.random() - 0.5);
  for (const one of shuffled) {
    const { status } = await deliver(JSON.stringify(one));
    assert.ok([200, 503].includes(status), String(status));
  }
  await Promise.all(shuffled.map((one) => deliver(JSON.stringify(one))));
  const now = (await server.booking(booking_id)).json;
  assert.deepEqual([now.status, now.payment_state, now.seat_ids, now.refunded], [before_it.status, before_it.payment_state, before_it.seat_ids, 0]);
  assert.equal((await events_of(intent)).length, events.length, 'the gateway was asked for nothing new');
  assert.equal((await server.seats(show)).A1, 'BOOKED');
});

test('what an event says of a payment is not believed', async () => {
  // red when: the event's object is taken for the gateway's word
  const show = await server.show();
  const booking_id = await paid(show, ['A1']);
  const declined = await server.hold(show, ['A2'], 'bob');
  await server.confirm(declined.reservation_id, 'tok_declined');
  const other = (await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`)).json.bookings.find(({ status }) => status === 'CANCELLED').booking_id;
  for (const [id, type, status] of [[booking_id, 'payment_intent.canceled', 'canceled'], [booking_id, 'payment_intent.payment_failed', 'requires_payment_method'], [other, 'payment_intent.succeeded', 'succeeded'], [other, 'payment_intent.amount_capturable_updated', 'requires_capture']]) {
    const intent = await intent_of(id);
    const { status: answered } = await deliver(event({ id: `evt_${type}`, type, data: { object: { ...intent, status, amount_received: 5000 } } }));
    assert.ok([200, 503].includes(answered));
  }
  await sleep(300);
  assert.equal((await server.booking(booking_id)).json.status, 'CONFIRMED');
  assert.equal((await server.booking(other)).json.status, 'CANCELLED');
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['BOOKED', 'AVAILABLE']);
});

test('a payment that the gateway is slow to answer goes on at its hint', async () => {
  // red when: an event for a booking under way is dropped, or begins a second driver
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const { status, json } = await server.confirm(reservation_id, 'tok_lost_reply');
  assert.ok([200, 202].includes(status));
  await server.settled(json.booking_id, 'CAPTURED', 'CONFIRMED');
  const captured = (await events_of(await intent_of(json.booking_id))).filter(({ type }) => type === 'payment_intent.succeeded');
  assert.equal(captured.length, 1);
});

/* ---- a payment that comes through late ---- */

/* A booking that was declined, its seats free again; and its intent, which the bank may still pay. */
async function declined(show, seats, user = 'ann') {
  const { reservation_id } = await server.hold(show, seats, user);
  const { status } = await server.confirm(reservation_id, 'tok_declined');
  assert.equal(status, 402);
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings?status=CANCELLED`);
  const { booking_id } = json.bookings.find(({ user_id }) => user_id === user);
  return { reservation_id, booking_id, intent: await intent_of(booking_id) };
}

/* The bank has thought better of it. */
async function bank_pays(intent) {
  const { status, json } = await gateway.call(`payment_intents/${intent.id}/confirm`, { payment_method: 'pm_card_visa' });
  assert.deepEqual([status, json.status], [200, 'requires_capture'], JSON.stringify(json));
}

/* All of it, before the server can hear of the first half. */
async function bank_takes(intent) {
  server.child.kill('SIGSTOP');
  try {
    await bank_pays(intent);
    const { json } = await gateway.call(`payment_intents/${intent.id}/capture`, {});
    assert.equal(json.status, 'succeeded');
  } finally {
    server.child.kill('SIGCONT');
  }
}

test('a payment that comes through after its seats went gets them again, if they are free', async () => {
  // red when: an event for a booking at its end is dropped
  const show = await server.show();
  const { booking_id, reservation_id, intent } = await declined(show, ['A1', 'A2']);
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  await bank_pays(intent);
  const booking = await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  assert.deepEqual([booking.seat_ids, booking.refunded], [['A1', 'A2'], 0]);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['BOOKED', 'BOOKED']);
  const again = await server.confirm(reservation_id);
  assert.deepEqual([again.status, again.json.booking_id], [200, booking_id]);
});

test('a payment that was even taken late gets its seats too', async () => {
  // red when: money that is there already is not a sale
  const show = await server.show();
  const { booking_id, intent } = await declined(show, ['A1', 'A2']);
  await bank_takes(intent);
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  assert.equal((await server.seats(show)).A2, 'BOOKED');
});

for (const [how, take_seats] of [
  ['held by another', (show) => server.hold(show, ['A2'], 'bob')],
  ['sold to another', (show) => paid(show, ['A2'], 'bob')],
  ['blocked', (show) => server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: { seat_ids: ['A2'] } })],
]) {
  test(`a payment that comes through when a seat of it is ${how} is voided`, async () => {
    // red when: a late payment takes what is somebody else's, or a part of its seats, or keeps the money authorized
    const show = await server.show();
    const { booking_id, intent } = await declined(show, ['A1', 'A2']);
    await take_seats(show);
    await bank_pays(intent);
    await until('it is voided', async () => (await intent_of(booking_id)).status === 'canceled');
    const booking = await server.settled(booking_id, 'VOIDED', 'CANCELLED');
    assert.equal(booking.refunded, 0);
    assert.equal((await intent_of(booking_id)).amount_received, 0);
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  });

  test(`a payment that was taken when a seat of it is ${how} is refunded in full`, async () => {
    // red when: money that was taken for nothing stays taken
    const show = await server.show();
    const { booking_id, intent } = await declined(show, ['A1', 'A2']);
    await take_seats(show);
    await bank_takes(intent);
    const booking = await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
    assert.deepEqual([booking.refunded, booking.amount], [10000, 10000]);
    const refunds = (await gateway.list('refunds')).filter(({ payment_intent }) => payment_intent === intent.id);
    assert.deepEqual(refunds.map(({ amount }) => amount), [10000]);
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  });
}

test('a fan who paid with another card does not pay again when the first one comes through', async () => {
  // red when: the late payment of an earlier attempt is kept beside the booking that there is
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id, booking_id, intent } = await declined(show, ['A1']);
  const second = await server.confirm(reservation_id, 'tok_visa');
  assert.equal(second.status, 200);
  await server.settled(second.json.booking_id, 'CAPTURED', 'CONFIRMED');
  await bank_takes(intent);
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.equal((await server.booking(second.json.booking_id)).json.status, 'CONFIRMED');
  assert.equal((await server.seats(show)).A1, 'BOOKED');
});

test('a card that comes through while the fan may still try another ends as one booking, or as none', async () => {
  // red when: the hold that is kept for another card, and the payment that comes late, both get the seats
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id, booking_id, intent } = await declined(show, ['A1']);
  assert.equal((await server.seats(show)).A1, 'HELD');
  await bank_pays(intent);
  await until('the gateway\'s payment has an end', async () => ['canceled', 'succeeded'].includes((await intent_of(booking_id)).status));
  const later = await server.confirm(reservation_id, 'tok_visa');
  assert.ok([200, 404, 409, 410].includes(later.status), later.body.toString());
  await sleep(300);
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings?status=CONFIRMED`);
  const taken = (await gateway.intents()).filter(({ metadata, status }) => status === 'succeeded' && [booking_id, later.json.booking_id].includes(metadata.booking_id));
  assert.ok(json.bookings.length <= 1);
  assert.equal(taken.length, json.bookings.length, 'money for what is sold, and no other');
  assert.equal((await server.seats(show)).A1, json.bookings.length ? 'BOOKED' : 'AVAILABLE');
});

test('forty late payments at once, told three times each, are each sold once or given back', async () => {
  // red when: two hints of one booking drive it side by side
  const show = await server.show({ rows: 5, seats_per_row: 20 });
  const late = [];
  for (let i = 0; i < 40; i++) late.push(await declined(show, { best_available: { quantity: 2 } }, `fan-${i}`));
  const bookings = await Promise.all(late.map(async ({ intent, booking_id }) => {
    await bank_pays(intent);
    for (const one of await events_of(intent)) await deliver(JSON.stringify(one));
    return until('it has an end', async () => {
      const { json } = await server.booking(booking_id);
      return ['CAPTURED', 'VOIDED'].includes(json.payment_state) && json;
    });
  }));
  const sold = bookings.filter(({ status }) => status === 'CONFIRMED').flatMap(({ seat_ids }) => seat_ids);
  assert.equal(new Set(sold).size, sold.length, 'no seat twice');
  assert.deepEqual(Object.entries(await server.seats(show)).filter(([, status]) => status !== 'AVAILABLE').map(([seat]) => seat).sort(), [...sold].sort());
});

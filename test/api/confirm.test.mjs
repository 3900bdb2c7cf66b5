/* Paying: what each card does, what a confirm answers and when, what is repeated, refunds, the operator's list. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, until } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const refund = (booking_id, body = { reason: 'fell ill' }, headers = {}) => server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body, headers });

test('the spec\'s own call is answered as the spec has it', async () => {
  // red when: a member of the spec's request or response is renamed
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1', 'A2']);
  const { status, json } = await server.fan('POST', '/api/v1/bookings/confirm', { body: { reservation_id, payment_token: 'tok_xyz' } });
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(json).sort(), ['booking_id', 'status']);
  assert.equal(json.status, 'CONFIRMED');
  assert.match(json.booking_id, /^b[0-9a-f]{32}$/);
});

test('a booking tells its seats, its money and its times, and the money is taken in the end', async () => {
  // red when: the capture is not made after the sale
  const show = await server.show();
  const { booking_id } = await server.book(show, ['A1', 'A2'], 'ann');
  const booking = await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  assert.deepEqual(booking.seat_ids, ['A1', 'A2']);
  assert.deepEqual([booking.amount, booking.refunded, booking.currency, booking.show_id], [10000, 0, 'EUR', show]);
  assert.ok(Date.parse(booking.created_at) <= Date.parse(booking.confirmed_at));
  assert.equal((await server.seats(show)).A1, 'BOOKED');
});

test('confirming again, with or without the card, gives the same booking', async () => {
  // red when: a second confirm makes a second booking
  const show = await server.show();
  const { reservation_id, booking_id } = await server.book(show, ['A1']);
  for (const token of ['tok_visa', 'tok_other', null]) {
    const again = await server.confirm(reservation_id, token);
    assert.deepEqual([again.status, again.json.booking_id], [200, booking_id], String(token));
  }
});

test('confirming again what was given back meanwhile is 410', async () => {
  // red when: a hold that was sold is answered CONFIRMED without asking the ledger
  const show = await server.show();
  const { reservation_id, booking_id } = await server.book(show, ['A1']);
  await server.settled(booking_id, 'CAPTURED');
  assert.equal((await refund(booking_id)).status, 200);
  await server.settled(booking_id, 'REFUNDED');
  const again = await server.confirm(reservation_id);
  assert.deepEqual([again.status, again.json.code], [410, 'reservation_expired']);
});

test('sixty-four confirms of one reservation at once make one booking and one payment', async () => {
  // red when: hold_begin_payment() lets two in
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const answers = await Promise.all([...Array(64)].map(() => server.confirm(reservation_id, 'tok_slow_200')));
  const ids = new Set(answers.filter((answer) => answer.status === 200).map((answer) => answer.json.booking_id));
  assert.equal(ids.size, 1);
  for (const answer of answers) assert.ok(answer.status === 200 || answer.json.code === 'payment_in_progress', answer.body.toString());
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`);
  assert.equal(json.bookings.length, 1);
});

for (const token of ['tok_declined', 'tok_insufficient_funds', 'tok_expired_card', 'pm_card_chargeDeclined']) {
  test(`${token} is declined, and the seats are free again`, async () => {
    // red when: a declined payment keeps its hold
    const show = await server.show();
    const { reservation_id } = await server.hold(show, ['A1', 'A2']);
    const { status, json } = await server.confirm(reservation_id, token);
    assert.deepEqual([status, json.code, json.attempts_left], [402, 'payment_declined', 0]);
    assert.ok(json.decline_code);
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
    assert.ok([404, 410].includes((await server.confirm(reservation_id, 'tok_visa')).status));
    assert.equal((await server.reserve(show, ['A1', 'A2'], 'bob')).status, 201);
  });
}

test('where more attempts are allowed a declined card keeps the hold for the next one', async () => {
  // red when: payment_attempts is not counted
  const show = await server.show({ payment_attempts: 3 });
  const { reservation_id } = await server.hold(show, ['A1']);
  for (const left of [2, 1]) {
    const { status, json } = await server.confirm(reservation_id, 'tok_declined');
    assert.deepEqual([status, json.attempts_left], [402, left]);
    assert.equal((await server.seats(show)).A1, 'HELD');
  }
  assert.equal((await server.confirm(reservation_id, 'tok_visa')).status, 200);
  const other = await server.hold(show, ['A2'], 'bob');
  for (const left of [2, 1, 0]) assert.equal((await server.confirm(other.reservation_id, 'tok_declined')).json.attempts_left, left);
  assert.equal((await server.seats(show)).A2, 'AVAILABLE');
});

for (const token of ['tok_slow_300', 'tok_error_once', 'tok_lost_reply', 'tok_capture_fails_2', 'pm_card_visa']) {
  test(`${token} ends in a confirmed and captured booking`, async () => {
    // red when: an unknown outcome is taken for an end
    const show = await server.show();
    const { reservation_id } = await server.hold(show, ['A1']);
    const { status, json } = await server.confirm(reservation_id, token);
    assert.ok([200, 202].includes(status), String(status));
    await server.settled(json.booking_id, 'CAPTURED', 'CONFIRMED');
    assert.equal((await server.seats(show)).A1, 'BOOKED');
  });
}

test('a gateway that takes seven seconds is answered PENDING, then CONFIRMED', async () => {
  // red when: confirm waits for the gateway without an end, or gives up on it
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const pending = await server.confirm(reservation_id, 'tok_slow_7000');
  assert.deepEqual([pending.status, pending.json.status], [202, 'PENDING']);
  assert.equal((await server.booking(pending.json.booking_id)).json.status, 'PENDING');
  assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).json.code, 'payment_in_progress');
  assert.equal((await server.confirm(reservation_id, 'tok_other')).json.code, 'payment_in_progress');
  assert.equal((await server.seats(show)).A1, 'HELD');
  await server.settled(pending.json.booking_id, 'CAPTURED', 'CONFIRMED');
  assert.deepEqual((await server.confirm(reservation_id, 'tok_slow_7000')).json, { booking_id: pending.json.booking_id, status: 'CONFIRMED' });
});

test('a gateway that never answers is asked what became of it', async () => {
  // red when: a time-out is taken for a decline, or the seat goes free while the payment is open
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const pending = await server.confirm(reservation_id, 'tok_hang');
  assert.equal(pending.status, 202);
  const booking = await until('the booking has an end', async () => {
    const { json } = await server.booking(pending.json.booking_id);
    return json.status !== 'PENDING' && json;
  }, 90_000);
  if (booking.status === 'CONFIRMED') {
    assert.equal((await server.seats(show)).A1, 'BOOKED');
  } else {
    // It was not the fan's fault: the seat is still theirs, and another card is taken.
    assert.equal((await server.seats(show)).A1, 'HELD');
    assert.equal((await server.confirm(reservation_id, 'tok_visa')).status, 200);
  }
});

test('a payment begun in time ends well even if the hold\'s time ends meanwhile', async () => {
  // red when: a seat with an open payment is released by a clock
  const show = await server.show({ hold_seconds: 1, grace_seconds: 0 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const { status, json } = await server.confirm(reservation_id, 'tok_slow_2500');
  assert.equal(status, 200);
  assert.equal((await server.booking(json.booking_id)).json.status, 'CONFIRMED');
});

test('free tickets need no card and no gateway', async () => {
  // red when: a booking of 0 asks the gateway
  const show = await server.show({ amount: 0 });
  const { reservation_id, amount } = await server.hold(show, ['A1']);
  assert.equal(amount, 0);
  const { status, json } = await server.confirm(reservation_id, null);
  assert.equal(status, 200);
  const booking = (await server.booking(json.booking_id)).json;
  assert.deepEqual([booking.status, booking.payment_state], ['CONFIRMED', 'NONE']);
});

test('a card is needed where money is asked for', async () => {
  // red when: a missing payment_token is sent to the gateway
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const { status, json } = await server.confirm(reservation_id, null);
  assert.deepEqual([status, json.code, json.pointer], [422, 'invalid_field', '/payment_token']);
  assert.equal((await server.confirm(reservation_id, 'tok_visa')).status, 200);
});

for (const [name, body, status, code, pointer] of [
  ['no reservation_id', { payment_token: 't' }, 422, 'invalid_field', '/reservation_id'],
  ['a reservation_id that is a number', { reservation_id: 5, payment_token: 't' }, 422, 'invalid_field', '/reservation_id'],
  ['a reservation_id of another form', { reservation_id: 'r987', payment_token: 't' }, 404, 'reservation_not_found'],
  ['a reservation that never was', { reservation_id: `r${'a'.repeat(32)}`, payment_token: 't' }, 404, 'reservation_not_found'],
  ['a token of 256 bytes', { reservation_id: null, payment_token: 'x'.repeat(256) }, 422, 'invalid_field', '/payment_token'],
  ['an empty token', { reservation_id: null, payment_token: '' }, 422, 'invalid_field', '/payment_token'],
  ['a token that is a number', { reservation_id: null, payment_token: 5 }, 422, 'invalid_field', '/payment_token'],
  ['a token with a space', { reservation_id: null, payment_token: 'tok visa' }, 422, 'invalid_field', '/payment_token'],
  ['a token with a line end', { reservation_id: null, payment_token: 'tok\r\nX: 1' }, 422, 'invalid_field', '/payment_token'],
]) {
  test(`refused: ${name}`, async () => {
    // red when: the member is not checked
    const show = await server.show();
    const { reservation_id } = await server.hold(show, ['A1']);
    const sent = { ...body };
    if (sent.reservation_id === null) sent.reservation_id = reservation_id;
    const { status: got, json } = await server.fan('POST', '/api/v1/bookings/confirm', { body: sent });
    assert.deepEqual([got, json.code], [status, code]);
    if (pointer) assert.equal(json.pointer, pointer);
    assert.equal((await server.seats(show)).A1, 'HELD');
  });
}

test('a booking that never was is 404', async () => {
  // red when: an id is parsed loosely
  for (const id of [`b${'a'.repeat(32)}`, 'b456', `r${'a'.repeat(32)}`, `B${'A'.repeat(32)}`]) {
    const { status, json } = await server.booking(id);
    assert.deepEqual([status, json.code], [404, 'booking_not_found']);
  }
});

test('a refund frees the seats, gives the money back, and needs a reason', async () => {
  // red when: the seats are freed without the refund, or the other way round
  const show = await server.show();
  const { booking_id } = await server.book(show, ['A1', 'A2']);
  await server.settled(booking_id, 'CAPTURED');
  for (const body of [{}, { reason: '' }, { reason: 5 }, { reason: 'x'.repeat(64) }])
    assert.deepEqual([(await refund(booking_id, body)).json.pointer], ['/reason']);
  const { status, json } = await refund(booking_id);
  assert.ok([200, 202].includes(status));
  assert.equal(json.status, 'CANCELLED');
  const booking = await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.equal(booking.refunded, 10000);
  assert.equal((await server.reserve(show, ['A1', 'A2'], 'bob')).status, 201);
  const again = await refund(booking_id);
  assert.deepEqual([again.status, again.json.code], [409, 'booking_not_refundable']);
});

test('a part of a booking can be given back', async () => {
  // red when: a partial refund frees all, or gives all the money back
  const show = await server.show();
  const { booking_id } = await server.book(show, ['A1', 'A2', 'A3']);
  await server.settled(booking_id, 'CAPTURED');
  const unknown = await refund(booking_id, { reason: 'one less', seat_ids: ['A9'] });
  assert.deepEqual([unknown.status, unknown.json.code], [422, 'unknown_seat']);
  const twice = await refund(booking_id, { reason: 'one less', seat_ids: ['A1', 'A1'] });
  assert.deepEqual([twice.status, twice.json.code], [422, 'duplicate_seat']);
  assert.ok([200, 202].includes((await refund(booking_id, { reason: 'one less', seat_ids: ['A2'] })).status));
  const booking = await until('the part is given back', async () => {
    const { json } = await server.booking(booking_id);
    return json.refunded === 5000 && json;
  });
  assert.equal(booking.status, 'CONFIRMED');
  assert.deepEqual(booking.seat_ids, ['A1', 'A3']);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2, seats.A3], ['BOOKED', 'AVAILABLE', 'BOOKED']);
});

test('a free booking is given back without a gateway', async () => {
  // red when: a refund of nothing waits for money
  const show = await server.show({ amount: 0 });
  const { booking_id } = await server.book(show, ['A1'], 'ann', null);
  assert.equal((await refund(booking_id)).status, 200);
  assert.equal((await server.booking(booking_id)).json.status, 'CANCELLED');
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
});

test('a refund of nothing, or of a booking that never was, is refused', async () => {
  // red when: refund does not read the booking first
  const never = await refund(`b${'a'.repeat(32)}`);
  assert.deepEqual([never.status, never.json.code], [404, 'booking_not_found']);
  const show = await server.show({ payment_attempts: 1 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const pending = await server.confirm(reservation_id, 'tok_slow_6000');
  const early = await refund(pending.json.booking_id);
  assert.deepEqual([early.status, early.json.code], [409, 'payment_in_progress']);
  await server.settled(pending.json.booking_id, 'CAPTURED');
});

test('the operator\'s list comes in pages, newest first, by status too', async () => {
  // red when: a page repeats or skips a booking
  const show = await server.show({ amount: 0 });
  const made = [];
  for (let i = 1; i <= 7; i++) made.push((await server.book(show, [`A${i}`], `fan-${i}`, null)).booking_id);
  const path = `/api/v1/admin/shows/${show}/bookings`;
  const seen = [];
  for (let after_id = ''; after_id !== null;) {
    const { status, json } = await server.admin('GET', `${path}?limit=3${after_id && `&after=${after_id}`}`);
    assert.equal(status, 200);
    assert.ok(json.bookings.length <= 3);
    seen.push(...json.bookings);
    after_id = json.next;
  }
  assert.deepEqual(seen.map((booking) => booking.booking_id).sort(), made.sort());
  const times = seen.map((booking) => Date.parse(booking.created_at));
  assert.deepEqual(times, [...times].sort((a, b) => b - a));
  await refund(made[0]);
  assert.equal((await server.admin('GET', `${path}?status=CONFIRMED`)).json.bookings.length, 6);
  assert.equal((await server.admin('GET', `${path}?status=CANCELLED`)).json.bookings.length, 1);
  for (const [query, pointer] of [['status=SOLD', '/status'], ['limit=0', '/limit'], ['limit=1001', '/limit'], ['limit=x', '/limit'], ['after=b1', '/after'], ['format=xml', '/format']])
    assert.equal((await server.admin('GET', `${path}?${query}`)).json.pointer, pointer);
});

test('the CSV export has a header, a line a booking, and no formula', async () => {
  // red when: a user_id that begins with = reaches a spreadsheet as it is
  const show = await server.show({ amount: 0 });
  await server.book(show, ['A1', 'A2'], '=HYPERLINK("x")', null);
  await server.book(show, ['A3'], 'quoted "name", with comma', null);
  for (const options of [{ path: '?format=csv', headers: {} }, { path: '', headers: { Accept: 'text/csv' } }]) {
    const { status, headers, body } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings${options.path}`, { headers: options.headers });
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^text\/csv/);
    const lines = body.toString().split('\r\n');
    assert.equal(lines.length, 4);
    assert.match(lines[0], /^booking_id,user_id,status,payment_state,seat_ids,amount,/);
    assert.ok(lines.some((line) => line.includes(`"'=HYPERLINK(""x"")"`)), body.toString());
    assert.ok(lines.some((line) => line.includes('"quoted ""name"", with comma"')));
    assert.ok(lines.some((line) => line.includes('"A1 A2"')));
  }
});

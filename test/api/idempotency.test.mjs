/* Idempotency-Key: the first answer again, byte for byte, also after kill -9; never another's, never twice the deed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, sleep } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

let count = 0;
const fresh_key = () => `key-${Date.now()}-${++count}-${'x'.repeat(12)}`;
const keyed = (key) => ({ 'Idempotency-Key': key });

function same_answer(first, again) {
  assert.equal(again.status, first.status);
  assert.ok(again.body.equals(first.body), `${again.body} is not ${first.body}`);
  assert.equal(again.headers.get('content-type'), first.headers.get('content-type'));
  assert.equal(first.headers.get('idempotency-replayed'), null);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
}

test('a reserve repeated with its key gives the same reservation and takes nothing more', async () => {
  // red when: the key is not looked up
  const show = await server.show();
  const key = fresh_key();
  const first = await server.reserve(show, { best_available: { quantity: 2 } }, 'ann', keyed(key));
  assert.equal(first.status, 201);
  for (let i = 0; i < 3; i++) same_answer(first, await server.reserve(show, { best_available: { quantity: 2 } }, 'ann', keyed(key)));
  assert.equal(Object.values(await server.seats(show)).filter((status) => status === 'HELD').length, 2);
});

test('without a key the same body is another request', async () => {
  // red when: bodies are compared although there is no key
  const show = await server.show();
  const first = await server.reserve(show, { best_available: { quantity: 2 } });
  const second = await server.reserve(show, { best_available: { quantity: 2 } });
  assert.notEqual(first.json.reservation_id, second.json.reservation_id);
});

test('a refusal is kept too', async () => {
  // red when: only answers under 300 are kept
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1'], 'bob');
  const key = fresh_key();
  const first = await server.reserve(show, ['A1'], 'ann', keyed(key));
  assert.equal(first.status, 409);
  await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`);
  same_answer(first, await server.reserve(show, ['A1'], 'ann', keyed(key)));
});

test('the same key with another body is refused, and does nothing', async () => {
  // red when: the body's hash is not compared
  const show = await server.show();
  const key = fresh_key();
  assert.equal((await server.reserve(show, ['A1'], 'ann', keyed(key))).status, 201);
  const other = await server.reserve(show, ['A2'], 'ann', keyed(key));
  assert.deepEqual([other.status, other.json.code], [422, 'idempotency_key_reused']);
  assert.equal((await server.seats(show)).A2, 'AVAILABLE');
});

test('another user\'s key is never seen', async () => {
  // red when: the user is left out of the stored key
  const show = await server.show();
  const key = fresh_key();
  const ann = await server.reserve(show, ['A1'], 'ann', keyed(key));
  const bob = await server.reserve(show, ['A2'], 'bob', keyed(key));
  assert.deepEqual([ann.status, bob.status], [201, 201]);
  assert.notEqual(ann.json.reservation_id, bob.json.reservation_id);
});

test('a key is its route\'s and its show\'s own', async () => {
  // red when: the route or the show is left out of the stored key
  const [one, two] = [await server.show(), await server.show()];
  const key = fresh_key();
  const first = await server.reserve(one, ['A1'], 'ann', keyed(key));
  const second = await server.reserve(two, ['A1'], 'ann', keyed(key));
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.equal((await server.confirm(first.json.reservation_id, 'tok_visa', keyed(key))).status, 200);
});

test('a confirm repeated with its key gives the same answer, declined or not', async () => {
  // red when: confirm's answer is not kept in one step with the sale
  const show = await server.show();
  for (const token of ['tok_visa', 'tok_declined']) {
    const { reservation_id } = await server.hold(show, { best_available: { quantity: 1 } });
    const key = fresh_key();
    const first = await server.confirm(reservation_id, token, keyed(key));
    assert.equal(first.status, token === 'tok_visa' ? 200 : 402);
    same_answer(first, await server.confirm(reservation_id, token, keyed(key)));
    const other = await server.confirm(reservation_id, 'tok_other', keyed(key));
    assert.deepEqual([other.status, other.json.code], [422, 'idempotency_key_reused']);
  }
});

test('a PENDING answer is not kept: the key tells the end later', async () => {
  // red when: 202 is taken for a final answer
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const key = fresh_key();
  const pending = await server.confirm(reservation_id, 'tok_slow_6000', keyed(key));
  assert.equal(pending.status, 202);
  await server.settled(pending.json.booking_id, 'CAPTURED');
  const later = await server.confirm(reservation_id, 'tok_slow_6000', keyed(key));
  assert.deepEqual([later.status, later.json], [200, { booking_id: pending.json.booking_id, status: 'CONFIRMED' }]);
});

test('a key whose first call still runs is told so', async () => {
  // red when: two calls with one key run side by side
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const key = fresh_key();
  const running = server.confirm(reservation_id, 'tok_slow_1500', keyed(key));
  await sleep(300);
  const second = await server.confirm(reservation_id, 'tok_slow_1500', keyed(key));
  assert.deepEqual([second.status, second.json.code], [409, 'idempotency_in_progress']);
  const first = await running;
  assert.equal(first.status, 200);
  same_answer(first, await server.confirm(reservation_id, 'tok_slow_1500', keyed(key)));
});

test('fifty calls with one key at once do the deed once', async () => {
  // red when: the key is looked up before it is put under way
  const show = await server.show();
  const key = fresh_key();
  const answers = await Promise.all([...Array(50)].map(() => server.reserve(show, { best_available: { quantity: 2 } }, 'ann', keyed(key))));
  const ids = new Set(answers.filter((answer) => answer.status === 201).map((answer) => answer.json.reservation_id));
  assert.equal(ids.size, 1);
  for (const answer of answers) assert.ok(answer.status === 201 || answer.json.code === 'idempotency_in_progress');
  assert.equal(Object.values(await server.seats(show)).filter((status) => status === 'HELD').length, 2);
});

test('the operator\'s calls can be repeated: one show, one block, one refund', async () => {
  // red when: POST routes of the operator go around the keys
  const key = fresh_key();
  const body = { event_name: 'Once', plan: { sections: [{ name: '', rows: 1, seats_per_row: 4, category: 'S' }], prices: { S: { amount: 100, currency: 'EUR' } } } };
  const first = await server.admin('POST', '/api/v1/admin/shows', { body, headers: keyed(key) });
  assert.equal(first.status, 201);
  same_answer(first, await server.admin('POST', '/api/v1/admin/shows', { body, headers: keyed(key) }));
  const list = await server.admin('GET', '/api/v1/admin/shows');
  assert.equal(list.json.filter((show) => show.event_name === 'Once').length, 1);

  const show = first.json.show_id;
  const block = { seat_ids: ['A4'] };
  const blocked = await server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: block, headers: keyed(key) });
  assert.equal(blocked.status, 200);
  same_answer(blocked, await server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: block, headers: keyed(key) }));

  const { booking_id } = await server.book(show, ['A1']);
  await server.settled(booking_id, 'CAPTURED');
  const options = { body: { reason: 'ill' }, headers: keyed(key) };
  const given_back = await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, options);
  assert.equal(given_back.status, 200);
  same_answer(given_back, await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, options));
});

for (const [name, key] of [['empty', ''], ['of 256 bytes', 'x'.repeat(256)]]) {
  test(`a key that is ${name} is refused`, async () => {
    // red when: the key's length is not checked
    const show = await server.show();
    const { status, json } = await server.reserve(show, ['A1'], 'ann', keyed(key));
    assert.ok([400, 422].includes(status), String(status));
    assert.ok(['bad_request', 'invalid_field'].includes(json.code));
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  });
}

test('a key of 255 bytes is taken', async () => {
  // red when: the limit is off by one
  const show = await server.show();
  const key = 'y'.repeat(255);
  const first = await server.reserve(show, ['A1'], 'ann', keyed(key));
  assert.equal(first.status, 201);
  same_answer(first, await server.reserve(show, ['A1'], 'ann', keyed(key)));
});

test('kept answers outlive kill -9', async () => {
  // red when: a reserve's answer is not in the journal, or a confirm's not in the selling transaction
  const show = await server.show();
  const keys = [fresh_key(), fresh_key(), fresh_key(), fresh_key()];
  const reserved = await server.reserve(show, ['A1', 'A2'], 'ann', keyed(keys[0]));
  const { reservation_id } = await server.hold(show, ['A3'], 'bob');
  const confirmed = await server.confirm(reservation_id, 'tok_visa', keyed(keys[1]));
  const other = await server.hold(show, ['A4'], 'cy');
  const declined = await server.confirm(other.reservation_id, 'tok_declined', keyed(keys[2]));
  const refused = await server.reserve(show, ['A1'], 'dan', keyed(keys[3]));
  assert.deepEqual([reserved.status, confirmed.status, declined.status, refused.status], [201, 200, 402, 409]);
  await sleep(600);
  await server.restart();
  same_answer(reserved, await server.reserve(show, ['A1', 'A2'], 'ann', keyed(keys[0])));
  same_answer(confirmed, await server.confirm(reservation_id, 'tok_visa', keyed(keys[1])));
  same_answer(declined, await server.confirm(other.reservation_id, 'tok_declined', keyed(keys[2])));
  same_answer(refused, await server.reserve(show, ['A1'], 'dan', keyed(keys[3])));
  const reused = await server.reserve(show, ['A9'], 'ann', keyed(keys[0]));
  assert.deepEqual([reused.status, reused.json.code], [422, 'idempotency_key_reused']);
});

test('an operator\'s act is kept in one step with what it did', async () => {
  // red when: the answer is kept after the act, by a command of its own: a crash in between makes the act again
  const post = (path, body, key) => server.admin('POST', `/api/v1/admin/${path}`, { body, headers: keyed(key) });
  const plan = { sections: [{ name: '', rows: 1, seats_per_row: 4, category: 'Standard' }], prices: { Standard: { amount: 100, currency: 'EUR' } } };
  const body = { event_name: 'Once', plan };
  const made_key = fresh_key();
  const made = await post('shows', body, made_key);
  assert.equal(made.status, 201);
  const show = made.json.show_id;
  const { booking_id } = await server.book(show, ['A1', 'A2']);
  await server.settled(booking_id, 'CAPTURED');
  const acts = [
    [`shows/${show}/pause`, {}, fresh_key()],
    [`shows/${show}/seats/block`, { seat_ids: ['A4'] }, fresh_key()],
    [`bookings/${booking_id}/refund`, { reason: 'ill' }, fresh_key()],
  ];
  const first = [];
  for (const act of acts) first.push(await post(...act));
  await server.restart();
  for (const [i, act] of acts.entries()) {
    assert.equal(first[i].status, 200);
    same_answer(first[i], await post(...act));
  }
  same_answer(made, await post('shows', body, made_key));
});

test('who is told that a payment is in progress may ask again with the same key, and is told how it ended', async () => {
  // red when: 409 payment_in_progress is kept as if it were the end
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const paying = server.confirm(reservation_id, 'tok_slow_1000');
  await sleep(200);
  const key = keyed(fresh_key());
  const early = await server.confirm(reservation_id, 'tok_other_card', key);
  assert.deepEqual([early.status, early.json.code], [409, 'payment_in_progress']);
  const { json } = await paying;
  const later = await server.confirm(reservation_id, 'tok_other_card', key);
  assert.deepEqual([later.status, later.json.booking_id, later.headers.get('idempotency-replayed')], [200, json.booking_id, null]);
});

test('what stands beside the user does not decide whose a key is', async () => {
  // red when: the scope is whichever of reservation_id, user_id and queue_ticket a body has, whatever the route is about
  const show = await server.show();
  const key = keyed(fresh_key());
  const ann = await server.reserve(show, { seat_ids: ['A1'], reservation_id: 'bob' }, 'ann', key);
  const bob = await server.reserve(show, ['A2'], 'bob', key);
  const cy = await server.reserve(show, { seat_ids: ['A3'], reservation_id: 'bob' }, 'cy', key);
  assert.deepEqual([ann.status, bob.status, cy.status], [201, 201, 201]);
  same_answer(bob, await server.reserve(show, ['A2'], 'bob', key));
});

test('a hundred who ask again at once, after the answer, are all given it', async () => {
  // red when: one who repeats is told that the first call still runs, since another repeats too
  const show = await server.show();
  const key = keyed(fresh_key());
  const first = await server.reserve(show, ['A1', 'A2'], 'ann', key);
  assert.equal(first.status, 201);
  const again = await Promise.all([...Array(100)].map(() => server.reserve(show, ['A1', 'A2'], 'ann', key)));
  for (const answer of again) same_answer(first, answer);
});

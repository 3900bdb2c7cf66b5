/* What needs a human: a payment in REVIEW is listed, stands out, stays through a restart, and goes on when an operator says
 * why; and the audit, which tells who did what, when and why. The gateway is played here, since the sandbox contradicts
 * itself never. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, exchange, until } from './harness.mjs';

const intents = new Map(); // id → {status, amount, refunded, metadata}
let contradicts = false; // it says of what it took that it did not
const refunds = [];

function play(method, path, form) {
  const [, , kind, id, action] = path.split(/[/?]/);
  if (kind === 'refunds') {
    const intent = intents.get(form.get('payment_intent'));
    const amount = Number(form.get('amount') ?? intent.amount - intent.refunded);
    intent.refunded += amount;
    refunds.push({ intent: form.get('payment_intent'), amount });
    return { id: `re_${refunds.length}`, object: 'refund', status: 'succeeded', amount };
  }
  if (method === 'POST' && !id) intents.set(`pi_${intents.size + 1}`, { status: 'requires_payment_method', amount: Number(form.get('amount')), refunded: 0 });
  const name = id ?? `pi_${intents.size}`;
  const intent = intents.get(name);
  if (action === 'confirm') intent.status = 'requires_capture';
  if (action === 'capture') intent.status = 'succeeded';
  if (action === 'cancel') intent.status = 'canceled';
  const status = contradicts && intent.status === 'succeeded' ? 'requires_capture' : intent.status;
  return { id: name, object: 'payment_intent', status, amount: intent.amount, amount_received: status === 'succeeded' ? intent.amount : 0, latest_charge: { id: `ch_${name}`, amount_refunded: intent.refunded } };
}

const gateway = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(play(request.method, request.url, new URLSearchParams(body))));
});

let server;
before(async () => {
  await new Promise((done) => gateway.listen(0, '127.0.0.1', done));
  server = await Server.start({ payments: `http://127.0.0.1:${gateway.address().port}`, env: { ONSALE_PAYMENTS_KEY: 'sk_test_played' } });
});
after(async () => {
  await server.stop();
  gateway.closeAllConnections();
  gateway.close();
});

const list = async (query) => (await server.admin('GET', `/api/v1/admin/bookings${query}`)).json;
const resume = (booking_id, body = { reason: 'looked at it' }, headers = {}) => server.admin('POST', `/api/v1/admin/bookings/${booking_id}/resume`, { body, headers });
const refund = (booking_id, reason) => server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason } });
const audit = async (query = '') => (await server.admin('GET', `/api/v1/admin/audit${query}`)).json;
const metric = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await exchange(server.operator, 'GET', '/metrics')).body.toString())[1]);

/* A call that was under way when it went into review could still be: for some minutes nothing else is sent. They pass. */
function grow_older() {
  const older = new Date(Date.now() - 20 * 60_000).toISOString();
  const { status, stderr } = spawnSync('sqlite3', [join(server.data, 'ledger.sqlite'), `UPDATE bookings SET updated_at = '${older}' WHERE payment_state = 'REVIEW'`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/* A refund of what the gateway says was never taken. */
async function in_review(show, seats, user = 'ann') {
  const { booking_id } = await server.book(show, seats, user);
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  contradicts = true;
  assert.equal((await refund(booking_id, 'fell ill')).status, 200);
  await server.settled(booking_id, 'REVIEW');
  return booking_id;
}

test('what no rule covers is in review: listed across shows, counted, and nothing else is', async () => {
  // red when: a contradiction is taken for an end, or the list is a show's own
  const [one, two] = [await server.show(), await server.show()];
  const { booking_id: healthy } = await server.book(one, ['A5'], 'eve');
  const ill = [await in_review(one, ['A1']), ];
  contradicts = false;
  ill.push(await in_review(two, ['A1']));
  const { bookings, next } = await list('?payment_state=REVIEW');
  assert.deepEqual(bookings.map(({ booking_id }) => booking_id), ill.reverse());
  assert.equal(next, null);
  for (const { payment_state, reason, payment_intent } of bookings) assert.ok(payment_state === 'REVIEW' && reason && payment_intent);
  assert.equal(await metric('onsale_sagas_review'), 2);
  assert.ok((await list('')).bookings.some(({ booking_id }) => booking_id === healthy));
  assert.deepEqual((await list(`?payment_state=CAPTURED&status=CONFIRMED`)).bookings.map(({ booking_id }) => booking_id), [healthy]);
  assert.equal((await list('?limit=1')).bookings.length, 1);
  assert.ok(server.stderr.includes('a payment needs a human'), 'an alarm in the log');
});

test('a list is refused that asks for what is none', async () => {
  // red when: a filter that is misspelt lists everything
  for (const [query, pointer] of [['?payment_state=review', '/payment_state'], ['?payment_state=', '/payment_state'], ['?status=DONE', '/status'], ['?limit=0', '/limit'], ['?after=b1', '/after']]) {
    const { status, json } = await server.admin('GET', `/api/v1/admin/bookings${query}`);
    assert.deepEqual([status, json.pointer], [422, pointer], query);
  }
});

test('it goes on only with a reason, only from review, and only by the operator', async () => {
  // red when: a human's act can be done without saying why, or by anybody
  const [{ booking_id }] = (await list('?payment_state=REVIEW')).bookings;
  const healthy = (await list('?payment_state=CAPTURED')).bookings[0].booking_id;
  for (const body of [{}, { reason: '' }, { reason: 5 }, { reason: 'x'.repeat(64) }]) assert.deepEqual([(await resume(booking_id, body)).status, (await resume(booking_id, body)).json.pointer], [422, '/reason']);
  const sound = await resume(healthy);
  assert.deepEqual([sound.status, sound.json.code], [409, 'conflict']);
  const never = await resume(`b${'a'.repeat(32)}`);
  assert.deepEqual([never.status, never.json.code], [404, 'booking_not_found']);
  const path = `/api/v1/admin/bookings/${booking_id}/resume`;
  assert.equal((await server.call(server.operator, 'POST', path, { body: { reason: 'x' } })).status, 401);
  assert.ok([401, 403, 404].includes((await server.fan('POST', path, { body: { reason: 'x' }, check: false })).status));
  assert.equal((await server.booking(booking_id)).json.payment_state, 'REVIEW');
});

test('what is in review is so after a restart', async () => {
  // red when: REVIEW is lost with the process, or driven on by itself
  const before_it = (await list('?payment_state=REVIEW')).bookings.map(({ booking_id }) => booking_id);
  await server.kill();
  grow_older();
  server.exit = undefined;
  await server.spawn();
  assert.deepEqual((await list('?payment_state=REVIEW')).bookings.map(({ booking_id }) => booking_id), before_it);
  assert.equal(await metric('onsale_sagas_review'), 2);
  assert.deepEqual(refunds, [], 'no money was given back that was not taken');
});

test('put right at the gateway and resumed, the money goes back, once', async () => {
  // red when: a resumed payment does not ask the gateway, or its money goes back twice
  contradicts = false;
  const [{ booking_id }] = (await list('?payment_state=REVIEW')).bookings;
  const key = { 'Idempotency-Key': 'resume-once-0001' };
  const first = await resume(booking_id, { reason: 'see the bank\'s letter' }, key);
  assert.equal(first.status, 200);
  const again = await resume(booking_id, { reason: 'see the bank\'s letter' }, key);
  assert.ok(again.body.equals(first.body));
  const booking = await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  assert.equal(booking.refunded, 5000);
  assert.deepEqual(refunds.map(({ amount }) => amount), [5000]);
});

test('resumed while the gateway says that nothing was ever taken, it is voided, and nothing is given back', async () => {
  // red when: to resume is to believe the ledger
  contradicts = true;
  const [{ booking_id }] = (await list('?payment_state=REVIEW')).bookings;
  assert.equal((await resume(booking_id)).status, 200);
  const booking = await server.settled(booking_id, 'VOIDED', 'CANCELLED');
  contradicts = false;
  assert.equal(booking.refunded, 0);
  assert.equal(refunds.length, 1);
  assert.deepEqual((await list('?payment_state=REVIEW')).bookings, []);
  assert.equal(await metric('onsale_sagas_review'), 0);
});

test('the audit tells what became of a booking, who did it, and why', async () => {
  // red when: an act writes no line, or one without its reason
  const show = await server.show({ cancellation: { allowed: true } });
  const { booking_id } = await server.book(show, ['A1', 'A2'], 'zoe');
  await server.settled(booking_id, 'CAPTURED');
  assert.equal((await server.fan('POST', `/api/v1/bookings/${booking_id}/cancel`, { body: { seat_ids: ['A1'] } })).status, 200);
  await until('the part is given back', async () => (await server.booking(booking_id)).json.payment_state === 'CAPTURED' && refunds.length === 2);
  assert.equal((await refund(booking_id, 'storm on the day')).status, 200);
  await server.settled(booking_id, 'REFUNDED');
  const { rows } = await audit(`?booking_id=${booking_id}`);
  for (const row of rows) assert.deepEqual([row.booking_id, row.show_id], [booking_id, show]);
  const by_operator = rows.filter(({ actor }) => actor === 'operator');
  assert.deepEqual(by_operator.map(({ reason }) => reason), ['storm on the day']);
  assert.ok(rows.some(({ actor }) => actor === 'fan'), JSON.stringify(rows));
  assert.ok(!JSON.stringify(rows).includes('zoe'), 'people are not named in it');
  const numbers = rows.map(({ number }) => number);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a), 'newest first');
  const times = rows.map(({ at }) => Date.parse(at));
  assert.ok(times.every((time, i) => i === 0 || time <= times[i - 1]));
});

test('an operator\'s acts on a show and on payments are in the audit with their reasons', async () => {
  // red when: a resume or a block writes no line
  const { rows } = await audit('?limit=1000');
  assert.equal(rows.filter(({ reason }) => reason === 'see the bank\'s letter').length, 1);
  assert.equal(rows.filter(({ reason }) => reason === 'looked at it').length, 1);
  const show = await server.show();
  await server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: { seat_ids: ['B1'], reason: 'a camera stands there' } });
  const of_show = (await audit(`?show_id=${show}`)).rows;
  assert.ok(of_show.some(({ actor, reason }) => actor === 'operator' && reason === 'a camera stands there'), JSON.stringify(of_show));
});

test('the audit comes in pages without a gap, and outlives kill -9', async () => {
  // red when: a page repeats or skips a row, or numbers begin anew
  const all = (await audit('?limit=1000')).rows;
  const seen = [];
  for (let before_number = ''; before_number !== null;) {
    const { rows, next } = await audit(`?limit=3${before_number}`);
    assert.ok(rows.length <= 3);
    seen.push(...rows);
    before_number = next === null ? null : `&before=${next}`;
  }
  assert.deepEqual(seen, all);
  assert.deepEqual(all.map(({ number }) => number), all.map((_, i) => all[0].number - i), 'no number is missing');
  await server.restart();
  const later = (await audit('?limit=1000')).rows;
  assert.deepEqual(later.slice(later.length - all.length), all);
  for (const [query, pointer] of [['?limit=0', '/limit'], ['?limit=1001', '/limit'], ['?before=0', '/before'], ['?show_id=x', '/show_id'], ['?booking_id=x', '/booking_id']]) {
    const { status, json } = await server.admin('GET', `/api/v1/admin/audit${query}`);
    assert.deepEqual([status, json.pointer], [422, pointer], query);
  }
  assert.equal((await server.call(server.operator, 'GET', '/api/v1/admin/audit')).status, 401);
});

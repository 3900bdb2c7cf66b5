/* A gateway that does what the sandbox never would: takes money when it was asked to cancel, answers when nobody waits
 * any more. It is played here, call by call. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, sleep, until } from './harness.mjs';

let act; // (operation) → [status, body], or a promise of it
const gateway = createServer(async (request, response) => {
  for await (const chunk of request) void chunk;
  const [, , kind, id, action] = request.url.split(/[/?]/);
  const operation = kind === 'refunds' ? 'refund' : request.method === 'GET' ? 'retrieve' : id ? action : 'create';
  const [status, body] = await act(operation);
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});
const intent = (status, refunded = 0) => [200, { id: 'pi_1', object: 'payment_intent', status, amount_received: 5000, latest_charge: { amount_refunded: refunded } }];
const wrong = (status) => [status, { error: { type: 'api_error', code: 'wrong' } }];

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

test('who confirms while money that was taken after all goes back is told that it came to nothing', async () => {
  // red when: a confirm joins a saga whose outcome was told already; the server then ends by an assertion
  let refund_asked, let_refund_go;
  const refunding = new Promise((done) => { refund_asked = done; });
  const gate = new Promise((done) => { let_refund_go = done; });
  let taken = false;
  act = async (operation) => {
    if (operation === 'create') return intent('requires_payment_method');
    if (operation === 'confirm') return wrong(500);
    if (operation === 'cancel') { taken = true; return wrong(400); }
    if (operation === 'retrieve') return taken ? intent('succeeded') : intent('processing');
    refund_asked();
    await gate;
    return [200, { id: 're_1', object: 'refund', status: 'succeeded' }];
  };
  const show = await server.show({ hold_seconds: 1, grace_seconds: 0 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const first = server.confirm(reservation_id);
  await refunding;
  const { status, json } = await first;
  assert.deepEqual([status, json.code], [410, 'reservation_expired']);
  const second = server.confirm(reservation_id);
  await sleep(200); // it has reached the cashier
  let_refund_go();
  const again = await second;
  assert.deepEqual([again.status, again.json.code], [410, 'reservation_expired']);
  await until('the seat is free', async () => (await server.seats(show)).A1 === 'AVAILABLE');
});

test('a payment that is still queued behind others at its hold\'s deadline is given up, and its seat is free', async () => {
  // red when: a call that was not sent yet keeps a hold for as long as the queue to a slow gateway is
  const CONNECTIONS = 256; // to the gateway, at once
  const QUEUED = 20;
  let answer_all;
  const gate = new Promise((done) => { answer_all = done; });
  act = async () => { await gate; return intent('requires_payment_method'); };
  const show = await server.show({ rows: 6, seats_per_row: 50, hold_seconds: 2, grace_seconds: 0 });
  const taken = await Promise.all([...Array(CONNECTIONS + QUEUED)].map(() => server.hold(show, { best_available: { quantity: 1 } })));
  const answers = await Promise.all(taken.map(({ reservation_id }) => server.confirm(reservation_id)));
  const statuses = answers.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 410).length, QUEUED, 'not sent: expired');
  assert.equal(statuses.filter((status) => status === 202).length, CONNECTIONS, 'sent, and not answered: pending');
  assert.equal(Object.values(await server.seats(show)).filter((status) => status === 'HELD').length, CONNECTIONS);
  answer_all();
  await until('all seats are free', async () => Object.values(await server.seats(show)).every((status) => status === 'AVAILABLE'));
});

test('a seat that the ledger sold to another than the journal\'s hold is booked, and stays so', async () => {
  // red when: a sale whose hold could not be put back after a crash leaves its seat to whoever holds it, and then free
  act = async (operation) => intent(operation === 'retrieve' ? 'requires_capture' : 'succeeded');
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1', 'A2'], 'bob');
  await sleep(600); // the journal has it on disk
  await server.kill();
  const booking = '01930000-0000-7000-8000-00000000abcd';
  const columns = { booking_id: booking, user_id: 'eve', seat_ids: '["A1"]', status: 'PENDING', show_id: show, reservation_id: `r${'a'.repeat(32)}`, seat_amounts: '[5000]', amount: 5000, refunded: 0, currency: 'EUR', payment_state: 'NONE', saga: 'CONFIRMING', attempt: 1, intent_id: 'pi_1', reason: '', created_at: '2026-01-01T00:00:00.000Z', updated_at: '2026-01-01T00:00:00.000Z' };
  const values = Object.values(columns).map((value) => (typeof value === 'number' ? value : `'${value}'`));
  const { status, stderr } = spawnSync('sqlite3', [join(server.data, 'ledger.sqlite'), `INSERT INTO bookings (${Object.keys(columns)}, fence) SELECT ${values}, (epoch << 40) + 1000000 FROM meta`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  server.exit = undefined;
  await server.spawn();
  await server.settled(`b${booking.replaceAll('-', '')}`, 'CAPTURED', 'CONFIRMED');
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A2], ['BOOKED', 'AVAILABLE'], 'a hold is whole, or gone');
  assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).status, 410);
  assert.equal((await server.reserve(show, ['A1'], 'carl')).json.code, 'seat_unavailable');
});

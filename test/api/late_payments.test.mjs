/* Several payments on one reservation, and what the gateway says of them late: after another attempt, over a restart, while
 * it is silent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Sandbox, Server, until } from './harness.mjs';

const PATH = '/api/v1/payments/webhook';
const secret = `whsec_${randomBytes(24).toString('hex')}`;
let gateway, server;

before(async () => {
  gateway = await Sandbox.start();
  const { payments, env } = gateway.for_server();
  server = await Server.start({ payments, env: { ...env, ONSALE_PAYMENTS_WEBHOOK_SECRET: secret } });
});
after(async () => {
  gateway.go_on();
  await server.stop();
  await gateway.stop();
});

function hint(booking_id) {
  const time = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({ id: 'evt_1', type: 'payment_intent.succeeded', data: { object: { id: 'pi_1', metadata: { booking_id } } } });
  return server.fan('POST', PATH, { body, headers: { 'Stripe-Signature': `t=${time},v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}` } });
}

/* The gateway lets a payment through that it had declined. */
async function bank_pays(intent) {
  const { json } = await gateway.call(`payment_intents/${intent.id}/confirm`, { payment_method: 'pm_card_visa' });
  assert.equal(json.status, 'requires_capture');
  const answer = await hint(intent.metadata.booking_id);
  assert.equal(answer.status, 200);
}

const uuid_of = (booking_id) => booking_id.slice(1).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

function change_ledger(sql) {
  const { status, stderr } = spawnSync('sqlite3', [join(server.data, 'ledger.sqlite'), sql], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

test('an earlier attempt that comes through after a later one was declined is what confirming again gives', async () => {
  // red when: a reservation's newest booking is told, though another was sold
  const show = await server.show({ payment_attempts: 2 });
  const { reservation_id } = await server.hold(show, ['A1']);
  assert.equal((await server.confirm(reservation_id, 'tok_declined')).status, 402);
  const [first] = await gateway.intents();
  assert.equal((await server.confirm(reservation_id, 'tok_declined')).status, 402);
  await bank_pays(first);
  const { booking_id } = first.metadata;
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  for (let round = 0; round < 2; round++) {
    const again = await server.confirm(reservation_id, 'tok_visa');
    assert.deepEqual([again.status, again.json.booking_id], [200, booking_id]);
    await server.restart();
  }
});

test('two bookings of one reservation that are both unfinished do not keep the server from starting', async () => {
  // red when: a start believes that a reservation has one unfinished booking at most; it then ends by an assertion
  const show = await server.show({ payment_attempts: 2 });
  for (const [seat, later] of [['A1', 'REVIEW'], ['A2', 'CAPTURING']]) {
    const { reservation_id } = await server.hold(show, [seat]);
    assert.equal((await server.confirm(reservation_id, 'tok_declined')).status, 402);
    const [first] = await gateway.intents();
    const { json: { booking_id } } = await server.confirm(reservation_id, 'tok_visa');
    await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
    await server.kill();
    change_ledger(`UPDATE bookings SET saga = 'CANCELLING' WHERE booking_id = '${uuid_of(first.metadata.booking_id)}';
      UPDATE bookings SET saga = '${later}', payment_state = '${later === 'REVIEW' ? 'REVIEW' : 'AUTHORIZED'}' WHERE booking_id = '${uuid_of(booking_id)}'`);
    server.exit = undefined;
    await server.spawn();
    await server.settled(first.metadata.booking_id, 'VOIDED', 'CANCELLED');
    const { json } = await server.booking(booking_id);
    assert.equal(json.status, 'CONFIRMED');
    assert.equal((await server.seats(show))[seat], 'BOOKED');
    if (later === 'REVIEW') {
      const resumed = await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/resume`, { body: { reason: 'looked at it' } });
      assert.equal(resumed.status, 200);
    }
    await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  }
});

test('a late payment that a crash interrupts takes no seat whose reservation was sold and given back meanwhile', async () => {
  // red when: that a booking is late is forgotten over a restart, so that its reservation is sold a second time
  const show = await server.show({ payment_attempts: 2 });
  const { reservation_id } = await server.hold(show, ['A1']);
  assert.equal((await server.confirm(reservation_id, 'tok_declined')).status, 402);
  const [first] = await gateway.intents();
  const { json: { booking_id } } = await server.confirm(reservation_id, 'tok_visa');
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  const refund = await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'fell ill' } });
  assert.equal(refund.status, 200);
  await server.settled(booking_id, 'REFUNDED', 'CANCELLED');
  await server.kill();
  const { json } = await gateway.call(`payment_intents/${first.id}/confirm`, { payment_method: 'pm_card_visa' });
  assert.equal(json.status, 'requires_capture');
  change_ledger(`UPDATE bookings SET saga = 'CONFIRMING', status = 'PENDING', payment_state = 'AUTHORIZED', attempt = 2,
    fence = fence + 2000 WHERE booking_id = '${uuid_of(first.metadata.booking_id)}'`);
  server.exit = undefined;
  await server.spawn();
  await server.settled(first.metadata.booking_id, 'VOIDED', 'CANCELLED');
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
});

test('who gives a hint while the gateway is silent is told to give it again, and a stop waits for nobody', async () => {
  // red when: a webhook is kept waiting for as long as the gateway is silent
  const show = await server.show();
  const { booking_id } = await server.book(show, ['A1']);
  await server.settled(booking_id, 'CAPTURED');
  gateway.pause();
  const answers = await Promise.all([...Array(20)].map(() => hint(booking_id)));
  assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(503));
  gateway.go_on();
  await until('it is looked at', async () => (await hint(booking_id)).status === 200);
});

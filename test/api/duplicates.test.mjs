/* A hundred confirms of one reservation at once are one booking, one authorization, one capture: whatever keys they carry,
 * and whatever dies under them. The gateway is asked, not the server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sandbox, Server, sleep, until } from './harness.mjs';

const MANY = 100;

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
const fresh_key = () => `duplicate-${process.pid}-${++count}`;
const at_once = (number, confirm) => Promise.all([...Array(number).keys()].map(confirm));
const tally = (answers) => answers.reduce((all, { status, json }) => ({ ...all, [json.code ?? status]: (all[json.code ?? status] ?? 0) + 1 }), {});
const bookings_of = (answers) => [...new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json.booking_id))];

/* What the gateway has of a show's bookings: its intents, and what happened to them, in order. */
async function payments_of(show) {
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`);
  const ids = new Set(json.bookings.map(({ booking_id }) => booking_id));
  const intents = (await gateway.intents()).filter(({ metadata }) => ids.has(metadata.booking_id));
  const named = new Set(intents.map(({ id }) => id));
  const events = (await gateway.events()).filter(({ data }) => named.has(data.object.id)).map(({ type }) => type);
  return { bookings: json.bookings, intents, times: (type) => events.filter((event) => event === `payment_intent.${type}`).length };
}

async function is_paid_once(show, booking_id) {
  await server.settled(booking_id, 'CAPTURED', 'CONFIRMED');
  const { bookings, intents, times } = await payments_of(show);
  assert.equal(bookings.filter(({ status }) => status === 'CONFIRMED').length, 1);
  assert.equal(intents.filter(({ amount_received }) => amount_received > 0).length, 1);
  assert.deepEqual([times('amount_capturable_updated'), times('succeeded')], [1, 1], 'authorized once, captured once');
  return { bookings, intents };
}

for (const [name, keys, told] of [
  ['without keys', () => ({}), [200]],
  ['each with its own key', () => ({ 'Idempotency-Key': fresh_key() }), [200]],
  ['half of them with keys', (i) => (i % 2 ? {} : { 'Idempotency-Key': fresh_key() }), [200]],
  ['all with one key', (i, key) => ({ 'Idempotency-Key': key }), [200, 'idempotency_in_progress']],
]) {
  test(`a hundred confirms at once, ${name}, are one booking, one authorization, one capture`, async () => {
    // red when: hold_begin_payment() lets two in, or who joins a payment begins another
    const show = await server.show();
    const { reservation_id } = await server.hold(show, ['A1', 'A2']);
    const key = fresh_key();
    const answers = await at_once(MANY, (i) => server.confirm(reservation_id, 'tok_slow_250', keys(i, key)));
    assert.deepEqual(Object.keys(tally(answers)).filter((outcome) => !told.map(String).includes(outcome)), []);
    const [booking_id, ...others] = bookings_of(answers);
    assert.deepEqual(others, []);
    const { bookings, intents } = await is_paid_once(show, booking_id);
    assert.deepEqual([bookings.length, intents.length], [1, 1]);
    const again = await server.confirm(reservation_id, 'tok_slow_250', keys(0, key));
    assert.deepEqual([again.status, again.json.booking_id], [200, booking_id]);
  });
}

test('a hundred confirms at once with a hundred cards charge one of them', async () => {
  // red when: another token than the one under way joins it, or begins a payment of its own
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  const answers = await at_once(MANY, (i) => server.confirm(reservation_id, `tok_card_${i}_of_many`));
  assert.deepEqual(Object.keys(tally(answers)).filter((outcome) => !['200', 'payment_in_progress'].includes(outcome)), []);
  const [booking_id, ...others] = bookings_of(answers);
  assert.deepEqual(others, []);
  const { intents } = await is_paid_once(show, booking_id);
  assert.equal(intents.length, 1);
});

test('a hundred confirms at once with a card that is declined are one attempt', async () => {
  // red when: those who come while the decline is written begin another attempt
  const show = await server.show({ payment_attempts: 5 });
  const { reservation_id } = await server.hold(show, ['A1']);
  const slow = await at_once(MANY, () => server.confirm(reservation_id, 'tok_declined'));
  const { intents, times } = await payments_of(show);
  const attempts = times('payment_failed');
  assert.equal(intents.length, attempts);
  // Those who come after an attempt has ended begin the next one, as they may.
  const declined = slow.filter(({ status }) => status === 402);
  for (const { status, json } of slow) assert.ok(status === 402 || [404, 410].includes(status), JSON.stringify(json));
  assert.equal(new Set(declined.map(({ json }) => json.attempts_left)).size, attempts, 'every attempt has a number of its own');
});

for (const delay_ms of [0, 20, 60, 150, 320, 600]) {
  test(`a hundred confirms at once, kill -9 after ${delay_ms} ms, and a hundred again: paid once`, async () => {
    // red when: what was under way is begun again without asking what became of it
    const show = await server.show();
    const { reservation_id } = await server.hold(show, ['A1', 'A2']);
    await sleep(600); // the journal has the hold
    const confirm = (i) => server.confirm(reservation_id, 'tok_slow_250', i % 2 ? {} : { 'Idempotency-Key': fresh_key() });
    const first = at_once(MANY, (i) => confirm(i).catch(() => null));
    await sleep(delay_ms);
    await server.restart();
    const before_kill = bookings_of((await first).filter(Boolean));
    const booking_id = await until('they are all answered with one booking', async () => {
      const answers = await at_once(MANY, confirm);
      for (const { status, json } of answers) assert.ok([200, 202, 409, 503].includes(status), JSON.stringify(json));
      const found = bookings_of(answers);
      assert.ok(found.length <= 1, 'one booking');
      return answers.every(({ status }) => status === 200) && found[0];
    });
    for (const id of before_kill) assert.equal(id, booking_id, 'what was acknowledged is what there is');
    await is_paid_once(show, booking_id);
  });
}

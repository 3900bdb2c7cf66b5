/* `onsale verify --payments`: the ledger and the gateway compared both ways. One evening is sold, then copies of its
 * ledger and of its gateway's state are tampered with, one thing at a time. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Sandbox, Server, make_folder, remove_folder, run_onsale, until } from './harness.mjs';

let evening; // { data, gateway: its folder, paid, part, whole, free, under_way: booking ids, intents: by booking id }
before(async () => {
  evening = await an_evening();
});
after(() => {
  remove_folder(evening.data);
  remove_folder(evening.gateway);
});

/* One booking of each kind; the last one's server is killed while its card is thought about. Shows in two currencies. */
async function an_evening() {
  const gateway = await Sandbox.start();
  const server = await Server.start({ keep_data: true, ...gateway.for_server() });
  const show = await server.show({ rows: 2, seats_per_row: 20, amount: 5000, currency: 'EUR' });
  const yen = await server.show({ amount: 900, currency: 'JPY' });
  const gift = await server.show({ amount: 0, currency: 'EUR' });
  const settled = async (booking_id, state, status) => { await server.settled(booking_id, state, status); return booking_id; };
  const paid = await settled((await server.book(show, ['A1', 'A2'])).booking_id, 'CAPTURED', 'CONFIRMED');
  const part = await settled((await server.book(show, ['A3', 'A4'])).booking_id, 'CAPTURED', 'CONFIRMED');
  const whole = await settled((await server.book(show, ['A5'])).booking_id, 'CAPTURED', 'CONFIRMED');
  await settled((await server.book(yen, ['B1'])).booking_id, 'CAPTURED', 'CONFIRMED');
  const free = (await server.book(gift, ['A1'])).booking_id;
  for (const [booking, seat_ids] of [[part, ['A4']], [whole, undefined]]) {
    const answer = await server.admin('POST', `/api/v1/admin/bookings/${booking}/refund`, { body: { seat_ids, reason: 'rain' } });
    assert.equal(answer.status, 200, answer.body.toString());
  }
  await settled(part, 'CAPTURED', 'CONFIRMED');
  await settled(whole, 'REFUNDED', 'CANCELLED');
  const declined = await server.confirm((await server.hold(show, ['A7'])).reservation_id, 'tok_declined');
  assert.equal(declined.status, 402);
  server.confirm((await server.hold(show, ['A9'])).reservation_id, 'tok_slow_60000').catch(() => {});
  await until('the card is thought about', async () => (await gateway.intents()).some((intent) => intent.status === 'processing'));
  await server.kill();
  const intents = Object.fromEntries((await gateway.intents()).map((intent) => [intent.metadata.booking_id, intent.id]));
  const under_way = `b${sql(server.data, "SELECT booking_id FROM bookings WHERE saga = 'CONFIRMING'").replaceAll('-', '')}`;
  assert.ok(intents[under_way]);
  await gateway.kill();
  return { data: server.data, gateway: gateway.data, paid, part, whole, free, under_way, intents };
}

function sql(folder, text) {
  const { status, stdout, stderr } = spawnSync('sqlite3', [join(folder, 'ledger.sqlite'), text], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/* A booking's id as the ledger writes it. */
const row = (booking_id) => booking_id.replace(/^b(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/* Copies both, lets `tamper` change what it likes, and compares: {code, stdout, stderr, differences}. */
async function verified(tamper = () => {}) {
  const data = make_folder();
  cpSync(evening.data, data, { recursive: true });
  const gateway = new Sandbox();
  Object.assign(gateway, { data: make_folder(), args: [], env: {}, address: '127.0.0.1:0', secret: 'sk_test_checks' });
  cpSync(evening.gateway, gateway.data, { recursive: true });
  await gateway.spawn();
  try {
    await tamper({ ledger: (text) => sql(data, text), gateway });
    const env = { ONSALE_PAYMENTS: gateway.base, ONSALE_PAYMENTS_KEY: gateway.secret };
    const { code, stdout, stderr } = await run_onsale(['verify', '--data', data, '--payments'], { env });
    return { code, stdout, stderr, differences: stdout.split('\n').filter((line) => line.startsWith('  DIFFERENCE: ')) };
  } finally {
    await gateway.stop();
    remove_folder(data);
  }
}

async function ok(call) {
  const answer = await call;
  assert.equal(answer.status, 200, answer.body.toString());
  return answer.json;
}

let keys = 0;
const post = (gateway, path, form = {}) => ok(gateway.call(path, form, { key: `test-${keys++}` }));

/* An intent that the shop has not made. */
function intent_of(gateway, booking_id, form = {}) {
  return post(gateway, 'payment_intents', {
    amount: 700, currency: 'eur', capture_method: 'manual', 'payment_method_types[]': 'card',
    ...(booking_id && { 'metadata[booking_id]': booking_id }), ...form,
  });
}

const authorize = (gateway, id) => post(gateway, `payment_intents/${id}/confirm`, { payment_method: 'tok_visa' });

const NOBODYS = 'b00000000000000000000000000000001';

test('books that agree are found to agree, with the sums of both', async () => {
  // Red if a payment is not compared, or a sum leaves one out.
  const { code, stdout, differences } = await verified();
  assert.deepEqual(differences, []);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /EUR: taken 25000, given back 10000, left 15000 at the gateway, 0 of it not settled; revenue 15000 in the ledger/);
  assert.match(stdout, /JPY: taken 900, given back 0, left 900 at the gateway, 0 of it not settled; revenue 900 in the ledger/);
  assert.match(stdout, /6 payments compared with the gateway: 5 agree, 1 are under way, 0 in REVIEW; 1 bookings have none/);
});

/* [what, tamper, what the difference says]. Red where the figure named is not compared. */
const tampers = [
  ['another amount in the ledger', ({ ledger }) => ledger(`UPDATE bookings SET amount = 10001 WHERE booking_id = '${row(evening.paid)}'`),
    () => new RegExp(`booking ${evening.paid} \\(DONE, CONFIRMED, 10001 EUR, 0 given back\\), at the gateway intent ${evening.intents[evening.paid]} \\(succeeded, 10000 EUR, 10000 taken, 0 given back\\): another amount, another amount was taken`)],
  ['another currency in the ledger', ({ ledger }) => ledger(`UPDATE bookings SET currency = 'USD' WHERE booking_id = '${row(evening.paid)}'`),
    () => new RegExp(`booking ${evening.paid} .* USD, .*: another currency$`)],
  ['a refund that only the ledger knows', ({ ledger }) => ledger(`UPDATE bookings SET refunded = refunded + 1 WHERE booking_id = '${row(evening.part)}'`),
    () => new RegExp(`booking ${evening.part} \\(DONE, CONFIRMED, 10000 EUR, 5001 given back\\), .* 5000 given back\\): another amount was given back`)],
  ['a refund made at the gateway', ({ gateway }) => post(gateway, 'refunds', { payment_intent: evening.intents[evening.paid], amount: 1 }),
    () => new RegExp(`booking ${evening.paid} .* 0 given back\\), at the gateway .* 10000 taken, 1 given back\\): another amount was given back`)],
  ['a cent less given back than the ledger says', ({ ledger }) => ledger(`UPDATE bookings SET saga = 'REFUNDED', payment_state = 'REFUNDED', status = 'CANCELLED', refunded = 10000 WHERE booking_id = '${row(evening.part)}'`),
    () => new RegExp(`booking ${evening.part} \\(REFUNDED, CANCELLED, .*: not all was given back`)],
  ['money kept for a booking that was cancelled', ({ ledger }) => ledger(`UPDATE bookings SET saga = 'CANCELLED', payment_state = 'VOIDED', status = 'CANCELLED' WHERE booking_id = '${row(evening.paid)}'`),
    () => new RegExp(`booking ${evening.paid} \\(CANCELLED, CANCELLED, .* 10000 taken, 0 given back\\): nothing was given back`)],
  ['a booking without its payment', ({ ledger }) => ledger(`UPDATE bookings SET intent_id = '' WHERE booking_id = '${row(evening.paid)}'`),
    () => [new RegExp(`booking ${evening.paid} .*: it names no payment`), new RegExp(`intent ${evening.intents[evening.paid]} .*: no booking names it; its booking names none`)]],
  ['a payment that the gateway does not know', ({ ledger }) => ledger(`UPDATE bookings SET intent_id = 'pi_nobody' WHERE booking_id = '${row(evening.paid)}'`),
    () => [new RegExp(`booking ${evening.paid} .*: the gateway does not know its payment, pi_nobody`), /: no booking names it; its booking names another payment, pi_nobody/]],
  ['another booking\'s payment', ({ ledger }) => ledger(`UPDATE bookings SET intent_id = '${evening.intents[evening.part]}' WHERE booking_id = '${row(evening.paid)}'`),
    () => [/: another booking names the same payment/, new RegExp(`intent ${evening.intents[evening.paid]} .*no booking names it; its booking names another payment`)]],
  ['a booking that is gone', ({ ledger }) => ledger(`DELETE FROM tickets WHERE booking_id = '${row(evening.paid)}'; DELETE FROM bookings WHERE booking_id = '${row(evening.paid)}'`),
    () => new RegExp(`intent ${evening.intents[evening.paid]} .* 10000 taken, 0 given back\\): no booking names it; the ledger has no booking ${evening.paid}`)],
  ['a capture without a booking', async ({ gateway }) => {
    const { id } = await intent_of(gateway, NOBODYS);
    await authorize(gateway, id);
    await post(gateway, `payment_intents/${id}/capture`);
  }, () => new RegExp(`intent pi_\\w+ \\(succeeded, 700 EUR, 700 taken, 0 given back\\): no booking names it; the ledger has no booking ${NOBODYS}`)],
  ['a second payment of a booking', async ({ gateway }) => authorize(gateway, (await intent_of(gateway, evening.paid)).id),
    () => /intent pi_\w+ \(requires_capture, 700 EUR, 0 taken, 0 given back\): no booking names it; its booking names another payment/],
  ['money more than a step ahead of a saga under way', async ({ gateway }) => {
    const id = evening.intents[evening.under_way];
    await authorize(gateway, id);
    await post(gateway, `payment_intents/${id}/capture`);
  }, () => new RegExp(`booking ${evening.under_way} \\(CONFIRMING, PENDING, 5000 EUR, 0 given back\\), .* 5000 taken, 0 given back\\): money was taken`)],
  ['a payment under another booking at the gateway', async ({ gateway, ledger }) => {
    const { id } = await intent_of(gateway, NOBODYS, { amount: 10000 });
    await authorize(gateway, id);
    await post(gateway, `payment_intents/${id}/capture`);
    ledger(`UPDATE bookings SET intent_id = '${id}' WHERE booking_id = '${row(evening.paid)}'`);
  }, () => new RegExp(`booking ${evening.paid} .*: the gateway has it under another booking`)],
];
for (const [what, tamper, says] of tampers) {
  test(`${what} is named, with the figures of both sides`, async () => {
    const { code, stdout, differences } = await verified(tamper);
    assert.equal(code, 1, stdout);
    for (const pattern of [says()].flat()) assert.ok(differences.some((line) => pattern.test(line)), `${pattern} in:\n${stdout}`);
  });
}

test('money that no booking names is missing in the sums', async () => {
  // Red if the sums are of the payments that agree only.
  const { differences } = await verified(tampers.find(([what]) => what === 'a capture without a booking')[1]);
  assert.ok(differences.some((line) => /EUR: taken 25700, given back 10000, left 15700 at the gateway, 0 of it not settled; revenue 15000/.test(line)), differences.join('\n'));
});

test('a saga one step ahead at the gateway is no difference', async () => {
  // Red if a saga under way has to agree to the letter.
  const { code, stdout } = await verified(({ gateway }) => authorize(gateway, evening.intents[evening.under_way]));
  assert.equal(code, 0, stdout);
  assert.match(stdout, /5 agree, 1 are under way/);
});

test('what is in REVIEW is listed and settles nothing', async () => {
  // Red if a booking in REVIEW is hidden, or its money is counted as settled.
  const { stdout } = await verified(({ ledger }) => ledger(`UPDATE bookings SET saga = 'REVIEW', payment_state = 'REVIEW', reason = 'refund_missing' WHERE booking_id = '${row(evening.paid)}'`));
  assert.match(stdout, new RegExp(`REVIEW: booking ${evening.paid} \\(REVIEW, CONFIRMED, 10000 EUR, .*, at the gateway intent ${evening.intents[evening.paid]} .*: refund_missing`));
  assert.match(stdout, /1 in REVIEW/);
  assert.match(stdout, /EUR: taken 25000, given back 10000, left 15000 at the gateway, 10000 of it not settled; revenue 5000/);
});

test('hundreds of intents that were never confirmed, or are another shop\'s, do no harm', async () => {
  // Red if only the first page is read, an unconfirmed intent is a difference, or a stranger's money is ours.
  const { code, stdout } = await verified(async ({ gateway }) => {
    await Promise.all(Array.from({ length: 230 }, () => intent_of(gateway, NOBODYS)));
    const { id } = await intent_of(gateway);
    await authorize(gateway, id);
    await post(gateway, `payment_intents/${id}/capture`);
  });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /230 intents at the gateway were never confirmed .*; 1 are not ours/);
  assert.match(stdout, /6 payments compared with the gateway: 5 agree/);
});

test('a gateway that does not answer is a failure, not an agreement', async () => {
  // Red if half a comparison ends with 0.
  const env = { ONSALE_PAYMENTS: 'http://127.0.0.1:9', ONSALE_PAYMENTS_KEY: 'sk_test_checks' };
  const data = make_folder();
  cpSync(evening.data, data, { recursive: true });
  const { code, stderr } = await run_onsale(['verify', '--data', data, '--payments'], { env });
  remove_folder(data);
  assert.equal(code, 1);
  assert.match(stderr, /the payment gateway does not answer \(unreached\)/);
});

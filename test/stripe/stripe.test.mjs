/* Stripe's official client for node, unmodified, against `onsale sandbox`: the peer that the server is tested with is
 * what that client takes for Stripe. The client comes from the lock file beside this, into build-stripe/, which
 * `script/test --only stripe` does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { make_folder, onsale, remove_folder, until } from '../api/harness.mjs';

const require = createRequire(fileURLToPath(new URL('../../build-stripe/package.json', import.meta.url)));
const Stripe = require('stripe');

const webhook_secret = 'whsec_of_this_test';
const delivered = []; // {body, signature}
let folder, child, stripe, receiver;

async function start(...args) {
  const told = join(folder, 'listen.json');
  rmSync(told, { force: true });
  const env = { ...process.env, ONSALE_SANDBOX_WEBHOOK_SECRET: webhook_secret };
  child = spawn(onsale, ['sandbox', '--data', folder, ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
  await until('the sandbox says where it is', () => existsSync(told));
  return JSON.parse(readFileSync(told, 'utf8')).sandbox;
}

async function stop() {
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
}

const client = (address, { key = 'sk_test_official', ...options } = {}) => {
  const [host, port] = address.split(':');
  return new Stripe(key, { host, port, protocol: 'http', maxNetworkRetries: 0, ...options });
};

before(async () => {
  folder = make_folder();
  receiver = createServer(async (request, answer) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    delivered.push({ body: Buffer.concat(chunks), signature: request.headers['stripe-signature'] });
    answer.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  stripe = client(await start('--webhook', `http://127.0.0.1:${receiver.address().port}/`));
});

after(() => {
  child?.kill('SIGKILL');
  receiver.closeAllConnections();
  receiver.close();
  remove_folder(folder);
});

const form = { amount: 4200, currency: 'eur', capture_method: 'manual', metadata: { booking_id: 'b1' } };

/* The error that a call fails with; it has to. */
async function error_of(call) {
  try {
    await call;
  } catch (error) {
    return error;
  }
  return assert.fail('the call was to fail');
}

async function assert_refused(call, type, members) {
  const error = await error_of(call);
  assert.equal(error.type, type, error.stack);
  for (const [name, value] of Object.entries(members)) assert.deepEqual(error[name], value, `${name} of ${error.stack}`);
  assert.match(error.requestId, /^req_/);
  return error;
}

test('a payment goes from intent to refund', async () => {
  /* Red if the client does not find a member where Stripe has it, or a state's word differs. */
  const made = await stripe.paymentIntents.create({ ...form, description: 'two seats & more', payment_method_types: ['card'] });
  assert.equal(made.object, 'payment_intent');
  assert.equal(made.status, 'requires_payment_method');
  assert.deepEqual(made.metadata, { booking_id: 'b1' });
  assert.equal(made.lastResponse.statusCode, 200);
  const confirmed = await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' });
  assert.equal(confirmed.status, 'requires_capture');
  assert.equal(confirmed.amount_capturable, 4200);
  const captured = await stripe.paymentIntents.capture(made.id, { amount_to_capture: 4000, expand: ['latest_charge'] });
  assert.equal(captured.status, 'succeeded');
  assert.equal(captured.latest_charge.amount_captured, 4000);
  const refund = await stripe.refunds.create({ payment_intent: made.id, amount: 1500, reason: 'requested_by_customer', expand: ['charge'] });
  assert.equal(refund.status, 'succeeded');
  assert.equal(refund.charge.amount_refunded, 1500);
  const seen = await stripe.paymentIntents.retrieve(made.id, { expand: ['latest_charge'] });
  assert.equal(seen.latest_charge.id, refund.charge.id);
  assert.equal((await stripe.charges.retrieve(refund.charge.id)).payment_intent, made.id);
  assert.equal((await stripe.refunds.retrieve(refund.id)).amount, 1500);
  const { data } = await stripe.refunds.list({ payment_intent: made.id });
  assert.deepEqual(data.map(({ id }) => id), [refund.id]);
});

test('what was authorized is cancelled, what was captured is not', async () => {
  /* Red if a cancelled intent can be captured, or the refusal is no error of the client's right kind. */
  const { id } = await stripe.paymentIntents.create({ ...form, confirm: true, payment_method: 'pm_card_visa' });
  const canceled = await stripe.paymentIntents.cancel(id, { cancellation_reason: 'abandoned' });
  assert.equal(canceled.status, 'canceled');
  assert.equal(canceled.cancellation_reason, 'abandoned');
  const error = await assert_refused(stripe.paymentIntents.capture(id), 'StripeInvalidRequestError',
    { code: 'payment_intent_unexpected_state', statusCode: 400 });
  assert.equal(error.payment_intent.id, id);
  assert.match(error.doc_url, /payment-intent-unexpected-state$/);
});

test('declines are card errors with the codes that Stripe documents', async () => {
  /* Red if a decline comes as another error, or without what a shop tells the fan from. */
  const declines = {
    tok_declined: ['card_declined', 'generic_decline'],
    tok_insufficient_funds: ['card_declined', 'insufficient_funds'],
    tok_expired_card: ['expired_card', 'expired_card'],
    pm_card_visa_chargeDeclinedLostCard: ['card_declined', 'lost_card'],
    pm_card_chargeDeclinedIncorrectCvc: ['incorrect_cvc', 'incorrect_cvc'],
  };
  const { id } = await stripe.paymentIntents.create(form);
  for (const [token, [code, decline_code]] of Object.entries(declines)) {
    const error = await assert_refused(stripe.paymentIntents.confirm(id, { payment_method: token }), 'StripeCardError',
      { code, decline_code, statusCode: 402 });
    assert.ok(error instanceof Stripe.errors.StripeCardError);
    assert.equal(error.payment_intent.last_payment_error.decline_code, decline_code);
    assert.match(error.charge, /^ch_/);
  }
  await assert_refused(stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_authenticationRequired', error_on_requires_action: true }),
    'StripeCardError', { code: 'authentication_required' });
});

test('what is wrong with a call comes as the client knows it', async () => {
  /* Red if a type, code or status of an error is not Stripe's. */
  const { id } = await stripe.paymentIntents.create({ ...form, confirm: true, payment_method: 'pm_card_visa' });
  const wrong = 'StripeInvalidRequestError';
  await assert_refused(stripe.paymentIntents.retrieve('pi_none'), wrong, { code: 'resource_missing', statusCode: 404, param: 'intent' });
  await assert_refused(stripe.paymentIntents.create({ amount: 100 }), wrong, { code: 'parameter_missing', param: 'currency' });
  await assert_refused(stripe.paymentIntents.create({ ...form, colour: 'red' }), wrong, { code: 'parameter_unknown', param: 'colour' });
  await assert_refused(stripe.paymentIntents.create({ ...form, amount: 1.5 }), wrong, { code: 'parameter_invalid_integer', param: 'amount' });
  await assert_refused(stripe.paymentIntents.capture(id, { amount_to_capture: 4201 }), wrong, { code: 'amount_too_large' });
  await stripe.paymentIntents.capture(id);
  await stripe.refunds.create({ payment_intent: id });
  await assert_refused(stripe.refunds.create({ payment_intent: id }), wrong, { code: 'charge_already_refunded' });
  const [host, port] = [stripe.getApiField('host'), stripe.getApiField('port')];
  await assert_refused(client(`${host}:${port}`, { key: 'sk_live_1' }).paymentIntents.retrieve(id), 'StripeAuthenticationError', { statusCode: 401 });
  await assert_refused(stripe.paymentIntents.create({ ...form, confirm: true, payment_method: 'tok_error_once' }), 'StripeAPIError', { statusCode: 500 });
});

test('a key replays its first answer, declines and 500s too, and is refused for anything else', async () => {
  /* Red if a replay is not marked, is made anew, or a key's reuse is not the client's StripeIdempotencyError. */
  const options = { idempotencyKey: 'one' };
  const first = await stripe.paymentIntents.create(form, options);
  const again = await stripe.paymentIntents.create(form, options);
  assert.deepEqual(again, first);
  assert.equal(first.lastResponse.headers['idempotent-replayed'], undefined);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal(again.lastResponse.idempotencyKey, 'one');
  await assert_refused(stripe.paymentIntents.create({ ...form, amount: 4300 }, options), 'StripeIdempotencyError', { statusCode: 400 });
  await assert_refused(stripe.paymentIntents.cancel(first.id, {}, options), 'StripeIdempotencyError', { statusCode: 400 });
  assert.equal((await stripe.paymentIntents.retrieve(first.id)).status, 'requires_payment_method');
  for (const [payment_method, type] of [['tok_declined', 'StripeCardError'], ['tok_error_once', 'StripeAPIError']]) {
    const call = () => stripe.paymentIntents.confirm(first.id, { payment_method }, { idempotencyKey: payment_method });
    const [one, two] = [await assert_refused(call(), type, {}), await assert_refused(call(), type, {})];
    assert.equal(one.headers['idempotent-replayed'], undefined);
    assert.equal(two.headers['idempotent-replayed'], 'true');
    assert.deepEqual(two.raw.message, one.raw.message);
  }
  await assert_refused(stripe.paymentIntents.create(form, { idempotencyKey: 'k'.repeat(256) }), 'StripeInvalidRequestError', {});
  assert.equal((await stripe.paymentIntents.create(form, { idempotencyKey: 'k'.repeat(255) })).status, 'requires_payment_method');
});

test('a key whose first call still runs is in use', async () => {
  /* Red if two calls with one key charge twice, or the second waits or is told something else. */
  const { id } = await stripe.paymentIntents.create(form);
  const call = () => stripe.paymentIntents.confirm(id, { payment_method: 'tok_slow_800' }, { idempotencyKey: 'slow' });
  const first = call();
  await until('it is under way', async () => (await stripe.paymentIntents.retrieve(id)).status === 'processing');
  const error = await error_of(call());
  assert.equal(error.statusCode, 409);
  assert.equal(error.code, 'idempotency_key_in_use');
  assert.equal((await first).status, 'requires_capture');
  assert.equal((await call()).lastResponse.headers['idempotent-replayed'], 'true');
});

test('lists page by themselves, and filter', async () => {
  /* Red if has_more, starting_after or a filter is not what the client's iteration goes by. */
  const made = [];
  for (let i = 0; i < 7; i++) made.unshift((await stripe.paymentIntents.create({ ...form, metadata: { page: String(i) } })).id);
  const seen = [];
  for await (const intent of stripe.paymentIntents.list({ limit: 3 })) {
    if (!intent.metadata.page) break;
    seen.push(intent.id);
  }
  assert.deepEqual(seen, made);
  const all = await stripe.paymentIntents.list({ limit: 2, created: { gte: 1 } }).autoPagingToArray({ limit: 5 });
  assert.deepEqual(all.map(({ id }) => id), made.slice(0, 5));
  assert.deepEqual((await stripe.paymentIntents.list({ created: { lt: 1 } })).data, []);
  const page = await stripe.paymentIntents.list({ limit: 2, ending_before: made[3] });
  assert.deepEqual(page.data.map(({ id }) => id), made.slice(1, 3));
  const events = await stripe.events.list({ types: ['payment_intent.created'], limit: 3 });
  assert.deepEqual(events.data.map((event) => event.data.object.id), made.slice(0, 3));
  for (const filter of [{ type: 'charge.*' }, { types: ['charge.refunded'] }]) {
    const refunded = await stripe.events.list(filter);
    assert.ok(refunded.data.length && refunded.data.every(({ type }) => type === 'charge.refunded'));
  }
});

test('the client takes a delivered webhook for Stripe\'s, and a changed one not', async () => {
  /* Red if signature, stamp or body are not what Stripe's own check wants. */
  const { id } = await stripe.paymentIntents.create({ ...form, confirm: true, payment_method: 'pm_card_visa' });
  const find = () => delivered.map(({ body, signature }) => [stripe.webhooks.constructEvent(body, signature, webhook_secret), body, signature])
    .find(([event]) => event.type === 'payment_intent.amount_capturable_updated' && event.data.object.id === id);
  const [event, body, signature] = await until('it is delivered', find);
  assert.equal(event.data.object.metadata.booking_id, 'b1');
  assert.equal(event.api_version, stripe.getApiField('version'));
  const { lastResponse, ...kept } = await stripe.events.retrieve(event.id);
  assert.deepEqual(kept, event);
  const changed = body.toString().replace('4200', '4201');
  assert.throws(() => stripe.webhooks.constructEvent(changed, signature, webhook_secret), Stripe.errors.StripeSignatureVerificationError);
  assert.throws(() => stripe.webhooks.constructEvent(body, signature, 'whsec_other'), Stripe.errors.StripeSignatureVerificationError);
});

test('the client\'s own retries against lost replies make one payment each', async () => {
  /* Red if a call whose reply was lost is done again when it comes again under its key. */
  await stop();
  const patient = client(await start('--fault', 'lost_reply=0.3,cut=0.05,busy=0.05', '--fault-seed', '7'), { maxNetworkRetries: 30 });
  let requests = 0;
  patient.on('request', () => { requests++; });
  const pay = async (_, i) => {
    const made = await patient.paymentIntents.create({ ...form, metadata: { retried: String(i) } });
    await patient.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' });
    await patient.paymentIntents.capture(made.id);
    await patient.refunds.create({ payment_intent: made.id, amount: 1200 });
    return made.id;
  };
  const paid = await Promise.all(Array.from({ length: 8 }, pay));
  assert.ok(requests > 4 * paid.length, 'some came again');
  await stop();
  const plain = client(await start());
  const found = (await plain.paymentIntents.list({ limit: 100, expand: ['data.latest_charge'] }).autoPagingToArray({ limit: 1000 }))
    .filter(({ metadata }) => metadata.retried);
  assert.deepEqual(found.map(({ id }) => id).sort(), [...paid].sort());
  assert.ok(found.every(({ latest_charge }) => latest_charge.amount_captured === 4200 && latest_charge.amount_refunded === 1200));
});

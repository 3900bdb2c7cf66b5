/* `onsale sandbox` as a program of its own, seen by node's fetch: how it starts, says where it is, serves, and ends. What
 * it does with payments in detail is tested in test/unit/sandbox_test.c. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { make_folder, onsale, remove_folder, run_onsale, until } from './harness.mjs';

const folder = make_folder();
const told = join(folder, 'listen.json');
let child;
let stderr = '';
let base;

before(async () => {
  child = spawn(onsale, ['sandbox', '--listen', '127.0.0.1:0', '--data', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (data) => { stderr += data; });
  await until('the sandbox says where it is', () => existsSync(told));
  base = `http://${JSON.parse(readFileSync(told, 'utf8')).sandbox}/v1`;
});

after(() => {
  child.kill('SIGKILL');
  remove_folder(folder);
});

async function call(path, form, { key, secret = 'sk_test_node' } = {}) {
  const headers = { Authorization: `Bearer ${secret}`, ...(key && { 'Idempotency-Key': key }) };
  const answer = await fetch(`${base}/${path}`, form ? { method: 'POST', headers, body: new URLSearchParams(form) } : { headers });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: JSON.parse(text) };
}

test('a payment is made, taken and given back', async () => {
  /* Red if a route, a form's coding or an answer's JSON is not what an ordinary client makes and reads. */
  const form = { amount: 4200, currency: 'eur', capture_method: 'manual', 'metadata[name]': 'Zoë & Ann = 100 %' };
  const { json: intent } = await call('payment_intents', form);
  assert.equal(intent.metadata.name, 'Zoë & Ann = 100 %');
  const declined = await call(`payment_intents/${intent.id}/confirm`, { payment_method: 'tok_insufficient_funds' });
  assert.equal(declined.status, 402);
  assert.equal(declined.json.error.decline_code, 'insufficient_funds');
  const confirmed = await call(`payment_intents/${intent.id}/confirm`, { payment_method: 'pm_card_visa' });
  assert.equal(confirmed.json.status, 'requires_capture');
  const captured = await call(`payment_intents/${intent.id}/capture`, { 'expand[]': 'latest_charge' });
  assert.equal(captured.json.latest_charge.amount_captured, 4200);
  const refund = await call('refunds', { payment_intent: intent.id });
  assert.equal(refund.json.amount, 4200);
  assert.equal((await call(`payment_intents/${intent.id}`, undefined, { secret: 'pk_test_1' })).status, 401);
});

test('fifty calls at once with one key make one payment', async () => {
  /* Red if a key is looked up before the first call has taken it. */
  const form = { amount: 100, currency: 'usd', description: 'only one' };
  const answers = await Promise.all(Array.from({ length: 50 }, () => call('payment_intents', form, { key: 'at once' })));
  const made = answers.filter((answer) => answer.status === 200);
  assert.ok(made.length >= 1);
  assert.equal(new Set(made.map((answer) => answer.text)).size, 1);
  assert.ok(answers.every((answer) => answer.status === 200 || answer.status === 409));
  const { json: list } = await call('payment_intents?limit=100');
  assert.equal(list.data.filter((intent) => intent.description === 'only one').length, 1);
});

test('it says where it listens, has its folder alone, and ends with 0', async () => {
  /* Red if the line on stderr is missing, a second one takes the folder, or SIGTERM is not an orderly end. */
  assert.ok(stderr.split('\n').some((line) => line.includes(new URL(base).host)));
  const second = await run_onsale(['sandbox', '--listen', '127.0.0.1:0', '--data', folder]);
  assert.equal(second.code, 1);
  const hanging = call('payment_intents', { amount: 1, currency: 'eur', confirm: 'true', payment_method: 'tok_hang' });
  hanging.catch(() => {});
  await until('the hanging call is under way', async () => {
    const { json: list } = await call('payment_intents?limit=1');
    return list.data[0].amount === 1;
  });
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  await assert.rejects(hanging);
});

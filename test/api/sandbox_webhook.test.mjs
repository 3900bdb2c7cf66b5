/* The webhooks of `onsale sandbox`, seen from their receiving end: an ordinary HTTP server that checks what comes, and
 * takes it or not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { make_folder, onsale, remove_folder, run_onsale, until } from './harness.mjs';

const secret = 'whsec_of_this_test';
let folder, receiver, sandbox;

/* Takes what comes, unless `refuse` (event, tries) says a status, or null for no answer at all. */
class Receiver {
  constructor() {
    this.got = []; // {event, signature, seconds, body, taken, headers}
    this.refuse = () => 0;
    this.server = createServer(async (request, answer) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      const event = JSON.parse(body);
      const status = this.refuse(event, this.of(event.id).length);
      this.got.push({ event, body, headers: request.headers, signature: request.headers['stripe-signature'], taken: status === 0 });
      if (status === null) return;
      answer.writeHead(status || 200).end(status ? 'no' : 'thank you');
    });
  }

  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}/hook?of=test`;
  }

  of(id) {
    return this.got.filter((one) => one.event.id === id);
  }

  taken() {
    return new Set(this.got.filter((one) => one.taken).map((one) => one.event.id));
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

class Sandbox {
  async start(...args) {
    const told = join(folder, 'listen.json');
    rmSync(told, { force: true });
    this.child = spawn(onsale, ['sandbox', '--data', folder, ...args],
      { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, ONSALE_SANDBOX_WEBHOOK_SECRET: secret } });
    await until('the sandbox says where it is', () => existsSync(told));
    this.base = `http://${JSON.parse(readFileSync(told, 'utf8')).sandbox}/v1`;
  }

  async kill() {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  async call(path, form) {
    const headers = { Authorization: 'Bearer sk_test_hooks' };
    const answer = await fetch(`${this.base}/${path}`, form ? { method: 'POST', headers, body: new URLSearchParams(form) } : { headers });
    return answer.json();
  }

  /* An intent, paid, captured and refunded, with one refusal on the way: six events. */
  async sell(booking) {
    const { id } = await this.call('payment_intents', { amount: 4200, currency: 'eur', capture_method: 'manual', 'metadata[booking_id]': booking });
    await this.call(`payment_intents/${id}/confirm`, { payment_method: 'tok_declined' });
    await this.call(`payment_intents/${id}/confirm`, { payment_method: 'pm_card_visa' });
    await this.call(`payment_intents/${id}/capture`, {});
    await this.call('refunds', { payment_intent: id });
    return id;
  }

  create() {
    return this.call('payment_intents', { amount: 100, currency: 'eur' });
  }
}

beforeEach(async () => {
  folder = make_folder();
  receiver = new Receiver();
  sandbox = new Sandbox();
  await receiver.listen();
});

afterEach(() => {
  sandbox.child?.kill('SIGKILL');
  receiver.close();
  remove_folder(folder);
});

function assert_signed({ body, signature }) {
  const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature);
  assert.equal(hex, createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
  assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 60);
  return Number(seconds);
}

test('each event arrives as GET shows it, signed, with the metadata of its payment', async () => {
  /* Red if a kind of event is not sent, the signature is not over the bytes that are sent, or the shop's metadata is
   * missing from one. */
  await sandbox.start('--webhook', receiver.url);
  const sold = await sandbox.sell('b1');
  const { id } = await sandbox.create();
  await sandbox.call(`payment_intents/${id}/cancel`, {});
  await until('seven events are there', () => receiver.taken().size === 7);
  const of = (type) => receiver.got.find((one) => one.event.type === type && (one.event.data.object.payment_intent ?? one.event.data.object.id) === sold);
  for (const type of ['payment_intent.created', 'payment_intent.payment_failed', 'payment_intent.amount_capturable_updated',
    'payment_intent.succeeded', 'charge.refunded']) {
    const one = of(type);
    assert_signed(one);
    assert.equal(one.event.data.object.metadata.booking_id, 'b1', type);
    assert.match(one.headers['content-type'], /^application\/json; charset=utf-8$/);
    assert.deepEqual(await sandbox.call(`events/${one.event.id}`), one.event);
  }
  assert.equal(of('charge.refunded').event.data.object.amount_refunded, 4200);
  assert.ok(receiver.got.some((one) => one.event.type === 'payment_intent.canceled'));
});

test('what was not taken comes again with the same id and a fresh signature', async () => {
  /* Red if a refused event is forgotten, is a new event the next time, or carries its first signature again; or if one
   * that was taken comes again. */
  receiver.refuse = (event, tries) => [500, 302, 0][tries];
  await sandbox.start('--webhook', receiver.url);
  await sandbox.create();
  await until('it is taken', () => receiver.taken().size === 1, 40_000);
  assert.equal(receiver.got.length, 3);
  const stamps = receiver.got.map(assert_signed);
  assert.equal(new Set(receiver.got.map((one) => one.body)).size, 1);
  assert.ok(stamps[0] < stamps[2]);
});

test('what is owed survives kill -9, and what was delivered does not come again', async () => {
  /* Red if the list of what is owed is kept in memory, a mark is not written, or events from before the webhook are sent. */
  await sandbox.start();
  await sandbox.create();
  await sandbox.kill();
  receiver.refuse = (event) => (event.data.object.metadata.booking_id === 'owed' ? 503 : 0);
  await sandbox.start('--webhook', receiver.url);
  await sandbox.sell('taken');
  await sandbox.sell('owed');
  await until('all were tried', () => new Set(receiver.got.map((one) => one.event.id)).size === 10);
  await until('the others are marked', async () => (await sandbox.call('events?delivery_success=false')).data.length === 5);
  const taken = receiver.taken();
  assert.equal(taken.size, 5);
  await sandbox.kill();
  receiver.got = [];
  receiver.refuse = () => 0;
  await sandbox.start('--webhook', receiver.url);
  await until('the rest is there', () => receiver.taken().size === 5, 40_000);
  assert.ok(receiver.got.every((one) => !taken.has(one.event.id) && one.event.data.object.metadata.booking_id === 'owed'));
  await sandbox.kill();
});

test('events made while nobody listened come when somebody does', async () => {
  /* Red if a connection that is refused ends an event. */
  const { url } = receiver;
  receiver.close();
  await sandbox.start('--webhook', url);
  await sandbox.create();
  const { port } = new URL(url);
  receiver = new Receiver();
  receiver.server.listen(Number(port), '127.0.0.1');
  await until('it is there', () => receiver.taken().size === 1, 40_000);
});

test('an endpoint that never answers keeps neither the shop nor the end waiting', async () => {
  /* Red if a call waits for a webhook, more messages are under way than there are places for them, or SIGTERM waits. */
  receiver.refuse = () => null;
  await sandbox.start('--webhook', receiver.url);
  for (let i = 0; i < 10; i++) await sandbox.sell(`b${i}`);
  await until('some are under way', () => receiver.got.length >= 16);
  assert.equal(receiver.got.length, 16);
  const { data } = await sandbox.call('events?limit=100');
  assert.equal(data.length, 50);
  sandbox.child.kill('SIGTERM');
  const [code] = await once(sandbox.child, 'exit');
  assert.equal(code, 0);
});

test('a webhook without a secret, or to another machine in the clear, is refused', async () => {
  /* Red if events could leave unsigned, or readable on a network. */
  const env = { ONSALE_SANDBOX_WEBHOOK_SECRET: '' };
  const unsigned = await run_onsale(['sandbox', '--data', folder, '--webhook', receiver.url], { env });
  assert.equal(unsigned.code, 2);
  const readable = await run_onsale(['sandbox', '--data', folder, '--webhook', 'http://192.0.2.1/', '--webhook-secret', 'x'], { env });
  assert.equal(readable.code, 1);
  assert.match(readable.stderr, /192\.0\.2\.1/);
});

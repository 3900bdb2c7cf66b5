/* What the operator's own systems are told: every sale, cancellation, refund and freed seat, signed, at least once.
 *
 * The receiver here knows nothing of ours but docs/webhooks.md: it checks each request as the Standard Webhooks
 * specification says, and fails the test at the first that does not hold. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as create_secure_server } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { Server, exchange, make_folder, remove_folder, run_onsale, sleep, until } from './harness.mjs';

const new_secret = () => `whsec_${randomBytes(32).toString('base64')}`;

/* Throws unless one of the signatures is by this secret and the timestamp is now. */
function verify(secret, headers, body) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  assert.match(id, /^evt_[0-9a-f]{12}_[0-9]+_[0-9]+$/);
  assert.match(timestamp, /^\d+$/);
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300, 'the timestamp is now');
  const wanted = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const signed = signatures.split(' ').some((signature) => {
    assert.match(signature, /^v1,/);
    const given = Buffer.from(signature.slice(3), 'base64');
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  assert.ok(signed, 'one of the signatures is by our secret');
}

/* The same as docs/webhooks.md tells its readers to do it. */
const documented = await (async () => {
  const text = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');
  const [, code] = /^```js\n(.*?)^```$/ms.exec(text);
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
})();

/* Answers each request with what answer(event, attempt) says: a status, or a promise of one. */
class Receiver {
  static async start(secret, answer = () => 204, make = createServer) {
    const receiver = new Receiver();
    Object.assign(receiver, { secret, answer, requests: [], faults: [] });
    receiver.http = make((request, response) => receiver.take(request, response).catch((fault) => {
      receiver.faults.push(fault);
      response.destroy();
    }));
    await receiver.listen();
    return receiver;
  }

  async listen() {
    this.http.listen(this.port ?? 0, '127.0.0.1');
    await once(this.http, 'listening');
    this.port = this.http.address().port;
    this.url = `http://127.0.0.1:${this.port}/hooks/onsale?shop=1`;
  }

  /* Its connections end too, as they do when a process ends. */
  async close() {
    const closed = once(this.http, 'close');
    this.http.close();
    this.http.closeAllConnections();
    await closed;
  }

  async take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    assert.equal(request.method, 'POST');
    assert.equal(request.url, '/hooks/onsale?shop=1');
    assert.equal(request.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    verify(this.secret, request.headers, body);
    assert.ok(documented.verify(this.secret, request.headers, body));
    assert.ok(!documented.verify(new_secret(), request.headers, body));
    assert.ok(!documented.verify(this.secret, request.headers, `${body} `));
    assert.ok(!documented.verify(this.secret, { ...request.headers, 'webhook-timestamp': '1614265330' }, body));
    const event = JSON.parse(body.toString());
    assert.equal(event.specversion, '1.0');
    assert.equal(event.id, request.headers['webhook-id']);
    assert.match(event.source, /^urn:onsale:[0-9a-f-]{36}$/);
    assert.equal(event.datacontenttype, 'application/json');
    assert.ok(Math.abs(Date.now() - Date.parse(event.time)) < 600_000);
    const attempt = this.requests.filter((one) => one.event.id === event.id).length + 1;
    const taken = { event, attempt, body: body.toString() };
    this.requests.push(taken);
    taken.status = await this.answer(event, attempt);
    response.writeHead(taken.status).end();
  }

  /* Those that were answered with 2xx, each once. */
  taken() {
    const by_id = new Map(this.requests.filter(({ status }) => status >= 200 && status < 300).map(({ event }) => [event.id, event]));
    return [...by_id.values()];
  }

  async until_taken(what, look) {
    return until(what, () => {
      if (this.faults.length) throw this.faults[0];
      return this.taken().find(look);
    }, 40_000);
  }

  of_booking(type, booking_id) {
    return this.until_taken(`${type} of a booking was taken`, (event) => event.type === `onsale.booking.${type}` && event.data.booking_id === booking_id);
  }
}

async function shop(receiver, secrets = receiver.secret, more = {}) {
  const server = await Server.start({ args: ['--webhook', receiver.url], env: { ONSALE_WEBHOOK_SECRET: secrets }, ...more });
  for (const secret of secrets.split(' ')) server.secrets.add(secret);
  return server;
}

async function end(server, receiver) {
  await server.stop();
  await receiver.close();
  assert.deepEqual(receiver.faults, []);
}

const webhooks = async (server) => {
  const { status, json } = await server.admin('GET', '/api/v1/admin/webhooks');
  assert.equal(status, 200);
  return json;
};

async function metric(server, name) {
  const { body } = await exchange(server.operator, 'GET', '/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body.toString())[1]);
}

test('a sale, its refund and the seats that come free are told, signed, in this order', async () => {
  // red when: an event is not put into the outbox with what it is about, or letter_write_headers() signs something else
  const receiver = await Receiver.start(new_secret());
  const server = await shop(receiver);
  const show = await server.show();
  const { booking_id, reservation_id } = await server.book(show, ['A1', 'A2'], 'ann');
  const confirmed = await receiver.of_booking('confirmed', booking_id);
  assert.equal(confirmed.subject, booking_id);
  const { data } = confirmed;
  assert.deepEqual(
    { show_id: data.show_id, reservation_id: data.reservation_id, user_id: data.user_id, seat_ids: data.seat_ids, amount: data.amount, currency: data.currency, status: data.status },
    { show_id: show, reservation_id, user_id: 'ann', seat_ids: ['A1', 'A2'], amount: 10000, currency: 'EUR', status: 'CONFIRMED' });

  const refund = await server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'a test' } });
  assert.ok([200, 202].includes(refund.status), refund.body.toString());
  const cancelled = await receiver.of_booking('cancelled', booking_id);
  assert.equal(cancelled.data.status, 'CANCELLED');
  const released = await receiver.until_taken('the seats are free', ({ type, data: { seat_ids } }) => type === 'onsale.seats.released' && seat_ids.includes('A1'));
  assert.equal(released.subject, show);
  assert.deepEqual([released.data.show_id, [...released.data.seat_ids].sort()], [show, ['A1', 'A2']]);
  const refunded = await receiver.of_booking('refunded', booking_id);
  assert.equal(refunded.data.refunded, 10000);
  const order = [confirmed, cancelled, refunded].map(({ sequence }) => sequence);
  assert.deepEqual(order, [...order].sort());
  await until('nothing waits', async () => (await webhooks(server)).waiting === 0);
  assert.ok(await metric(server, 'onsale_webhooks_delivered_total') >= 4);
  await end(server, receiver);
});

test('while the secret is changed, both the old and the new one verify', async () => {
  // red when: only the first of the secrets signs
  const [old_secret, secret] = [new_secret(), new_secret()];
  const receiver = await Receiver.start(secret);
  const server = await shop(receiver, `${old_secret} ${secret}`);
  const { booking_id } = await server.book(await server.show(), ['A1']);
  await receiver.of_booking('confirmed', booking_id);
  receiver.secret = old_secret;
  const again = await server.book(await server.show(), ['A1']);
  await receiver.of_booking('confirmed', again.booking_id);
  await end(server, receiver);
});

test('what is refused comes again, the same under the same id', async () => {
  // red when: put_off() counts a refusal as delivered, or an id is made anew at each attempt
  const receiver = await Receiver.start(new_secret(), (event, attempt) => (attempt === 1 ? 503 : 200));
  const server = await shop(receiver);
  const show = await server.show();
  const bookings = [];
  for (const seat of ['A1', 'A3', 'A5']) bookings.push(await server.book(show, [seat], seat));
  for (const { booking_id } of bookings) await receiver.of_booking('confirmed', booking_id);
  for (const { event } of receiver.requests) {
    const attempts = receiver.requests.filter((one) => one.event.id === event.id);
    assert.equal(new Set(attempts.map(({ body }) => body)).size, 1);
    assert.equal(attempts[0].status, 503);
  }
  assert.ok(await metric(server, 'onsale_webhooks_failed_total') >= 3);
  await end(server, receiver);
});

test('an endpoint that is down while the server starts again misses nothing', async () => {
  // red when: what waits is kept in memory only
  const receiver = await Receiver.start(new_secret());
  const server = await shop(receiver);
  const show = await server.show();
  await receiver.close();
  const { booking_id } = await server.book(show, ['A1']);
  await until('it waits', async () => (await webhooks(server)).waiting > 0);
  await server.restart();
  const { waiting, dead, oldest_waiting_at } = await webhooks(server);
  assert.ok(waiting > 0 && dead === 0 && Date.parse(oldest_waiting_at) <= Date.now());
  await receiver.listen();
  await receiver.of_booking('confirmed', booking_id);
  await end(server, receiver);
});

test('kill -9 between a sale and its delivery loses no event', async () => {
  // red when: an event is deleted before it was delivered, or put into the outbox after the sale's commit
  let held = true; // nobody is answered in the first rounds
  const receiver = await Receiver.start(new_secret(), async () => {
    if (held) await sleep(60_000, undefined, { ref: false });
    return 200;
  });
  const server = await shop(receiver);
  const show = await server.show();
  const bookings = [];
  for (let round = 0; round < 6; round++) {
    held = round < 3;
    for (const seat of [`A${3 * round + 1}`, `B${3 * round + 1}`]) {
      const { reservation_id } = await server.hold(show, [seat], `fan-${seat}`);
      const confirmed = await server.confirm(reservation_id);
      if (confirmed.status === 200) bookings.push(confirmed.json.booking_id);
    }
    await sleep(round * 5);
    await server.restart();
  }
  held = false;
  assert.equal(bookings.length, 12);
  for (const booking_id of bookings) await receiver.of_booking('confirmed', booking_id);
  await end(server, receiver);
});

test('what an endpoint calls gone is kept where the operator sees it, until it is tried again', async () => {
  // red when: a dead event is dropped, tried by itself, or not found by its id
  let status = 410;
  const receiver = await Receiver.start(new_secret(), () => status);
  const server = await shop(receiver);
  const show = await server.show();
  const { booking_id } = await server.book(show, ['A1']);
  const other = await server.book(show, ['A3'], 'bob');
  const told = await until('both are dead', async () => {
    const now = await webhooks(server);
    return now.dead >= 2 && now.waiting === 0 && now;
  });
  const [first, second] = [booking_id, other.booking_id].map((id) => told.events.find(({ subject }) => subject === id));
  assert.deepEqual([first.type, first.attempts, first.why], ['onsale.booking.confirmed', 1, '410']);
  await until('the metric says so', async () => await metric(server, 'onsale_webhooks_dead') === told.dead);
  assert.ok(server.stderr.includes(`"event_id":"${first.event_id}"`) && server.stderr.includes('"level":"error"'));

  const page = await server.admin('GET', '/api/v1/admin/webhooks?limit=1');
  assert.equal(page.json.events.length, 1);
  assert.equal(page.json.next, page.json.events[0].event_id);
  const next = await server.admin('GET', `/api/v1/admin/webhooks?limit=1000&after=${page.json.next}`);
  assert.equal(next.json.events.length, told.dead - 1);
  assert.equal(next.json.next, null);
  for (const query of ['limit=0', 'limit=1001', 'after=b1', 'after=evt_000000000000_1_1'])
    assert.equal((await server.admin('GET', `/api/v1/admin/webhooks?${query}`)).status, 422, query);

  const retry = (body, headers) => server.admin('POST', '/api/v1/admin/webhooks/retry', { body, headers });
  const before = receiver.requests.length;
  assert.equal((await retry({ event_id: 'evt_000000000000_1_1' })).status, 404);
  assert.equal((await retry({ event_id: first.event_id.replace(/_\d+_/, '_999999_') })).status, 404);
  assert.equal((await retry({ event_id: 7 })).status, 422);
  await sleep(1200); // longer than the courier's look at the outbox
  assert.equal(receiver.requests.length, before);

  status = 200;
  const key = { 'Idempotency-Key': 'retry-the-first-one' };
  const answer = await retry({ event_id: first.event_id }, key);
  assert.deepEqual([answer.status, answer.json], [200, { retried: 1 }]);
  const taken = await receiver.of_booking('confirmed', booking_id);
  assert.equal(taken.id, first.event_id);
  const replay = await retry({ event_id: first.event_id }, key);
  assert.deepEqual([replay.status, replay.json, replay.headers.get('idempotency-replayed')], [200, { retried: 1 }, 'true']);
  assert.equal((await retry({ event_id: first.event_id })).status, 404);

  assert.deepEqual((await retry({})).json, { retried: told.dead - 1 });
  assert.equal((await receiver.of_booking('confirmed', other.booking_id)).id, second.event_id);
  await until('none is dead', async () => (await webhooks(server)).dead === 0);
  assert.deepEqual((await retry({})).json, { retried: 0 });
  await end(server, receiver);
});

test('a certificate that nobody vouches for is not spoken to', async () => {
  // red when: the sender does not verify its peer
  const folder = make_folder();
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'key'), '-out', join(folder, 'certificate')], { stdio: 'ignore' });
  const identity = { key: readFileSync(join(folder, 'key')), cert: readFileSync(join(folder, 'certificate')) };
  const receiver = await Receiver.start(new_secret(), () => 200, (listener) => create_secure_server(identity, listener));
  receiver.url = receiver.url.replace('http:', 'https:');
  const server = await shop(receiver);
  await server.book(await server.show(), ['A1']);
  await until('it was tried', async () => await metric(server, 'onsale_webhooks_failed_total') > 0);
  assert.ok(server.stderr.includes('its certificate is not trusted'));
  assert.equal(receiver.requests.length, 0);
  assert.ok((await webhooks(server)).waiting > 0);
  await end(server, receiver);
  remove_folder(folder);
});

test('the kinds of events that there are stand in docs/webhooks.md', () => {
  // red when: a kind is added to notice_type() and nobody is told of it
  const documented_types = [...readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8').matchAll(/^\| `onsale\.([a-z_.]+)` \|/gm)];
  const types = [...readFileSync(new URL('../../src/bookings/notice.c', import.meta.url), 'utf8').matchAll(/^ +\[NOTICE_\w+\] = "([a-z_.]+)"/gm)];
  assert.ok(types.length >= 5);
  assert.deepEqual(documented_types.map(([, type]) => type).sort(), types.map(([, type]) => type).sort());
});

test('without an endpoint nothing waits', async () => {
  // red when: events are put into the outbox that nobody will ever deliver
  const server = await Server.start();
  await server.book(await server.show(), ['A1']);
  assert.deepEqual(await webhooks(server), { waiting: 0, dead: 0, oldest_waiting_at: null, events: [], next: null });
  await server.stop();
});

test('a server that could not sign, or would tell strangers in the clear, does not start', async () => {
  // red when: open_webhook() lets one of these pass
  const folder = make_folder();
  for (const [url, secret, words] of [
    ['https://example.com/', '', /ONSALE_WEBHOOK_SECRET.*make one with/],
    ['https://example.com/', 'whsec_short', /ONSALE_WEBHOOK_SECRET.*make one with/],
    ['http://example.com/', new_secret(), /--webhook http:\/\/example\.com\/: has to be https/],
    ['example.com', new_secret(), /--webhook example\.com: has to be https/],
  ]) {
    const { code, stderr } = await run_onsale(
      ['serve', '--data', folder, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--webhook', url], { env: { ONSALE_WEBHOOK_SECRET: secret } });
    assert.equal(code, 1, stderr);
    assert.match(stderr, words);
    assert.ok(!secret || !stderr.includes(secret));
  }
  remove_folder(folder);
});

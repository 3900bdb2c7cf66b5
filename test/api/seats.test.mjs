/* What viewers see: seats, bits and plan; their ETags, gzip, and that an answer is never older than what was answered
 * before it was asked for. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Server } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const AVAILABLE = 0;
const HELD = 1;
const BOOKED = 2;
const bit_state = (bits, i) => (bits[i >> 2] >> ((i & 3) * 2)) & 3;

test('seats are told in plan order with their status, in the spec\'s form', async () => {
  // red when: GET …/seats changes a member's name or the order
  const show = await server.show({ rows: 1, seats_per_row: 4 });
  await server.hold(show, ['A2']);
  await server.book(show, ['A3'], 'bob');
  const { json } = await server.fan('GET', `/api/v1/shows/${show}/seats`);
  assert.deepEqual(json, [
    { seat_id: 'A1', status: 'AVAILABLE' }, { seat_id: 'A2', status: 'HELD' },
    { seat_id: 'A3', status: 'BOOKED' }, { seat_id: 'A4', status: 'AVAILABLE' },
  ]);
});

test('seats.bits says the same in two bits a seat, with the sequence', async () => {
  // red when: the bits' order within a byte changes, or X-Sequence does not rise
  const show = await server.show({ rows: 1, seats_per_row: 7 });
  const first = await server.fan('GET', `/api/v1/shows/${show}/seats.bits`);
  assert.equal(first.status, 200);
  assert.equal(first.body.length, 2);
  await server.hold(show, ['A2']);
  await server.book(show, ['A5', 'A7'], 'bob');
  const second = await server.fan('GET', `/api/v1/shows/${show}/seats.bits`);
  const states = [...Array(7).keys()].map((i) => bit_state(second.body, i));
  assert.deepEqual(states, [AVAILABLE, HELD, AVAILABLE, AVAILABLE, BOOKED, AVAILABLE, BOOKED]);
  assert.ok(Number(second.headers.get('x-sequence')) > Number(first.headers.get('x-sequence')));
});

test('a GET sent after a reserve was answered shows HELD, a hundred times', async () => {
  // red when: a snapshot older than the show is given out
  const show = await server.show({ rows: 5, seats_per_row: 20 });
  const names = Object.keys(await server.seats(show));
  for (const name of names) {
    const { reservation_id } = await server.hold(show, [name], 'ann');
    assert.equal((await server.seats(show))[name], 'HELD', name);
    if (names.indexOf(name) % 2 === 0) {
      assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).status, 204);
      const bits = (await server.fan('GET', `/api/v1/shows/${show}/seats.bits`)).body;
      assert.equal(bit_state(bits, names.indexOf(name)), AVAILABLE, name);
    }
  }
});

for (const path of ['seats', 'seats.bits', 'plan']) {
  test(`${path} has an ETag that is answered 304 until something changes`, async () => {
    // red when: If-None-Match is not looked at, or the ETag outlives a change
    const show = await server.show();
    const address = `/api/v1/shows/${show}/${path}`;
    const first = await server.fan('GET', address);
    const etag = first.headers.get('etag');
    for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
      assert.equal((await server.fan('GET', address, { headers: { 'If-None-Match': sent } })).status, 304, sent);
    assert.equal((await server.fan('GET', address, { headers: { 'If-None-Match': '"other"' } })).status, 200);
    await server.hold(show, ['A1']);
    const later = await server.fan('GET', address, { headers: { 'If-None-Match': etag } });
    assert.equal(later.status, path === 'plan' ? 304 : 200);
  });
}

for (const path of ['seats', 'plan']) {
  test(`${path} is compressed for those who accept it, and the same inside`, async () => {
    // red when: gzip is sent to who did not ask, or holds another snapshot
    const show = await server.show({ rows: 20, seats_per_row: 50 });
    const address = `/api/v1/shows/${show}/${path}`;
    const plain = await server.fan('GET', address, { headers: { 'Accept-Encoding': 'gzip;q=0, identity' } });
    assert.equal(plain.headers.get('content-encoding'), null);
    const packed = await server.fan('GET', address, { headers: { 'Accept-Encoding': 'br, gzip;q=0.8' }, check: false });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    assert.match(packed.headers.get('vary') ?? '', /accept-encoding/i);
    assert.ok(packed.body.length < plain.body.length / 3);
    assert.deepEqual(JSON.parse(gunzipSync(packed.body)), plain.json);
  });
}

test('HEAD has the length of GET and no body', async () => {
  // red when: HEAD goes another way than GET
  const show = await server.show();
  for (const path of ['', '/seats', '/seats.bits', '/plan']) {
    const head = await server.fan('HEAD', `/api/v1/shows/${show}${path}`);
    const get = await server.fan('GET', `/api/v1/shows/${show}${path}`);
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal(head.headers.get('content-length'), String(get.body.length), path);
  }
});

test('what is the same for every fan may be cached, what is personal may not', async () => {
  // red when: a reservation is sent without no-store
  const show = await server.show();
  for (const path of ['', '/seats', '/seats.bits', '/plan'])
    assert.match((await server.fan('GET', `/api/v1/shows/${show}${path}`)).headers.get('cache-control'), /max-age/);
  assert.match((await server.fan('GET', `/api/v1/shows/${show}/plan`)).headers.get('cache-control'), /immutable/);
  const { reservation_id } = await server.hold(show, ['A1']);
  assert.equal((await server.fan('GET', `/api/v1/reservations/${reservation_id}`)).headers.get('cache-control'), 'no-store');
});

test('the plan has every seat with its place and category, and the show names its hash', async () => {
  // red when: plan_write() leaves seats out
  const show = await server.show({ rows: 3, seats_per_row: 5, areas: [{ name: 'Floor', capacity: 10, category: 'Standard' }] });
  const plan = await server.fan('GET', `/api/v1/shows/${show}/plan`);
  const seats = plan.json.sections.flatMap((section) => section.rows ?? []).flatMap((row) => row.seats);
  assert.equal(seats.length, 15);
  assert.ok(seats.every((seat) => seat.seat_id && Number.isFinite(seat.x) && Number.isFinite(seat.y) && seat.category === 'Standard'));
  const { json } = await server.fan('GET', `/api/v1/shows/${show}`);
  assert.equal(plan.headers.get('etag'), `"${json.plan.hash}"`);
  assert.equal((await server.fan('GET', json.plan.href, { check: false })).status, 200);
});

test('a hundred viewers of a changing show each see a whole and later state', async () => {
  // red when: a snapshot mixes two states, or waiters are forgotten
  const show = await server.show({ rows: 4, seats_per_row: 25 });
  const names = Object.keys(await server.seats(show));
  const looks = names.slice(0, 50).map(async (name, i) => {
    await server.hold(show, [name, names[50 + i]], 'ann');
    const seen = await server.seats(show);
    assert.equal(seen[name], 'HELD');
    assert.equal(seen[names[50 + i]], 'HELD');
    for (let other = 0; other < 50; other++) assert.equal(seen[names[other]], seen[names[50 + other]], 'a hold is seen whole or not at all');
  });
  await Promise.all(looks);
});

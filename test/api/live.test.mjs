/* The seat map, pushed: a snapshot, then deltas; resuming; and what a WebSocket's peer may not do on this route. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Server, sleep, until } from './harness.mjs';
import { LiveViewer, decode, words } from './live_viewer.mjs';
import { BINARY, PING, PONG, TEXT, WebSocketClient, ask_upgrade, frame } from './websocket.mjs';

let server;
let show; // nobody sells of it
let path;
before(async () => {
  server = await Server.start();
  show = await server.show({ rows: 2, seats_per_row: 20 });
  path = `/api/v1/shows/${show}/live`;
});
after(() => server.stop());

const release = async (reservation_id) => assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).status, 204);
const small_show = () => server.show({ rows: 1, seats_per_row: 10 });
const metric = async (name) => Number((await server.admin('GET', '/metrics', { check: false })).body.toString().match(new RegExp(`^${name} (\\S+)$`, 'm'))[1]);

for (const format of [undefined, 'json']) {
  const form = format ?? 'binary';

  test(`${form}: a viewer gets a snapshot, then what changes, the sequence rising by one`, async () => {
    // red when: a change is told to nobody, or not alone
    const own = await small_show();
    await server.hold(own, ['A2']);
    const viewer = await LiveViewer.open(server, own, { format });
    const first = await viewer.next();
    assert.equal(first.type, 'snapshot');
    await viewer.until((seats) => seats.A2 === 'HELD');
    const { reservation_id } = await server.hold(own, ['A5', 'A3']);
    const begun = viewer.frames.length;
    await viewer.until((seats) => seats.A3 === 'HELD' && seats.A5 === 'HELD');
    await release(reservation_id);
    await viewer.until((seats) => seats.A3 === 'AVAILABLE' && seats.A5 === 'AVAILABLE');
    await server.book(own, ['A1']);
    await viewer.until((seats) => seats.A1 === 'BOOKED');
    const deltas = viewer.frames.slice(begun);
    assert.ok(deltas.length >= 3);
    for (const [i, delta] of deltas.entries()) {
      assert.equal(delta.type, 'delta');
      assert.equal(delta.since, delta.sequence - 1);
      if (i) assert.equal(delta.sequence, deltas[i - 1].sequence + 1);
    }
    assert.deepEqual(viewer.seats, await server.seats(own));
    await viewer.close();
  });

  test(`${form}: two viewers get equal bytes`, async () => {
    // red when: a frame has something personal in it
    const own = await small_show();
    const [one, other] = await Promise.all([1, 2].map(() => LiveViewer.open(server, own, { format })));
    assert.deepEqual((await one.next()).payload, (await other.next()).payload);
    await server.hold(own, ['A1', 'A2']);
    assert.deepEqual((await one.next()).payload, (await other.next()).payload);
    await Promise.all([one.close(), other.close()]);
  });

  test(`${form}: who was away gets one delta of all that has changed`, async () => {
    // red when: a lost connection costs a snapshot, or a change that was missed is left out
    const own = await small_show();
    const viewer = await LiveViewer.open(server, own, { format });
    await viewer.next();
    await server.hold(own, ['A1']);
    await viewer.until((seats) => seats.A1 === 'HELD');
    viewer.client.drop();
    const watcher = await LiveViewer.open(server, own);
    for (const seat of ['A2', 'A3', 'A4']) {
      await server.hold(own, [seat]);
      await watcher.until((seats) => seats[seat] === 'HELD');
    }
    const { sequence } = viewer;
    await viewer.connect(server, own, { format, since: viewer.place });
    const { type, since, count, sequence: now } = await viewer.next();
    assert.deepEqual({ type, since, count }, { type: 'delta', since: sequence, count: 3 });
    assert.ok(now >= sequence + 3);
    assert.deepEqual(viewer.seats, await server.seats(own));
    await viewer.close();
    await watcher.close();
  });
}

test('who has missed nothing is told so, by a delta of nothing', async () => {
  // red when: resuming at the newest sequence is a snapshot
  const viewer = await LiveViewer.open(server, show);
  await viewer.next();
  await viewer.close();
  await viewer.connect(server, show, { since: viewer.place });
  const { type, count, since, sequence } = await viewer.next();
  assert.deepEqual({ type, count, since }, { type: 'delta', count: 0, since: sequence });
  await viewer.close();
});

test('a feed or a sequence that is not known gets a snapshot', async () => {
  // red when: a restart is not noticed
  const viewer = await LiveViewer.open(server, show);
  const { feed, sequence } = await viewer.next();
  const other = feed.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  for (const since of [`${other}.${sequence}`, `${feed}.${sequence + 1000}`, `${feed}.0`]) {
    const again = await LiveViewer.open(server, show, { since });
    assert.equal((await again.next()).type, 'snapshot', since);
    await again.close();
  }
  await viewer.close();
});

test('seats.bits names the place that deltas go on from', async () => {
  // red when: X-Sequence is another count than the feed's, or a 304 says where some other snapshot stands
  const own = await small_show();
  const names = Object.keys(await server.seats(own));
  await server.hold(own, ['A7']);
  const bits = await server.fan('GET', `/api/v1/shows/${own}/seats.bits`);
  const again = await server.fan('GET', `/api/v1/shows/${own}/seats.bits`, { headers: { 'If-None-Match': bits.headers.get('etag') } });
  assert.equal(again.status, 304);
  for (const name of ['x-feed', 'x-sequence']) assert.equal(again.headers.get(name), bits.headers.get(name), name);
  const viewer = new LiveViewer(names);
  viewer.start_from(bits);
  assert.equal(viewer.seats.A7, 'HELD');
  await server.hold(own, ['A8']);
  await viewer.connect(server, own, { since: viewer.place });
  await viewer.until((seats) => seats.A8 === 'HELD');
  assert.ok(viewer.frames.every(({ type }) => type === 'delta'));
  assert.deepEqual(viewer.seats, await server.seats(own));
  await viewer.close();
});

test('a snapshot shown between two frames is made up for by the next', async () => {
  // red when: a seat that was shown held by GET and is free again by the next frame is not in it
  const own = await small_show();
  const names = Object.keys(await server.seats(own));
  const viewer = await LiveViewer.open(server, own, { names });
  for (let i = 0; i < 40; i++) {
    const { reservation_id } = await server.hold(own, ['A4']);
    const shown = new LiveViewer(names);
    shown.start_from(await server.fan('GET', `/api/v1/shows/${own}/seats.bits`));
    assert.equal(shown.seats.A4, 'HELD');
    await release(reservation_id);
    await shown.connect(server, own, { since: shown.place });
    await shown.until((seats) => seats.A4 === 'AVAILABLE');
    shown.client.drop();
  }
  await viewer.close();
});

test('many changes are told together, ten frames a second at most', async () => {
  // red when: each change is a push
  const own = await server.show({ rows: 10, seats_per_row: 20 });
  const viewer = await LiveViewer.open(server, own);
  await viewer.next();
  const begun = Date.now();
  for (const name of viewer.names) await server.hold(own, [name]);
  await viewer.until((seats) => Object.values(seats).every((status) => status === 'HELD'));
  const seconds = (Date.now() - begun) / 1000;
  assert.ok(viewer.frames.length <= 10 * seconds + 3, `${viewer.frames.length} frames in ${seconds} s`);
  await viewer.close();
});

test('a restart is another feed, and who comes back converges', async () => {
  // red when: a delta of one run is applied to another's state
  const other = await Server.start();
  try {
    const own = await other.show({ rows: 1, seats_per_row: 10 });
    const viewer = await LiveViewer.open(other, own);
    await viewer.next();
    await other.book(own, ['A1']);
    await viewer.until((seats) => seats.A1 === 'BOOKED');
    const before = viewer.feed;
    await other.restart();
    await viewer.connect(other, own, { since: viewer.place });
    assert.equal((await viewer.next()).type, 'snapshot');
    assert.notEqual(viewer.feed, before);
    await viewer.until((seats) => seats.A1 === 'BOOKED');
  } finally {
    await other.stop();
  }
});

test('the metrics say how many watch and how often they are told', async () => {
  // red when: viewers are not counted, or the tick is not told
  const viewers = await Promise.all([1, 2, 3].map((i) => LiveViewer.open(server, show, { format: i === 3 ? 'json' : undefined })));
  await until('three are counted', async () => await metric('onsale_live_viewers') === 3);
  assert.ok(await metric('onsale_live_tick_milliseconds') >= 100);
  assert.ok(await metric('onsale_live_frames_total') > 0);
  await Promise.all(viewers.map((viewer) => viewer.close()));
  await until('none is', async () => await metric('onsale_live_viewers') === 0);
});

/* ---- requests that are wrong ---- */

test('what is no upgrade, no show, no format or no place is a problem document', async () => {
  // red when: a query that is wrong is taken for none
  assert.equal((await server.fan('GET', path)).status, 426);
  const asked = async (address, headers) => {
    const { answer, socket } = await ask_upgrade(server.fans, address, headers);
    socket.destroy();
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    return { status: answer.status, headers: answer.headers, ...JSON.parse(answer.body.toString()) };
  };
  const older = await asked(path, { 'Sec-WebSocket-Version': '8' });
  assert.deepEqual([older.status, older.headers.get('sec-websocket-version')], [426, '13']);
  assert.equal((await asked(path, { 'Sec-WebSocket-Key': null })).status, 400);
  assert.equal((await asked('/api/v1/shows/00000000-0000-4000-8000-000000000000/live')).status, 404);
  const feed = '0123456789abcdef';
  for (const [query, pointer] of [['format=xml', '/format'], ['format=', '/format'], ['format=JSON', '/format'], ['since=', '/since'],
    ['since=1', '/since'], [`since=${feed}`, '/since'], [`since=${feed}.`, '/since'], [`since=${feed}.-1`, '/since'],
    [`since=${feed}.1x`, '/since'], [`since=${feed}.99999999999999999999`, '/since'], [`since=${feed.toUpperCase()}.1`, '/since'],
    [`since=${feed}0.1`, '/since'], [`format=json&since=${feed.slice(1)}.1`, '/since']]) {
    const { status, code, pointer: told } = await asked(`${path}?${query}`);
    assert.deepEqual({ status, code, told }, { status: 422, code: 'invalid_field', told: pointer }, query);
  }
});

const closing = [
  ['an unmasked frame', frame(TEXT, 'hello', { masked: false }), 1002],
  ['a reserved bit', frame(TEXT, 'hello', { rsv: 4 }), 1002],
  ['a length that is not in its shortest form', frame(TEXT, 'hello', { length_form: 16 }), 1002],
  ['a ping in parts', frame(PING, '', { fin: false }), 1002],
  ['text that is no UTF-8', frame(TEXT, Buffer.from([0xff])), 1007],
  ['a message of 4,097 bytes', frame(BINARY, '', { claim: 4097 }), 1009],
];
for (const [what, bytes, code] of closing) {
  test(`${what} is closed with ${code}`, async () => {
    // red when: this route is left out of what websocket_frames.h checks
    const viewer = await LiveViewer.open(server, show);
    viewer.client.send_bytes(bytes);
    assert.equal((await viewer.client.end()).code, code);
  });
}

test('what a viewer says is read and ignored, and a ping is answered', async () => {
  // red when: a message moves the feed
  const viewer = await LiveViewer.open(server, show);
  await viewer.next();
  viewer.client.send(TEXT, 'x'.repeat(4096));
  viewer.client.send(PING, 'are you there');
  assert.equal((await viewer.client.message(PONG)).payload.toString(), 'are you there');
  assert.equal(viewer.client.messages.length, 0);
  await viewer.close();
});

test('SIGTERM says 1001', async () => {
  // red when: viewers of seats are not among those who are told
  const other = await Server.start();
  const own = await other.show();
  const viewer = await LiveViewer.open(other, own);
  await viewer.next();
  const [end] = await Promise.all([viewer.client.end(), other.stop()]);
  assert.equal(end.code, 1001);
});

/* ---- the document ---- */

test("the worked example in docs/live-map.md decodes to what it says", () => {
  // red when: the format changes, or the example is edited by hand
  const text = readFileSync(new URL('../../docs/live-map.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```hex\n([^`]*)```\n+```json\n([^`]*)```/g)];
  assert.equal(examples.length, 2);
  for (const [, hex, json] of examples) {
    const bytes = Buffer.from(hex.replace(/#.*$/gm, '').replace(/\s/g, ''), 'hex');
    const told = JSON.parse(json);
    const read = decode(bytes);
    assert.deepEqual({ type: read.type, feed: read.feed, sequence: read.sequence }, { type: told.type, feed: told.feed, sequence: told.sequence });
    const name = (seat) => `A${seat + 1}`;
    const seats = read.type === 'snapshot' ? read.statuses.map((status, seat) => ({ seat_id: name(seat), status: words[status] }))
      : read.changes.map(({ seat, status }) => ({ seat_id: name(seat), status: words[status] }));
    assert.deepEqual(seats, told.seats);
    if (read.type === 'delta') assert.equal(read.since, told.since);
  }
});

test('idle feeds make no frames', async () => {
  // red when: a tick without news is a frame
  const viewer = await LiveViewer.open(server, show);
  await viewer.next();
  await sleep(400);
  assert.equal(viewer.client.messages.length, 0);
  await viewer.close();
});

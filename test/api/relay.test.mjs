/* The fan-out tier: a node that follows another one's public feeds, and shows them again. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as create_server, request as http_request } from 'node:http';
import { createServer as create_secure_server } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, exchange, make_folder, raw, remove_folder, run_onsale, until } from './harness.mjs';
import { LiveViewer } from './live_viewer.mjs';
import { Relay } from './relay.mjs';
import { BINARY, CONTINUATION, PING, TEXT, WebSocketClient, frame } from './websocket.mjs';

let server;
let relay;
let far; // a relay of the relay
let show;
before(async () => {
  server = await Server.start();
  show = await server.queue_show({ rows: 2, seats_per_row: 20, areas: [{ name: 'Floor', capacity: 30, category: 'Standard' }] });
  relay = await Relay.start(server.fans);
  far = await Relay.start(relay.fans);
});
after(async () => {
  await far?.stop();
  await relay?.stop();
  await server?.stop();
});

const fan = async (node, path, options) => node.fan('GET', path, options);
const same = async (path) => {
  const [own, near, distant] = await Promise.all([server, relay, far].map((node) => fan(node, path)));
  assert.equal(own.status, 200);
  for (const other of [near, distant]) {
    assert.equal(other.status, 200);
    assert.deepEqual(other.body, own.body, path);
    assert.equal(other.headers.get('content-type'), own.headers.get('content-type'));
    assert.equal(other.headers.get('cache-control'), own.headers.get('cache-control'));
  }
  return [own, near, distant].map(({ headers }) => headers.get('etag'));
};
const open_show = () => server.show({ rows: 1, seats_per_row: 10 });
const is_there = (node, id) => until('the show is there', async () => (await node.fan('GET', `/api/v1/shows/${id}`, { check: false })).status === 200);

test('shows, plans, seats and keys are as they are upstream, word by word', async () => {
  // red when: a document is made anew, or a plan is written otherwise
  for (const path of ['/api/v1/shows', `/api/v1/shows/${show}`, `/api/v1/shows/${show}/plan`, `/api/v1/shows/${show}/plan?part=overview`,
    `/api/v1/shows/${show}/plan?part=0`, '/.well-known/jwks.json', '/openapi.json']) {
    const [own, near, distant] = await same(path);
    assert.deepEqual([near, distant], [own, own], `one ETag: ${path}`);
  }
  await same(`/api/v1/shows/${show}/seats`);
  await same(`/api/v1/shows/${show}/seats.bits`);
  const { headers } = await fan(relay, `/api/v1/shows/${show}`);
  assert.equal((await fan(relay, `/api/v1/shows/${show}`, { headers: { 'If-None-Match': headers.get('etag') } })).status, 304);
});

test('a relay has no folder, no child and no secret', async () => {
  // red when: an engine is opened that nobody needs
  assert.deepEqual(relay.children(), []);
  assert.ok(!relay.stderr.includes('token'));
});

test('what happens is seen through a relay, and through a relay of a relay', async () => {
  // red when: frames are not handed on, or under another name
  const own = await open_show();
  await is_there(far, own);
  const viewers = await Promise.all([server, relay, far].map((node) => LiveViewer.open(node, own)));
  const text = await LiveViewer.open(far, own, { format: 'json' });
  await server.hold(own, ['A2', 'A3']);
  await server.book(own, ['A5'], 'bob');
  for (const viewer of [...viewers, text]) {
    await viewer.until((seats) => seats.A2 === 'HELD' && seats.A3 === 'HELD' && seats.A5 === 'BOOKED');
    assert.equal(viewer.feed, viewers[0].feed);
    await viewer.close();
  }
  const truth = await server.seats(own);
  for (const node of [relay, far]) assert.deepEqual(await node.seats(own), truth);
});

test('a viewer goes from one node to another, and on from where they were', async () => {
  // red when: a relay's feed has a name of its own, or leaves out what a viewer of another node has not seen
  const own = await open_show();
  await is_there(far, own);
  const viewer = await LiveViewer.open(far, own);
  await server.hold(own, ['A1']);
  await viewer.until((seats) => seats.A1 === 'HELD');
  await viewer.close();
  const { reservation_id } = await server.hold(own, ['A7']);
  await server.hold(own, ['A8']);
  const watcher = await LiveViewer.open(far, own);
  await watcher.until((seats) => seats.A7 === 'HELD' && seats.A8 === 'HELD');
  await watcher.close();
  for (const node of [server, relay, far]) {
    const { place } = viewer;
    await viewer.connect(node, own, { since: place });
    const frame = await viewer.next();
    assert.equal(frame.type, 'delta');
    assert.deepEqual(viewer.seats, await server.seats(own));
    await viewer.close();
  }
  assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).status, 204);
  await viewer.connect(relay, own, { since: viewer.place });
  await viewer.until((seats) => seats.A7 === 'AVAILABLE');
  await viewer.close();
});

test('a snapshot of a relay can be gone on from', async () => {
  // red when: X-Feed and X-Sequence of a relay say nothing of its deltas
  const own = await open_show();
  await is_there(relay, own);
  const names = Object.keys(await server.seats(own));
  const viewer = new LiveViewer(names);
  await server.hold(own, ['A4']);
  viewer.start_from(await until('the snapshot has it', async () => {
    const snapshot = await fan(relay, `/api/v1/shows/${own}/seats.bits`);
    return (snapshot.body[0] >> 6 & 3) === 1 && snapshot;
  }));
  await viewer.connect(relay, own, { since: viewer.place });
  await server.hold(own, ['A9']);
  await viewer.until((seats) => seats.A9 === 'HELD' && seats.A4 === 'HELD');
  await viewer.close();
});

test('the queue’s status is pushed through', async () => {
  // red when: the status is asked for only, or not handed on to who watches
  const own = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  await is_there(far, own);
  const watchers = await Promise.all([relay, far].map((node) => WebSocketClient.open(node.fans, `/api/v1/shows/${own}/queue/live`)));
  for (const user of ['ann', 'bob', 'cid']) await server.place(own, user);
  for (const watcher of watchers) {
    let status;
    do status = JSON.parse((await watcher.message()).payload.toString()); while (status.issued < 3);
    assert.equal(status.status, 'ON_SALE');
    await watcher.close();
  }
  await until('who asks is told too', async () => (await far.queue(own)).issued === 3);
});

test('a show without a waiting room has no queue here either, until it has', async () => {
  // red when: a queue is made up, or its beginning is missed
  const own = await open_show();
  await is_there(relay, own);
  const queue = () => fan(relay, `/api/v1/shows/${own}/queue`);
  assert.deepEqual((await queue()).json, (await fan(server, `/api/v1/shows/${own}/queue`)).json);
  assert.equal((await queue()).status, 404);
  assert.equal((await server.admin('PATCH', `/api/v1/admin/shows/${own}`, { body: { waiting_room: { enabled: true } } })).status, 200);
  await until('the queue is there', async () => (await queue()).status === 200);
  assert.equal((await server.admin('PATCH', `/api/v1/admin/shows/${own}`, { body: { waiting_room: { enabled: false } } })).status, 200);
  await until('the queue is gone', async () => (await queue()).status === 404);
});

test('a change of a show is seen, and a new show appears', async () => {
  // red when: documents are got once
  const own = await open_show();
  await is_there(far, own);
  assert.equal((await server.admin('PATCH', `/api/v1/admin/shows/${own}`, { body: { event_name: 'Another night' } })).status, 200);
  await until('its new name is seen', async () => (await fan(far, `/api/v1/shows/${own}`)).json.event_name === 'Another night');
  await until('in the list too', async () => (await fan(far, '/api/v1/shows')).json.some(({ event_name }) => event_name === 'Another night'));
});

test('who lists shows can ask for each of them', async () => {
  // red when: the list is handed out before what it names is there
  const made = [];
  const all_answer = async () => {
    for (const { show_id } of (await fan(relay, '/api/v1/shows')).json) {
      assert.equal((await fan(relay, `/api/v1/shows/${show_id}/seats`)).status, 200);
    }
  };
  for (let i = 0; i < 5; i++) {
    made.push(await open_show());
    await all_answer();
  }
  await until('all are listed', async () => {
    await all_answer();
    const listed = (await fan(relay, '/api/v1/shows')).json.map(({ show_id }) => show_id);
    return made.every((id) => listed.includes(id));
  });
});

test('what only a node that sells can do is not found, and the answer says why', async () => {
  // red when: a call reaches a handler that needs an engine
  const calls = [
    ['POST', `/api/v1/shows/${show}/queue`], ['POST', `/api/v1/shows/${show}/queue/claim`], ['GET', `/api/v1/shows/${show}/queue/record`],
    ['POST', `/api/v1/shows/${show}/seats/reserve`], ['GET', `/api/v1/reservations/r${'0'.repeat(32)}`], ['POST', '/api/v1/bookings/confirm'],
    ['GET', `/api/v1/bookings/b${'0'.repeat(32)}`], ['GET', `/api/v1/shows/${show}/queue/check`], ['POST', '/api/v1/payments/webhook'],
  ];
  for (const [method, path] of calls) {
    const answer = await exchange(relay.fans, method, path, method === 'POST' ? { headers: { 'Content-Type': 'application/json' }, body: '{}' } : {});
    assert.equal(answer.status, 404, path);
    assert.equal(answer.json.code, 'not_found');
    assert.match(answer.json.detail, /only shows/);
  }
  assert.equal((await exchange(relay.fans, 'GET', '/api/v1/nothing')).json.detail, 'there is nothing at this address');
  assert.equal((await exchange(relay.fans, 'DELETE', '/api/v1/shows')).status, 405);
  assert.equal((await exchange(relay.operator, 'GET', '/api/v1/admin/shows')).status, 401);
});

test('the probes and the metrics say how it stands', async () => {
  // red when: readyz or a metric is not what it says
  assert.equal((await relay.probe('/healthz')).status, 200);
  assert.equal((await relay.probe('/readyz')).status, 200);
  assert.equal(await relay.metric('onsale_upstream_lost'), 0);
  assert.ok(await relay.metric('onsale_upstream_frames_total') > 0);
});

test('an upstream that is gone is shown as it was; one that comes back, as it is', async () => {
  // red when: what is known is forgotten, readyz says nothing of it, or a feed with another name is not taken up
  const own = await Server.start({ keep_data: true });
  const id = await own.show({ rows: 1, seats_per_row: 10 });
  const near = await Relay.start(own.fans);
  const distant = await Relay.start(near.fans);
  try {
    await own.book(id, ['A1']);
    const viewer = await LiveViewer.open(distant, id);
    await viewer.until((seats) => seats.A1 === 'BOOKED');
    const { feed } = viewer;
    own.args = ['--listen', new URL(own.fans).host];
    await own.kill();
    await until('it is known that it may be old', async () => !(await near.is_ready()), 40_000);
    assert.equal(await near.metric('onsale_upstream_lost'), 1);
    assert.equal((await near.seats(id)).A1, 'BOOKED');
    assert.equal((await fan(near, '/api/v1/shows')).json.length, 1);
    own.exit = undefined;
    await own.spawn();
    await own.book(id, ['A2'], 'bob');
    await viewer.until((seats) => seats.A1 === 'BOOKED' && seats.A2 === 'BOOKED', 40_000);
    assert.notEqual(viewer.feed, feed);
    assert.deepEqual(viewer.seats, await own.seats(id));
    await until('all is well', () => near.is_ready(), 40_000);
    await viewer.close();
  } finally {
    await distant.stop();
    await near.stop();
    await own.stop();
    remove_folder(own.data);
  }
});

test('a relay may come before its upstream', async () => {
  // red when: it gives up, answers what it does not know, or is ready too early
  const data = make_folder();
  const first = await Server.start({ data });
  const id = await first.show({ rows: 1, seats_per_row: 10 });
  const { host } = new URL(first.fans);
  await first.stop();
  const early = await Relay.start(`http://${host}`, { ready: false });
  try {
    assert.equal((await early.probe('/readyz')).status, 503);
    assert.equal((await early.probe('/healthz')).status, 200);
    assert.equal((await fan(early, '/api/v1/shows')).status, 503);
    assert.equal((await fan(early, `/api/v1/shows/${id}`)).status, 503);
    const second = await Server.start({ data, args: ['--listen', host] });
    await until('it is ready', () => early.is_ready(), 40_000);
    assert.deepEqual(await early.seats(id), await second.seats(id));
    await second.stop();
  } finally {
    await early.stop();
    remove_folder(data);
  }
});

test('settings that do not go together are refused with what to do', async () => {
  // red when: a node starts that could not do anything
  const refusals = [
    [['--roles', 'live'], /--upstream/],
    [['--roles', 'live', '--upstream', 'ws://127.0.0.1:1'], /http:\/\/HOST:PORT/],
    [['--roles', 'live', '--upstream', 'http://127.0.0.1:1/path'], /without a path/],
    [['--roles', 'live', '--upstream', 'http://a:b@127.0.0.1:1'], /http:\/\/HOST:PORT/],
    [['--roles', 'live', '--upstream', 'http://127.0.0.1:1', '--demo'], /--demo/],
    [['--upstream', 'http://127.0.0.1:1'], /--roles live/],
  ];
  for (const [args, words] of refusals) {
    const { code, stderr } = await run_onsale(['serve', ...args], { timeout_ms: 10_000 });
    assert.notEqual(code, 0, args.join(' '));
    assert.match(stderr, words);
  }
});

test('a pipelined fan is served by a relay as by anybody', async () => {
  // red when: mirrored answers break the order of a connection
  const path = `/api/v1/shows/${show}`;
  const { text } = await raw(relay.fans, [`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3)]);
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
});

/* ---- an upstream that is not to be trusted ---- */

const accept_of = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const welcome = (key) => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept_of(key)}\r\n\r\n`;

/* A binary message of the live map in a frame; `head` overrides what is right. */
function live_message({ kind = 1, version = 1, count = 10, feed = 7n, sequence = 1n, since = 0n, body = Buffer.alloc(Math.ceil(count / 4)) } = {}) {
  const message = Buffer.alloc(32);
  message[0] = kind;
  message[1] = version;
  message.writeUInt32LE(count, 4);
  message.writeBigUInt64LE(feed, 8);
  message.writeBigUInt64LE(sequence, 16);
  message.writeBigUInt64LE(since, 24);
  return frame(BINARY, Buffer.concat([message, body]), { masked: false });
}
const change = (seat, status) => { const at = Buffer.alloc(4); at.writeUInt32LE((seat << 2 | status) >>> 0); return at; };
const delta = (changes, head = {}) => live_message({ kind: 2, count: changes.length, sequence: 2n, since: 1n, body: Buffer.concat(changes), ...head });

/* Sends the same again and again for as long as the other side takes it. */
function flood(socket, bytes) {
  const more = () => { for (let i = 0; i < 100 && !socket.destroyed && socket.write(bytes); i++); };
  socket.on('drain', () => setImmediate(more));
  more();
}

const claims = (bytes) => (socket) => socket.write(bytes);
const evil_frames = [
  claims(Buffer.from('827f7fffffffffffffff', 'hex')), // of 2^63 bytes
  (socket) => flood(socket, Buffer.concat([Buffer.from('827f0000000000100000', 'hex'), Buffer.alloc(1 << 20)])), // of a megabyte, to a show of ten seats
  (socket) => { socket.write(frame(BINARY, 'x', { fin: false, masked: false })); flood(socket, frame(CONTINUATION, 'x'.repeat(100), { fin: false, masked: false })); },
  (socket) => flood(socket, frame(PING, 'x'.repeat(125), { masked: false })),
  claims(live_message({ count: 1_000_000_000, body: Buffer.alloc(3) })),
  claims(live_message({ count: 11 })),
  claims(live_message({ body: Buffer.alloc(3, 0xff) })), // a status that there is not
  claims(Buffer.concat([live_message(), delta([change(10, 1)])])), // a seat that the plan has not
  claims(Buffer.concat([live_message(), delta([change(3, 1), change(2, 1)])])),
  claims(Buffer.concat([live_message(), delta([change(3, 1)], { sequence: 9n, since: 8n })])), // a gap
  claims(Buffer.concat([live_message(), delta([change(3, 1)], { feed: 8n })])),
  claims(delta([change(3, 1)])), // before any snapshot
  claims(live_message({ version: 9 })),
  claims(frame(TEXT, '{"type":"snapshot"}', { masked: false })),
  claims(frame(BINARY, Buffer.alloc(40))), // masked
  claims(Buffer.from('88020000', 'hex')),
  (socket) => socket.destroy(),
];
const endless = (answer) => { answer.writeHead(200, { 'Content-Type': 'application/json' }); flood(answer, '['.repeat(65536)); };
const says = (text, headers = {}) => (answer) => { answer.writeHead(200, headers); answer.end(text); };
const evil_answers = [
  endless,
  says('[]['),
  says('['.repeat(100_000)),
  says('{"show_id":7}'),
  says('[{"show_id":"no-id"}]'),
  says('null', { ETag: '"'.padEnd(5000, 'x') }),
  (answer) => answer.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n['),
  (answer) => answer.socket.destroy(),
  (answer) => { answer.writeHead(500); answer.end(); },
  (answer) => { answer.writeHead(304); answer.end(); },
  (answer) => { answer.writeHead(302, { Location: 'http://127.0.0.1:1/' }); answer.end(); },
];

/* A proxy before the server, which spoils what it is told to. */
async function bad_node(identity) {
  const node = { spoils: () => false, answers: 0, frames: 0 };
  const sockets = new Set();
  const target = new URL(server.fans);
  const listener = (request, answer) => {
    if (node.spoils(request.url)) {
      evil_answers[node.answers++ % evil_answers.length](answer);
      return;
    }
    const asked = http_request({ host: target.hostname, port: target.port, path: request.url, headers: request.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    asked.on('error', () => answer.destroy());
    asked.end();
  };
  const proxy = identity ? create_secure_server(identity, listener) : create_server(listener);
  proxy.on(identity ? 'secureConnection' : 'connection', (socket) => { sockets.add(socket); socket.on('error', () => {}); socket.on('close', () => sockets.delete(socket)); });
  proxy.on('upgrade', (request, socket) => {
    if (node.spoils(request.url)) {
      socket.write(welcome(request.headers['sec-websocket-key']));
      evil_frames[node.frames++ % evil_frames.length](socket);
      return;
    }
    const through = connect(Number(target.port), target.hostname);
    through.on('error', () => socket.destroy());
    socket.on('close', () => through.destroy());
    through.write(`GET ${request.url} HTTP/1.1\r\n${Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    through.pipe(socket).pipe(through);
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  node.url = `http${identity ? 's' : ''}://127.0.0.1:${proxy.address().port}`;
  node.cut = () => sockets.forEach((socket) => socket.destroy());
  node.stop = () => { node.cut(); proxy.close(); };
  return node;
}

test('an upstream that says anything at all costs a relay neither its life nor its memory', async () => {
  // red when: a length or a count is believed, or what made no sense is kept
  const own = await open_show();
  const bad = await bad_node();
  const victim = await Relay.start(bad.url);
  try {
    const before_mb = victim.rss_mb();
    bad.spoils = () => true;
    bad.cut();
    const faults = await victim.metric('onsale_upstream_faults_total');
    await until('everything was tried', async () => {
      assert.equal((await victim.probe('/healthz')).status, 200);
      const { status, json } = await fan(victim, `/api/v1/shows/${own}/seats`);
      assert.equal(status, 200);
      assert.equal(json.length, 10);
      return bad.answers > evil_answers.length && bad.frames > evil_frames.length;
    }, 60_000);
    assert.ok(await victim.metric('onsale_upstream_faults_total') > faults);
    assert.ok(victim.rss_mb() < before_mb + (victim.is_sanitized() ? 400 : 48), `${before_mb} MB, then ${victim.rss_mb()} MB`);
    bad.spoils = () => false;
    bad.cut();
    await server.hold(own, ['A1']);
    await until('it shows the truth again', async () => (await victim.seats(own)).A1 === 'HELD', 60_000);
    await until('it is ready again', () => victim.is_ready(), 60_000);
    assert.deepEqual(await victim.seats(own), await server.seats(own));
  } finally {
    await victim.stop();
    bad.stop();
  }
});

test('a relay that knows only an evil upstream is never ready, and ends when it is told to', async () => {
  // red when: a show that makes no sense is served
  const bad = await bad_node();
  bad.spoils = (url) => url.includes('/plan') || url.includes('/live');
  const victim = await Relay.start(bad.url, { ready: false });
  await until('it has tried', () => bad.answers >= 3, 40_000);
  assert.equal((await victim.probe('/readyz')).status, 503);
  assert.equal((await fan(victim, '/api/v1/shows')).status, 503);
  await victim.stop();
  bad.stop();
});

test('shows whose plans are still to come count among the seats that a relay takes on', async () => {
  // red when: seats are counted once a plan has come, so that any number of shows may ask for theirs before
  const shows = Array.from({ length: 20 }, (_, i) => `00000000-0000-7000-8000-0000000000${i + 10}`);
  const hash = 'a'.repeat(32);
  const read = new Set();
  const wanted = new Set();
  const crowded = create_server((request, answer) => {
    const [, , , , show, what] = request.url.split(/[/?]/);
    const document = { show_id: show, status: 'SCHEDULED', plan: { hash, seats: 250_000 } };
    if (what) wanted.add(show);
    else if (show) read.add(show);
    answer.writeHead(what ? 503 : 200, { 'Content-Type': 'application/json' });
    answer.end(JSON.stringify(show ? document : shows.map((show_id) => ({ show_id }))));
  });
  await new Promise((done) => crowded.listen(0, '127.0.0.1', done));
  const relay = await Relay.start(`http://127.0.0.1:${crowded.address().port}`, { ready: false });
  try {
    await until('each show was looked at, and four were too many', async () =>
      read.size === shows.length && await relay.metric('onsale_upstream_faults_total') >= 4, 40_000);
    await until('the plans of those that fit were asked for', () => wanted.size >= 16, 40_000);
    assert.equal(wanted.size, 16);
  } finally {
    await relay.stop();
    crowded.closeAllConnections?.();
    crowded.close();
  }
});

test('an upstream may be spoken to over TLS, if its certificate is trusted', async () => {
  // red when: a WebSocket goes past TLS, or a certificate is not looked at
  const folder = make_folder();
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'key'), '-out', join(folder, 'certificate')], { stdio: 'ignore' });
  const own = await open_show();
  const node = await bad_node({ key: readFileSync(join(folder, 'key')), cert: readFileSync(join(folder, 'certificate')) });
  const wary = await Relay.start(node.url, { ready: false });
  const trusting = await Relay.start(node.url, { env: { SSL_CERT_FILE: join(folder, 'certificate') } });
  try {
    const viewer = await LiveViewer.open(trusting, own);
    await server.hold(own, ['A6']);
    await viewer.until((seats) => seats.A6 === 'HELD');
    await viewer.close();
    assert.equal((await wary.probe('/readyz')).status, 503);
    assert.equal(await wary.metric('onsale_upstream_frames_total'), 0);
  } finally {
    await wary.stop();
    await trusting.stop();
    node.stop();
    remove_folder(folder);
  }
});

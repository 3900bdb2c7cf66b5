/* The queue's status, pushed: what comes, when, and what a WebSocket's peer may and may not do (RFC 6455). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faults_of } from './contract.mjs';
import { Server, sleep, until } from './harness.mjs';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocketClient, ask_upgrade, close_payload, frame } from './websocket.mjs';

let server;
let show;
let path;
let silence; // a server that waits five seconds for a sign of life, a viewer who gives one, and one who gives none
before(async () => {
  const other = await Server.start({ args: ['--idle-seconds', '5'] });
  const room = await other.queue_show({ waiting_room: { rate_per_minute: 1 } });
  const [alive, dead] = await Promise.all([1, 2].map(() => WebSocketClient.open(other.fans, `/api/v1/shows/${room}/queue/live`)));
  dead.ignores_pings = true;
  silence = { other, room, alive, dead };
  server = await Server.start();
  show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  path = `/api/v1/shows/${show}/queue/live`;
});
after(async () => {
  await silence.other.stop();
  await server.stop();
});

const open = (headers) => WebSocketClient.open(server.fans, path, headers);
const watching = async () => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json.queue.watching;

test('a viewer gets the status at once, and again when it has changed', async () => {
  // red when: joining waits for the next change, or a change is told to nobody
  const viewer = await open();
  const first = await viewer.json();
  assert.deepEqual(faults_of({ $ref: '#/components/schemas/QueueStatus' }, first), []);
  const { issued } = await server.queue(show);
  assert.equal(first.issued, issued);
  await server.place(show, 'someone new');
  assert.equal((await viewer.json_until((status) => status.issued > issued)).issued, issued + 1);
  await viewer.close();
});

test('every viewer gets the same bytes as who asks', async () => {
  // red when: a frame has something personal in it
  const viewers = await Promise.all(Array.from({ length: 20 }, () => open()));
  await server.place(show, 'one more');
  const { issued } = await server.queue(show);
  const seen = await Promise.all(viewers.map((viewer) => viewer.json_until((status) => status.issued === issued)));
  for (const status of seen) assert.deepEqual(status, seen[0]);
  await Promise.all(viewers.map((viewer) => viewer.close()));
});

test('changes are told together, about once a second, however many there are', async () => {
  // red when: each join is a push
  const viewer = await open();
  await viewer.json();
  const begun = Date.now();
  for (let i = 0; i < 300; i++) await server.place(show, `crowd-${i}`);
  const { issued } = await server.queue(show);
  await viewer.json_until((status) => status.issued === issued);
  let frames = 1;
  await sleep(300);
  for (const message of viewer.messages) frames += message.opcode === TEXT;
  const seconds = (Date.now() - begun) / 1000;
  assert.ok(frames <= seconds + 2, `${frames} frames in ${seconds} s`);
  await viewer.close();
});

test('a change of the sale is pushed: paused, on again, settings, closed', async () => {
  // red when: only joins are told
  const other = await server.queue_show();
  const viewer = await WebSocketClient.open(server.fans, `/api/v1/shows/${other}/queue/live`);
  const post = (verb) => server.admin('POST', `/api/v1/admin/shows/${other}/${verb}`);
  await post('pause');
  await viewer.json_until((status) => status.status === 'PAUSED');
  await post('resume');
  await viewer.json_until((status) => status.status === 'ON_SALE');
  await server.admin('PATCH', `/api/v1/admin/shows/${other}`, { body: { waiting_room: { max_active: 77 } } });
  await viewer.json_until((status) => status.max_active === 77);
  await server.enter(other, 'ann');
  await viewer.json_until((status) => status.serving === 1 && status.active === 1);
  await post('close');
  await viewer.json_until((status) => status.status === 'CLOSED');
  await viewer.close();
});

test('seats that come back are told to the waiting', async () => {
  // red when: the status counts seats at a join only
  const other = await server.queue_show({ rows: 1, seats_per_row: 2, amount: 0 });
  const viewer = await WebSocketClient.open(server.fans, `/api/v1/shows/${other}/queue/live`);
  const { pass } = await server.enter(other, 'ann');
  const taken = await server.reserve(other, ['A1', 'A2'], 'ann', { Authorization: `Bearer ${pass}` });
  await viewer.json_until((status) => status.seats_left === 0 && status.seats_held === 2);
  await server.fan('DELETE', `/api/v1/reservations/${taken.json.reservation_id}`);
  await viewer.json_until((status) => status.seats_left === 2);
  await viewer.close();
});

/* ---- the upgrade ---- */

for (const [what, headers, status] of [
  ['no upgrade at all', { 'Upgrade': null, 'Connection': null, 'Sec-WebSocket-Key': null, 'Sec-WebSocket-Version': null }, 426],
  ['another protocol', { Upgrade: 'h2c' }, 426],
  ['an older version', { 'Sec-WebSocket-Version': '8' }, 426],
  ['a version that is none', { 'Sec-WebSocket-Version': 'x' }, 426],
  ['two versions', { 'Sec-WebSocket-Version': '13, 8' }, 426],
]) {
  test(`an upgrade with ${what} is ${status}, and says what is spoken here`, async () => {
    // red when: the version is not looked at
    const { answer, socket } = await ask_upgrade(server.fans, path, headers);
    assert.equal(answer.status, status, answer.body.toString());
    assert.equal(JSON.parse(answer.body.toString()).code, 'upgrade_required');
    assert.equal(answer.headers.get('sec-websocket-version'), '13');
    assert.match(answer.headers.get('x-request-id'), /^[!-~]+$/);
    socket.destroy();
  });
}

for (const [what, headers] of [
  ['no key', { 'Sec-WebSocket-Key': null }],
  ['a key of 15 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }],
  ['a key of 17 bytes', { 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }],
  ['a key that is no base64', { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }],
  ['an empty key', { 'Sec-WebSocket-Key': '' }],
]) {
  test(`an upgrade with ${what} is refused`, async () => {
    // red when: the key is hashed unseen
    const { answer, socket } = await ask_upgrade(server.fans, path, headers);
    assert.equal(answer.status, 400, answer.body.toString());
    socket.destroy();
  });
}

test('an upgrade on an unknown show, or one without a waiting room, is 404', async () => {
  // red when: the upgrade comes before the route
  const plain = await server.show();
  for (const [where, code] of [['00000000-0000-4000-8000-000000000000', 'show_not_found'], [plain, 'not_found']]) {
    const { answer, socket } = await ask_upgrade(server.fans, `/api/v1/shows/${where}/queue/live`);
    assert.deepEqual([answer.status, JSON.parse(answer.body.toString()).code], [404, code]);
    socket.destroy();
  }
});

test('no extension and no subprotocol is agreed to, and the letters of the headers do not matter', async () => {
  // red when: what the client offers is echoed (the client asserts that it is not)
  const viewer = await open({
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits', 'Sec-WebSocket-Protocol': 'chat, superchat', 'Upgrade': 'WebSocket', 'Connection': 'keep-alive, UPGRADE',
  });
  assert.match(viewer.headers.get('x-request-id'), /^[!-~]+$/);
  await viewer.json();
  await viewer.close();
});

test('frames sent right behind the upgrade are read', async () => {
  // red when: bytes after the request's head are lost
  const { answer, socket, key } = await ask_upgrade(server.fans, path);
  assert.equal(answer.status, 101);
  socket.destroy();
  const viewer = await open();
  viewer.send_bytes(Buffer.concat([frame(TEXT, 'one'), frame(PING, 'two'), frame(PING, 'three')]));
  assert.equal((await viewer.message(PONG)).payload.toString(), 'two');
  assert.equal((await viewer.message(PONG)).payload.toString(), 'three');
  await viewer.close();
  assert.ok(key);
});

/* ---- what is read and ignored ---- */

test('messages up to 4,096 bytes are read and ignored, whole or in parts, with pings between them', async () => {
  // red when: a fragment is taken for a fault, or a ping in between is not answered
  const viewer = await open();
  await viewer.json();
  viewer.send(TEXT, '');
  viewer.send(TEXT, 'héllo');
  viewer.send(BINARY, Buffer.alloc(4096, 0xff));
  viewer.send(TEXT, 'x'.repeat(4096));
  viewer.send(TEXT, 'x'.repeat(2000), { fin: false });
  viewer.send(PING, 'between');
  viewer.send(CONTINUATION, 'x'.repeat(2000), { fin: false });
  viewer.send(CONTINUATION, 'x'.repeat(96));
  viewer.send(PONG, 'nobody asked');
  // A letter of two bytes, cut between two parts.
  viewer.send(TEXT, Buffer.from([0xc3]), { fin: false });
  viewer.send(CONTINUATION, Buffer.from([0xa9]));
  viewer.send(PING, 'x'.repeat(125));
  assert.equal((await viewer.message(PONG)).payload.toString(), 'between');
  assert.equal((await viewer.message(PONG)).payload.toString(), 'x'.repeat(125));
  await server.place(show, 'after the chatter');
  await viewer.json();
  await viewer.close();
});

test('a frame that drips in byte by byte is read', async () => {
  // red when: a head that is not whole is taken for a fault
  const viewer = await open();
  for (const byte of frame(PING, 'slowly')) {
    viewer.send_bytes(Buffer.from([byte]));
    await sleep(2);
  }
  assert.equal((await viewer.message(PONG)).payload.toString(), 'slowly');
  await viewer.close();
});

/* ---- faults ---- */

const bad_text = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]];
for (const [what, code, frames] of [
  ['an unmasked frame', 1002, [frame(TEXT, 'x', { masked: false })]],
  ...[1, 2, 4].map((rsv) => [`reserved bit ${rsv}`, 1002, [frame(TEXT, 'x', { rsv })]]),
  ...[3, 7, 11, 15].map((opcode) => [`the unknown opcode ${opcode}`, 1002, [frame(opcode, 'x')]]),
  ['a length of 16 bits that fits 7', 1002, [frame(TEXT, 'x', { length_form: 16 })]],
  ['a length of 64 bits that fits 16', 1002, [frame(TEXT, 'x'.repeat(200), { length_form: 64 })]],
  ['a length with its highest bit set', 1002, [Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])]],
  ['a ping in parts', 1002, [frame(PING, 'x', { fin: false })]],
  ['a ping of 126 bytes', 1002, [frame(PING, 'x'.repeat(126))]],
  ['a close frame of 126 bytes', 1002, [frame(CLOSE, close_payload(1000, 'x'.repeat(124)))]],
  ['a continuation of nothing', 1002, [frame(CONTINUATION, 'x')]],
  ['a message within a message', 1002, [frame(TEXT, 'x', { fin: false }), frame(TEXT, 'y')]],
  ['a close frame of one byte', 1002, [frame(CLOSE, 'x')]],
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 65535].map((close) => [`the close code ${close}`, 1002, [frame(CLOSE, close_payload(close))]]),
  ...bad_text.map((bytes) => [`text that is no UTF-8 (${Buffer.from(bytes).toString('hex')})`, 1007, [frame(TEXT, Buffer.from(bytes))]]),
  ['text that is no UTF-8 in its second part', 1007, [frame(TEXT, 'fine', { fin: false }), frame(CONTINUATION, Buffer.from([0xff]))]],
  ['a close reason that is no UTF-8', 1007, [frame(CLOSE, Buffer.concat([close_payload(1000), Buffer.from([0xff])]))]],
  ['a message of 4,097 bytes', 1009, [frame(BINARY, Buffer.alloc(4097))]],
  ['a message of 4,097 bytes in parts', 1009, [frame(BINARY, Buffer.alloc(4000), { fin: false }), frame(CONTINUATION, Buffer.alloc(97))]],
  ['a head that announces 5,000 bytes', 1009, [frame(BINARY, '', { claim: 5000 })]],
  ['a head that announces 2^62 bytes', 1009, [Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])]],
]) {
  test(`${what} is closed with ${code}`, async () => {
    // red when: that rule of RFC 6455 is not enforced
    const viewer = await open();
    await viewer.json();
    for (const bytes of frames) viewer.send_bytes(bytes);
    const ended = await viewer.end();
    assert.equal(ended.code, code, ended.reason);
    assert.ok(ended.seconds < 4, `TCP ended after ${ended.seconds} s`);
  });
}

for (const [code, reason] of [[1000, ''], [1001, 'leaving'], [3000, 'ours'], [4999, 'x'.repeat(123)]]) {
  test(`a close with ${code} is echoed, then TCP ends`, async () => {
    // red when: a close is not answered, or the connection lingers
    const viewer = await open();
    assert.equal((await viewer.close(code, reason)).code, code);
  });
}

test('a close without a code is echoed', async () => {
  // red when: an empty close frame is taken for a fault
  const viewer = await open();
  viewer.send(CLOSE, '');
  const ended = await viewer.end();
  assert.ok([1000, 1005].includes(ended.code), String(ended.code));
});

test('a peer that goes without a word leaves nothing behind', async () => {
  // red when: members are forgotten by the count only when they say goodbye
  const viewers = await Promise.all(Array.from({ length: 30 }, () => open()));
  await until('all are counted', async () => (await watching()) >= 30);
  for (const viewer of viewers) viewer.drop();
  await until('all are gone', async () => (await watching()) === 0);
});

test('a flood of pings costs nobody else a thing', async () => {
  // red when: answers to one client pile up in memory, or hold the others up
  const viewer = await open();
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => frame(PING, 'x'.repeat(100))));
  viewer.socket.pause();
  viewer.send_bytes(flood);
  for (let i = 0; i < 20; i++) assert.equal((await server.fan('GET', `/api/v1/shows/${show}/queue`)).status, 200);
  viewer.drop();
  await until('it is gone', async () => (await watching()) === 0);
});

test('a silent viewer is pinged, and cut off when nobody answers', async () => {
  // red when: dead peers are kept for good
  const { other, room, alive, dead } = silence;
  await dead.message(PING, 15_000);
  await dead.wait_for('the end', () => dead.closed || dead.tcp_ended || dead.socket.destroyed, 15_000);
  await other.place(room, 'ann');
  await alive.json_until((status) => status.issued === 1);
  await alive.close();
});

test('SIGTERM says 1001 to every viewer', async () => {
  // red when: stopping drops the sockets
  const other = await Server.start();
  const room = await other.queue_show({ waiting_room: { rate_per_minute: 1 } });
  const viewers = await Promise.all(Array.from({ length: 10 }, () => WebSocketClient.open(other.fans, `/api/v1/shows/${room}/queue/live`)));
  for (const viewer of viewers) await viewer.json();
  const stopped = other.stop();
  for (const viewer of viewers) assert.equal((await viewer.end()).code, 1001);
  await stopped;
});

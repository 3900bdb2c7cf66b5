/* The npm client `ws`, unmodified, against the live map and the queue's status: what it takes for a WebSocket is one.
 * The client comes from the lock file beside this, into build-ws/, which `script/test --only ws` does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server, until } from '../api/harness.mjs';
import { decode } from '../api/live_viewer.mjs';

const require = createRequire(fileURLToPath(new URL('../../build-ws/package.json', import.meta.url)));
const WebSocket = require('ws');

let server;
let show;
before(async () => {
  server = await Server.start();
  show = await server.queue_show({ rows: 2, seats_per_row: 20 });
});
after(() => server.stop());

/* A socket whose messages wait in a list. */
async function open(path, options) {
  const socket = new WebSocket(`${server.fans.replace('http', 'ws')}${path}`, options);
  socket.arrived = [];
  socket.on('message', (data, is_binary) => socket.arrived.push({ data, is_binary }));
  await once(socket, 'open');
  return socket;
}

const next = async (socket) => {
  await until('a message comes', () => socket.arrived.length > 0);
  return socket.arrived.shift();
};

const live = (query = '') => open(`/api/v1/shows/${show}/live${query}`);

async function hold(seats) {
  const user = `fan of ${seats}`;
  const { pass } = await server.enter(show, user);
  const taken = await server.reserve(show, seats, user, { Authorization: `Bearer ${pass}` });
  assert.equal(taken.status, 201, taken.body.toString());
}

test('it reads the binary feed', async () => {
  // red when: a frame's head is not as RFC 6455 has it
  const socket = await live();
  assert.equal(socket.extensions, '');
  assert.equal(socket.protocol, '');
  const first = await next(socket);
  assert.ok(first.is_binary);
  assert.equal(decode(first.data).type, 'snapshot');
  await hold(['A1']);
  const { type, changes } = decode((await next(socket)).data);
  assert.deepEqual({ type, changes }, { type: 'delta', changes: [{ seat: 0, status: 1 }] });
  socket.close(1000, 'enough');
  assert.equal((await once(socket, 'close'))[0], 1000);
});

test('it reads the JSON feed, and resumes it', async () => {
  // red when: text is told as binary, or `since` is not taken
  const socket = await live('?format=json');
  const first = await next(socket);
  assert.ok(!first.is_binary);
  const { feed, sequence, seats } = JSON.parse(first.data);
  assert.equal(seats.length, 40);
  socket.terminate();
  await hold(['A2', 'A3']);
  const again = await live(`?format=json&since=${feed}.${sequence}`);
  let told = JSON.parse((await next(again)).data);
  assert.equal(told.type, 'delta');
  if (told.seats.length === 0) told = JSON.parse((await next(again)).data);
  assert.deepEqual(told.seats, [{ seat_id: 'A2', status: 'HELD' }, { seat_id: 'A3', status: 'HELD' }]);
  again.close();
  await once(again, 'close');
});

test('a feed with more bytes than one read has is read', async () => {
  // red when: a length of 64 bits is written wrong
  const large = await server.show({ rows: 100, seats_per_row: 50 });
  const socket = await open(`/api/v1/shows/${large}/live?format=json`);
  const { data } = await next(socket);
  assert.ok(data.length > 65536);
  assert.equal(JSON.parse(data).seats.length, 5000);
  socket.close();
  await once(socket, 'close');
});

test('its pings are answered, and what it says is ignored', async () => {
  // red when: a pong does not say what the ping did
  const socket = await live();
  const pong = once(socket, 'pong');
  socket.ping('are you there');
  assert.equal((await pong)[0].toString(), 'are you there');
  for (const message of ['text', Buffer.alloc(4096, 1), '', 'ünïcödé']) socket.send(message);
  const later = once(socket, 'pong');
  socket.ping();
  await later;
  assert.equal(socket.readyState, WebSocket.OPEN);
  socket.close();
  await once(socket, 'close');
});

test('a message that is too long is closed with 1009', async () => {
  // red when: the code is another one
  const socket = await live();
  socket.send(Buffer.alloc(4097));
  assert.equal((await once(socket, 'close'))[0], 1009);
});

test('it offers compression, and is not given any', async () => {
  // red when: an extension is agreed to, or an offer refused
  const socket = await open(`/api/v1/shows/${show}/live`, { perMessageDeflate: true });
  assert.equal(socket.extensions, '');
  assert.equal(decode((await next(socket)).data).type, 'snapshot');
  socket.close();
  await once(socket, 'close');
});

test("it reads the queue's status", async () => {
  // red when: the two routes do not speak the same
  const socket = await open(`/api/v1/shows/${show}/queue/live`);
  assert.equal(typeof JSON.parse((await next(socket)).data).serving, 'number');
  socket.close();
  await once(socket, 'close');
});

test('a refused upgrade is an HTTP answer', async () => {
  // red when: the socket is cut off instead of answered
  const socket = new WebSocket(`${server.fans.replace('http', 'ws')}/api/v1/shows/${show}/live?since=x`);
  const [, answer] = await once(socket, 'unexpected-response');
  assert.equal(answer.statusCode, 422);
  answer.resume();
  socket.on('error', () => {});
  socket.terminate();
});

test('the end of the server is 1001', async () => {
  // red when: SIGTERM is not told
  const socket = await live();
  const closed = once(socket, 'close');
  server.child.kill('SIGTERM');
  assert.equal((await closed)[0], 1001);
});

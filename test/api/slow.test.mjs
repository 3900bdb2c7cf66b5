/* Clients that take their time: each wait has an end, and nobody else notices. The waits are set short here. */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Server, raw, split_answers, until } from './harness.mjs';

let server;
let show;
before(async () => {
  server = await Server.start({ args: ['--head-seconds', '1', '--body-seconds', '1', '--write-seconds', '1', '--idle-seconds', '5'] });
  show = await server.show({ sections: [{ name: '', rows: 200, seats_per_row: 250, category: 'Standard' }] });
});
after(() => server.stop());

const patient = { quiet_ms: 8000, timeout_ms: 8000 };

for (const [what, bytes] of [
  ['half a request line', 'GET /api/v1/sho'],
  ['a head without its end', 'GET /api/v1/shows HTTP/1.1\r\nHost: x\r\nX: '],
  ['half a body', 'POST /api/v1/bookings/confirm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"a"'],
  ['half a chunk', 'POST /api/v1/bookings/confirm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{"a"'],
]) {
  test(`${what} left hanging is 408, then closed`, async () => {
    // red when: a wait has no end
    const { text, closed } = await raw(server.fans, [bytes], patient);
    assert.ok(closed);
    const answers = split_answers(text);
    assert.equal(answers.length, 1);
    assert.equal(answers[0].status, 408);
    assert.equal(JSON.parse(answers[0].body.toString()).code, 'request_timeout');
  });
}

test('a head that drips in byte by byte has the same end', async () => {
  // red when: each byte gives the head its whole time again
  const drops = [...'GET /api/v1/shows HTTP/1.1\r\nHost: x\r\n'.padEnd(60, 'x')];
  const begun = Date.now();
  const { closed } = await raw(server.fans, drops, { pause_ms: 100, ...patient });
  assert.ok(closed);
  assert.ok(Date.now() - begun < 14_000);
});

test('a connection that never says anything, or nothing more, is closed', async () => {
  // red when: idle connections are kept for good
  assert.deepEqual(await raw(server.fans, [''], patient), { text: '', closed: true });
  const { text, closed } = await raw(server.fans, ['GET /missing HTTP/1.1\r\nHost: x\r\n\r\n'], patient);
  assert.equal(split_answers(text).length, 1);
  assert.ok(closed);
});

test('a reader that takes nothing is cut off, and what it cost is given back', async () => {
  // red when: an answer waits for its reader without an end
  const { hostname, port } = new URL(server.fans);
  const open_now = async () => Number((await server.call(server.operator, 'GET', '/metrics')).body.toString().match(/^onsale_connections_open (\d+)$/m)[1]);
  const timed_out = async () => Number((await server.call(server.operator, 'GET', '/metrics')).body.toString().match(/^onsale_connections_timed_out_total (\d+)$/m)[1]);
  const before_count = await timed_out();
  const sockets = [];
  for (let i = 0; i < 20; i++) {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET /api/v1/shows/${show}/seats HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(10));
    sockets.push(socket);
  }
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}/seats.bits`)).status, 200);
  await until('all twenty are cut off', async () => (await timed_out()) - before_count >= 20);
  await until('their connections are gone', async () => (await open_now()) < 20);
  for (const socket of sockets) socket.destroy();
});

test('a slow reader that does read gets all of it', async () => {
  // red when: the wait counts from the answer's beginning
  const { hostname, port } = new URL(server.fans);
  const socket = createConnection({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`GET /api/v1/shows/${show}/seats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const chunks = [];
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    socket.pause();
    setTimeout(() => socket.resume(), 15);
  });
  await once(socket, 'close');
  const [answer] = split_answers(Buffer.concat(chunks).toString('latin1'));
  assert.equal(JSON.parse(answer.body.toString()).length, 50_000);
});

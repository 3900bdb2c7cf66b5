/* Soft limits on joining by address: whom they hold up, whom they never do, and whose word about an address counts. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from './harness.mjs';

let server; // two joins a minute and address, four at once; loopback is the proxy that is trusted
before(async () => { server = await Server.start({ args: ['--joins-per-minute', '2'] }); });
after(() => server.stop());

let fans = 0;
const room = (on = server) => on.queue_show({ waiting_room: { rate_per_minute: 1 } });
/* A new fan joins; the headers say from where. */
const join_from = (show, headers, on = server) => on.join(show, `fan-${fans++}`, {}, headers);
const forwarded_for = (address) => ({ 'X-Forwarded-For': address });

async function runs_dry(show, headers_of) {
  const statuses = [];
  for (let i = 0; i < 12; i++) statuses.push((await join_from(show, headers_of(i))).status);
  return statuses.includes(429);
}

test('who joins too often from one address is told to wait, with what the limit is', async () => {
  // red when: joins are not counted, or the answer lacks a header
  const show = await room();
  const statuses = [];
  let last;
  for (let i = 0; i < 8; i++) {
    last = await join_from(show, forwarded_for('203.0.113.7'));
    statuses.push(last.status);
  }
  assert.equal(statuses[0], 201, 'the first one is no crowd');
  assert.deepEqual([last.status, last.json.code], [429, 'rate_limited']);
  assert.ok(Number(last.headers.get('retry-after')) >= 1);
  assert.match(last.headers.get('ratelimit-policy'), /q=\d+;w=\d+/);
  assert.match(last.headers.get('ratelimit'), /r=0;t=\d+/);
  assert.equal((await server.queue(show)).issued, statuses.filter((status) => status === 201).length);
});

test('nobody else is held up by it: another address, a claim, the status', async () => {
  // red when: the limit is the server's, not the address's
  const show = await room();
  const ticket = (await server.join(show, 'first', {}, forwarded_for('203.0.113.20'))).json.queue_ticket;
  assert.ok(await runs_dry(show, () => forwarded_for('203.0.113.20')));
  assert.equal((await join_from(show, forwarded_for('203.0.113.21'))).status, 201);
  assert.equal((await server.claim(show, ticket, forwarded_for('203.0.113.20'))).status, 425);
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}/queue`, { headers: forwarded_for('203.0.113.20') })).status, 200);
});

test('an IPv6 address counts with its whole /64, and no further', async () => {
  // red when: a household's 2^64 addresses are as many clients, or a provider's customers are one
  const show = await room();
  assert.ok(await runs_dry(show, (i) => forwarded_for(`2001:db8:0:1::${i.toString(16)}`)));
  assert.equal((await join_from(show, forwarded_for('2001:db8:0:1:ffff:ffff:ffff:ffff'))).status, 429);
  assert.equal((await join_from(show, forwarded_for('2001:db8:0:2::1'))).status, 201);
});

test('the last address that a trusted proxy names is the client; what clients claim before it is not', async () => {
  // red when: the first address of the list is believed, which anyone can write
  const show = await room();
  assert.ok(await runs_dry(show, (i) => forwarded_for(`198.51.100.${i}, 203.0.113.30`)));
  assert.equal((await join_from(show, forwarded_for('203.0.113.31, 127.0.0.1'))).status, 201);
  assert.ok(await runs_dry(show, (i) => forwarded_for(`198.51.100.${i}, 203.0.113.31, 127.0.0.1`)));
});

test('Forwarded is read as X-Forwarded-For is', async () => {
  // red when: RFC 7239 is not spoken, or its ports and brackets make new clients
  const show = await room();
  assert.ok(await runs_dry(show, (i) => ({ Forwarded: `for=203.0.113.40:${4000 + i};proto=https` })));
  assert.ok(await runs_dry(show, (i) => ({ Forwarded: `for="[2001:db8:0:7::${i.toString(16)}]:${4000 + i}"` })));
});

test('loopback itself is never held up', async () => {
  // red when: a proxy that names nobody is taken for one client
  const show = await room();
  for (let i = 0; i < 40; i++) assert.equal((await join_from(show, {})).status, 201);
});

test('an address in a header counts only from a proxy that is trusted', async () => {
  // red when: anyone can choose the address that they are counted under
  const other = await Server.start({ args: ['--joins-per-minute', '2', '--trusted-proxies', '192.0.2.1'] });
  const show = await room(other);
  const statuses = [];
  for (let i = 0; i < 12; i++) statuses.push((await join_from(show, forwarded_for(`203.0.113.${i}`), other)).status);
  assert.ok(statuses.includes(429));
  await other.stop();
});

test('--limits off makes none', async () => {
  // red when: load tests are held up
  const other = await Server.start({ args: ['--joins-per-minute', '2', '--limits', 'off'] });
  const show = await room(other);
  for (let i = 0; i < 30; i++) assert.equal((await join_from(show, forwarded_for('203.0.113.50'), other)).status, 201);
  await other.stop();
});

/* The seat map with many who watch: those who do not read cost bounded memory, those who come and go see the truth
 * (docs/reliability.md, promise 6). ONSALE_LONG: more of both. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server, sleep, until } from './harness.mjs';
import { LiveViewer, words } from './live_viewer.mjs';

const LONG = Boolean(process.env.ONSALE_LONG);
const DESCRIPTORS = Number(readFileSync('/proc/self/limits', 'utf8').match(/^Max open files +\d+ +(\d+)/m)[1]);
const SLOW = Boolean(process.env.ONSALE_SLOW); // a sanitizer's build: its memory says little, its checks take long
const SILENT = SLOW ? 200 : Math.min(LONG ? 10_000 : 4000, DESCRIPTORS - 3000);
const CONVERGE_MS = LONG ? 60_000 : 5000;

let server;
before(async () => { server = await Server.start({ args: ['--limits', 'off'] }); });
after(() => server.stop());

/* Resident memory in MB. */
function memory_of(of) {
  return Number(readFileSync(`/proc/${of.child.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)[1]) / 1024;
}

const metric = async (name) => Number((await server.admin('GET', '/metrics', { check: false })).body.toString().match(new RegExp(`^${name} (\\S+)$`, 'm'))[1]);

/* ---- those who do not read ---- */

/* In processes of their own: as many as one may have descriptors. */
async function silent_viewers(path, count) {
  const children = [];
  const { port } = new URL(server.fans);
  for (let left = count; left > 0; left -= 2500) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('silent_viewers.mjs', import.meta.url)), port, path, String(Math.min(left, 2500))], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await once(createInterface(child.stdout), 'line');
  }
  return { end: () => Promise.all(children.map((child) => { child.stdin.end(); return once(child, 'close'); })) };
}

test(`${SILENT} viewers who never read cost bounded memory, and nobody else a thing`, async (t) => {
  // red when: a frame that somebody does not take is kept for them, each one its own
  const show = await server.show({ rows: SLOW ? 20 : 100, seats_per_row: 100 });
  const reader = await LiveViewer.open(server, show);
  await reader.next();
  const crowd = await silent_viewers(`/api/v1/shows/${show}/live${SLOW ? '?format=json' : ''}`, SILENT);
  const json = await silent_viewers(`/api/v1/shows/${show}/live?format=json`, SILENT / 20);
  await until('all watch', async () => await metric('onsale_live_viewers') === SILENT + SILENT / 20 + 1);
  const before_mb = memory_of(server);
  // Until no socket takes more: then what is sent on has to wait somewhere, or be left out.
  const some = reader.names.slice(0, 1000);
  for (let i = 0; i < 200 && await metric('onsale_websocket_behind_total') < SILENT; i++) {
    const verb = i % 2 ? 'unblock' : 'block';
    assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/seats/${verb}`, { body: { seat_ids: some } })).status, 200);
    await reader.until((seats) => (seats.A1 === 'BOOKED') === (verb === 'block'), 30_000);
  }
  assert.ok(await metric('onsale_websocket_behind_total') >= SILENT, 'all are behind');
  const grown_mb = memory_of(server) - before_mb;
  t.diagnostic(`${grown_mb.toFixed(0)} MB for ${SILENT} who are behind`);
  assert.ok(grown_mb < (SLOW ? 500 : 100), `grew by ${grown_mb.toFixed(0)} MB`);
  await crowd.end();
  await json.end();
  await until('they have gone', async () => await metric('onsale_live_viewers') === 1, 60_000);
  await reader.close();
});

test('a viewer who stopped reading is given a snapshot once they read again', async () => {
  // red when: who is behind is sent the deltas that they missed, or one that they cannot apply
  const show = await server.show({ rows: 20, seats_per_row: 100 });
  const slow = await LiveViewer.open(server, show, { format: 'json' });
  const reader = await LiveViewer.open(server, show, { names: slow.names });
  await slow.next();
  await reader.next();
  slow.client.socket.pause();
  const behind = await metric('onsale_websocket_behind_total');
  // Half of the hall changes at once, so that a delta is tens of kilobytes.
  const half = slow.names.slice(0, 1000);
  for (let i = 0; await metric('onsale_websocket_behind_total') === behind; i++) {
    assert.ok(i < 200, 'the socket is full at last');
    const verb = i % 2 ? 'unblock' : 'block';
    assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/seats/${verb}`, { body: { seat_ids: half } })).status, 200);
    await reader.until((seats) => (seats.A1 === 'BOOKED') === (verb === 'block'));
  }
  await server.hold(show, [slow.names[1999]]);
  await reader.until((seats) => seats[slow.names[1999]] === 'HELD');
  slow.client.socket.resume();
  await slow.until((seats) => seats[slow.names[1999]] === 'HELD', 20_000);
  assert.equal(slow.frames.filter(({ type }) => type === 'snapshot').length, 2);
  assert.deepEqual(slow.seats, await server.seats(show));
  await slow.close();
  await reader.close();
});

/* ---- promise 6 ---- */

const any = (list) => list[Math.floor(Math.random() * list.length)];

/* Sells and lets go at random until told to stop. */
async function sell(show, names, until_ms) {
  for (let i = 0; Date.now() < until_ms; i++) {
    const wish = [...new Set([any(names), any(names), any(names)])];
    const taken = await server.reserve(show, wish, `fan-${i}-${Math.random()}`);
    if (taken.status !== 201) continue;
    const { reservation_id } = taken.json;
    if (Math.random() < 0.2) assert.equal((await server.confirm(reservation_id)).status, 200);
    else if (Math.random() < 0.9) assert.equal((await server.fan('DELETE', `/api/v1/reservations/${reservation_id}`)).status, 204);
  }
}

/* Watches, and loses the connection at random; comes back with what it has, with nothing, or by a GET. */
async function watch(show, names, format, until_ms) {
  const viewer = new LiveViewer(names);
  await viewer.connect(server, show, { format });
  let resumed = 0;
  while (Date.now() < until_ms) {
    await sleep(20 + Math.random() * 300);
    viewer.take_all();
    if (Math.random() < 0.4) continue;
    viewer.client.drop();
    await sleep(Math.random() * 200);
    const way = Math.random();
    if (way < 0.3) viewer.start_from(await server.fan('GET', `/api/v1/shows/${show}/seats.bits`));
    const since = way < 0.8 && viewer.feed ? viewer.place : undefined;
    if (!since) viewer.feed = null;
    viewer.frames = [];
    await viewer.connect(server, show, { format, since });
    await viewer.next();
    resumed += since !== undefined && viewer.frames[0].type === 'delta';
  }
  return { viewer, resumed };
}

test('whatever is sold, and however often they lose the connection, viewers see the truth two seconds later', async () => {
  // red when: a change is lost between a snapshot and its deltas, in a resume, or where a GET was newer than a frame
  const show = await server.show({ rows: 20, seats_per_row: 50 });
  const names = Object.keys(await server.seats(show));
  const end = Date.now() + CONVERGE_MS;
  const sellers = Promise.all(Array.from({ length: 4 }, () => sell(show, names, end)));
  const watched = await Promise.all(Array.from({ length: 12 }, (_, i) => watch(show, names, i % 3 === 0 ? 'json' : undefined, end)));
  await sellers;
  assert.ok(watched.some(({ resumed }) => resumed > 0), 'somebody resumed');
  const is_true = (truth) => watched.every(({ viewer }) => viewer.names.every((name, i) => words[viewer.statuses[i]] === truth[name]));
  await until('everybody sees the truth', async () => {
    const truth = await server.seats(show);
    for (const { viewer } of watched) viewer.take_all();
    return is_true(truth);
  }, SLOW ? 10_000 : 2000);
  await Promise.all(watched.map(({ viewer }) => viewer.close()));
});

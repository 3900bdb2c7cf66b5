/* What an attacker, a clumsy operator or a bad moment could get out of a waiting room, and does not: changes that race
 * with its opening, keys and passes of others, clients that go away, kill -9 while fans stand at the door or while the
 * lots are drawn. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { after, before, test } from 'node:test';
import { Server, bearer, exchange, sleep, until } from './harness.mjs';
import { verified_record, without_sandbox } from './queue_crash.mjs';
import { check_ticket, positions_of, read_ticket } from './queue_record.mjs';

let server;
before(async () => { server = await Server.start(without_sandbox); });
after(() => server.stop());

const from_now = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const number_of = ({ queue_ticket }) => read_ticket(queue_ticket).number;
const names = (count, name = 'fan') => Array.from({ length: count }, (_, i) => `${name}-${i}`);
const patch = (show, body) => server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body });
const patch_room = (show, waiting_room) => patch(show, { waiting_room });
async function change_room(show, waiting_room) {
  const { status, body } = await patch_room(show, waiting_room);
  assert.equal(status, 200, body.toString());
}
const show_of = async (show) => (await server.fan('GET', `/api/v1/shows/${show}`)).json;
const record_of = (show, headers = {}) => server.fan('GET', `/api/v1/shows/${show}/queue/record`, { headers });
const stats = async (show) => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json.queue;
/* The beacon speaks when nobody can come in among those to be shuffled any more. */
const tell_beacon = (show, beacon_value) => until('the beacon may speak', async () => (await patch_room(show, { beacon_value })).status === 200);
const opened = (show) => until('it is open', async () => (await server.queue(show)).status === 'ON_SALE');
const codes = async (show, places) => {
  const found = [];
  for (const { queue_ticket } of places) found.push((await server.claim(show, queue_ticket)).json.code ?? 'inside');
  return found;
};
const all = (places, code) => places.map(() => code);

async function join_all(show, users) {
  const places = [];
  for (const user of users) places.push(await server.place(show, user));
  return places;
}

/* ---- the operator's changes ---- */

test('the order may be changed until the pre-queue has begun, and never after, through starts and new dates too', async () => {
  // red when: a room is begun before its pre-queue, or whether it has begun is known only while it is open
  const show = await server.queue_show({ on_sale_time: from_now(864_000), waiting_room: { pre_queue_seconds: 3600, beacon: 'b' } });
  const { status, issued } = await server.queue(show);
  assert.deepEqual([status, issued], ['SCHEDULED', 0]);
  assert.equal((await server.join(show, 'early')).json.code, 'sale_not_open');
  await change_room(show, { pre_queue_order: 'shuffle' });
  await server.restart();
  await change_room(show, { pre_queue_order: 'arrival' });
  await change_room(show, { pre_queue_order: 'shuffle', beacon: 'another' });

  assert.equal((await patch(show, { on_sale_time: from_now(600) })).status, 200);
  const ann = await server.place(show, 'ann');
  const is_refused = async () => {
    for (const settings of [{ pre_queue_order: 'arrival' }, { beacon: 'a third' }, { beacon: null }]) {
      const { status: refused, json } = await patch_room(show, settings);
      assert.deepEqual([refused, json.code], [409, 'conflict'], JSON.stringify(settings));
    }
  };
  await is_refused();
  await server.restart();
  await is_refused();
  assert.equal((await patch(show, { on_sale_time: from_now(864_000) })).json.status, 'SCHEDULED');
  await is_refused();
  await server.restart();
  await is_refused();
  assert.equal((await patch(show, { on_sale_time: from_now(-1) })).status, 200);
  await tell_beacon(show, 'v');
  await opened(show);
  assert.equal(number_of(await server.place(show, 'ann')), number_of(ann));
  await server.restart();
  await verified_record(server, show);
});

test('a change of the order that races with the first fan either comes first or is refused', async () => {
  // red when: the room takes its order from terms that a change on its way to the ledger does not count in
  const shows = [];
  for (let i = 0; i < 16; i++) {
    const show = await server.show({ on_sale_time: from_now(600) });
    await change_room(show, { enabled: true, pre_queue_order: 'shuffle', pre_queue_seconds: 3600 });
    const calls = [() => server.join(show, 'ann'), () => patch_room(show, { pre_queue_order: 'arrival' })];
    if (i % 2) calls.reverse();
    const answers = await Promise.all(calls.map((call) => call()));
    const [joined, changed] = i % 2 ? answers.reverse() : answers;
    assert.equal(joined.status, 201);
    assert.ok([200, 409].includes(changed.status), `${changed.status}`);
    shows.push({ show, order: changed.status === 200 ? 'arrival' : 'shuffle', queue_ticket: joined.json.queue_ticket });
  }
  for (let start = 0; start < 2; start++) {
    if (start) await server.restart();
    for (const { show, order, queue_ticket } of shows) {
      assert.deepEqual([(await record_of(show)).json.order, (await show_of(show)).waiting_room.pre_queue_order], [order, order]);
      const again = await server.place(show, 'ann');
      assert.deepEqual([number_of(again), again.position], [number_of({ queue_ticket }), order === 'shuffle' ? null : 1]);
    }
  }
});

test('settings that are changed while the room opens are the room\'s', async () => {
  // red when: the room keeps the terms that it was opened with
  const shows = [];
  for (let i = 0; i < 16; i++) {
    const show = await server.show();
    await change_room(show, { enabled: true, rate_per_minute: 100 });
    await Promise.all([server.join(show, 'ann'), change_room(show, { rate_per_minute: 7000 + i, max_active: 3 + i })]);
    shows.push(show);
  }
  for (const [i, show] of shows.entries()) {
    await until(`show ${i} has its new settings`, async () => {
      const { rate_per_minute, max_active } = await server.queue(show);
      return rate_per_minute === 7000 + i && max_active === 3 + i;
    }, 5000);
  }
  const { events } = await verified_record(server, shows[0]);
  assert.equal(events.findLast(({ kind }) => kind === 'T').rate_per_minute, 7000, 'the record has them too');
});

test('a show in order of arrival whose settings name a beacon can be changed while it runs', async () => {
  // red when: a beacon that decides about nothing is compared with the one in the record, which has none
  const show = await server.queue_show({ waiting_room: { beacon: 'b', beacon_value: 'v' } });
  await server.place(show, 'ann');
  const { status, json } = await patch(show, { event_name: 'Another night', waiting_room: { rate_per_minute: 60, beacon: 'c', beacon_value: null } });
  assert.equal(status, 200, json.detail);
  assert.deepEqual([(await show_of(show)).event_name, (await server.queue(show)).rate_per_minute], ['Another night', 60]);
  await server.restart();
  assert.equal((await server.place(show, 'ann')).is_new, false);
});

test('while the waiting room is switched off nobody is called and no window runs', async () => {
  // red when: the usher goes on calling fans whose claims are refused
  const show = await server.queue_show({ waiting_room: { max_active: 5, claim_seconds: 2 } });
  const called = await join_all(show, names(5, 'called'));
  await until('five are called', async () => (await server.queue(show)).serving === 5);
  await change_room(show, { max_active: 1 });
  const waiting = await join_all(show, names(5, 'waiting'));
  await change_room(show, { enabled: false });
  await change_room(show, { max_active: 100 });
  assert.equal((await server.claim(show, waiting[0].queue_ticket)).status, 404);
  await sleep(2200);
  await change_room(show, { enabled: true });
  for (const [i, { queue_ticket }] of [...called, ...waiting].entries()) assert.equal((await server.turn(show, queue_ticket)).status, 200, `fan ${i}`);
  assert.equal((await stats(show)).missed, 0);
  await verified_record(server, show);
});

test('a pass that was used stays used, though the room is switched off, killed and switched on again', async () => {
  // red when: a pass is believed where the room that knows of its end is not open yet
  const show = await server.queue_show({ amount: 0 });
  const buyer = await server.enter(show, 'ann');
  const inside = await server.enter(show, 'bob');
  const taken = await server.reserve(show, ['A1'], 'ann', bearer(buyer.pass));
  assert.equal((await server.confirm(taken.json.reservation_id, null)).status, 200);
  await until('the pass has ended', async () => (await server.check_pass(show, buyer.pass)).status === 401);
  await change_room(show, { enabled: false });
  await server.restart();
  await change_room(show, { enabled: true });
  const tries = await Promise.all(names(8).map((_, i) => server.reserve(show, [`A${i + 2}`], 'ann', bearer(buyer.pass))));
  for (const { status, json } of tries) assert.ok(['pass_expired', 'overloaded'].includes(json.code), `${status} ${json.code}`);
  const checked = await until('the room is open', async () => { const answer = await server.check_pass(show, buyer.pass); return answer.status !== 503 && answer; });
  assert.equal(checked.json.code, 'pass_expired');
  assert.equal((await server.check_pass(show, inside.pass)).status, 204);
  await verified_record(server, show);
});

/* ---- keys ---- */

test('a key for leaving is its pass\'s own: the same key with another pass gives up that one', async () => {
  // red when: the answer to a leave is kept under the key alone
  const show = await server.queue_show();
  const [ann, bob] = [await server.enter(show, 'ann'), await server.enter(show, 'bob')];
  const leave = (pass) => server.fan('POST', `/api/v1/shows/${show}/queue/leave`, { headers: { ...bearer(pass), 'Idempotency-Key': 'one' } });
  const replayed = ({ headers }) => headers.get('idempotency-replayed') === 'true';
  const first = await leave(ann.pass);
  assert.deepEqual([first.status, replayed(first)], [204, false]);
  assert.equal((await server.check_pass(show, bob.pass)).status, 204);
  const second = await leave(bob.pass);
  assert.deepEqual([second.status, replayed(second)], [204, false]);
  assert.equal((await server.check_pass(show, bob.pass)).json.code, 'pass_expired');
  const again = await leave(ann.pass);
  assert.deepEqual([again.status, replayed(again)], [204, true]);
  assert.equal((await leave('junk')).json.code, 'pass_invalid', 'who has no pass is told nothing');
});

/* Sends a request and cuts the connection after so many milliseconds, answered or not. */
async function send_and_go(path, body, headers, after_ms) {
  const { hostname, port } = new URL(server.fans);
  const socket = createConnection({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const lines = Object.entries({ Host: 'x', 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers });
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  await sleep(after_ms);
  socket.resetAndDestroy();
}

test('a keyed claim whose client has gone before the answer gives the pass when it is asked again', async () => {
  // red when: what is kept under the key of a client that has gone is an empty answer
  const show = await server.queue_show();
  const places = await join_all(show, names(80));
  await until('all are called', async () => (await server.queue(show)).serving >= places.length);
  const path = `/api/v1/shows/${show}/queue/claim`;
  const body_of = ({ queue_ticket }) => JSON.stringify({ queue_ticket });
  await Promise.all(places.map((place, i) => send_and_go(path, body_of(place), { 'Idempotency-Key': `claim-${i}` }, i % 8)));
  for (const [i, place] of places.entries()) {
    const again = await until('the first is through', async () => {
      const answer = await server.claim(show, place.queue_ticket, { 'Idempotency-Key': `claim-${i}` });
      return answer.json?.code !== 'idempotency_in_progress' && answer;
    });
    assert.deepEqual([again.status, typeof again.json?.pass], [200, 'string'], `fan ${i}: ${again.body}`);
    assert.equal((await server.claim(show, place.queue_ticket)).json.pass, again.json.pass, 'one pass, with the key and without it');
    assert.equal((await server.check_pass(show, again.json.pass)).status, 204);
  }
  assert.equal((await stats(show)).admitted, places.length);
});

/* ---- the first fans of a shuffled pre-queue ---- */

test('the first fans of a shuffled pre-queue are told no position, nor are those who come right after a start', async () => {
  // red when: a room that opens is taken for one in order of arrival until its usher has looked at it
  const tells_nobody = async (show, users) => {
    for (const { json, status } of await Promise.all(users.map((user) => server.join(show, user)))) assert.deepEqual([status, json.position, json.ahead], [201, null, null]);
  };
  const gathering = { enabled: true, pre_queue_order: 'shuffle', pre_queue_seconds: 3600 };
  const shows = [];
  for (let i = 0; i < 4; i++) {
    const show = await server.show({ on_sale_time: from_now(600) });
    await change_room(show, gathering); // it opens with the first who joins
    await tells_nobody(show, names(8));
    shows.push(show, await server.queue_show({ on_sale_time: from_now(600), waiting_room: gathering })); // with its show
    await tells_nobody(shows.at(-1), names(8));
  }
  await server.restart();
  for (const show of shows) await tells_nobody(show, names(12));
  assert.equal((await server.queue(shows[0])).serving, 0);
});

/* ---- kill -9 ---- */

test('who stood at the door beyond their window stands there after kill -9', async () => {
  // red when: the door is in memory only, so that whose window is over while they waited has missed the turn
  const show = await server.queue_show({ waiting_room: { max_active: 7, claim_seconds: 2 } });
  const places = await join_all(show, names(7));
  await until('all are called', async () => (await server.queue(show)).serving === 7);
  await change_room(show, { max_active: 1 });
  const at_the_door = places.slice(1, 6); // the last one never comes
  assert.deepEqual(await codes(show, places.slice(0, 6)), ['inside', ...all(at_the_door, 'at_the_door')]);
  await until('who never came has missed the turn', async () => {
    assert.deepEqual(await codes(show, at_the_door), all(at_the_door, 'at_the_door'));
    return (await stats(show)).missed === 1 || sleep(150);
  });
  await server.restart();
  assert.deepEqual(await codes(show, at_the_door), all(at_the_door, 'at_the_door'));
  assert.deepEqual(await codes(show, places.slice(6)), ['turn_missed']);
  await server.restart();
  await change_room(show, { max_active: 10 });
  for (const { queue_ticket } of at_the_door) assert.equal((await server.turn(show, queue_ticket)).status, 200);
  const found = await verified_record(server, show);
  check_ticket(found, at_the_door[0].queue_ticket);
});

test('those at the door after kill -9 are those who were, and the lowest of them goes first', async () => {
  // red when: everybody who ever came to the door stands there after a start, or they stand there in another order
  const show = await server.queue_show({ waiting_room: { max_active: 60 } });
  const places = await join_all(show, names(60));
  await until('all are called', async () => (await server.queue(show)).serving === 60);
  await change_room(show, { max_active: 1 });
  assert.deepEqual(await codes(show, places), ['inside', ...all(places.slice(1), 'at_the_door')]);
  await change_room(show, { max_active: 21 });
  for (const { queue_ticket } of places.slice(1, 21)) {
    const { json } = await server.turn(show, queue_ticket);
    assert.equal((await server.leave_with_pass(show, json.pass)).status, 204);
  }
  assert.equal((await server.leave(show, places[21].queue_ticket)).status, 204);
  await change_room(show, { max_active: 1 });
  const still_there = places.slice(22);
  for (let start = 0; start < 2; start++) {
    await server.restart();
    assert.deepEqual(await codes(show, still_there), all(still_there, 'at_the_door'));
    const { at_the_door, active, admitted, missed, left } = await stats(show);
    assert.deepEqual({ at_the_door, active, admitted, missed, left }, { at_the_door: 38, active: 1, admitted: 21, missed: 0, left: 1 });
  }
  await change_room(show, { max_active: 6 });
  const [first, rest] = [still_there.slice(0, 5), still_there.slice(5)];
  assert.deepEqual(await codes(show, [...rest].reverse()), all(rest, 'at_the_door'), 'nobody goes in past the first five');
  assert.deepEqual(await codes(show, [...first].reverse()), all(first, 'inside'));
  await server.restart();
  await change_room(show, { claim_seconds: 1 });
  await until('who has not asked since has missed the turn', async () => (await stats(show)).missed === rest.length);
  assert.deepEqual(await codes(show, rest), all(rest, 'turn_missed'));
  await verified_record(server, show);
});

/* Fans who join, join again and claim, without a pause, until told to stop; they note whatever they are told. */
class Crowd {
  constructor(show) {
    this.show = show;
    this.fans = new Map(); // user → {number, queue_ticket, position}
    this.users = new Map(); // number → user
    this.passes = new Map(); // number → pass
    this.has_to_stop = false;
    this.clients = Promise.all(names(5).map(() => this.run()));
  }
  async run() {
    for (let i = 0; !this.has_to_stop; i++) {
      const known = [...this.fans.keys()];
      const user = i % 2 && known.length ? known[(i * 7) % known.length] : `fan-${known.length}-${i}`;
      const joined = await this.post('', { user_id: user });
      if (joined?.status === 201) this.note(user, joined.json);
      else await sleep(15);
      const fan = this.fans.get(known[(i * 13) % (known.length || 1)]);
      const claimed = fan && await this.post('/claim', { queue_ticket: fan.queue_ticket });
      if (claimed?.status !== 200) continue;
      assert.equal(this.passes.get(fan.number) ?? claimed.json.pass, claimed.json.pass, `the pass of ${fan.number}`);
      this.passes.set(fan.number, claimed.json.pass);
    }
  }
  /* null: the server was killed before it answered. */
  post(verb, body) {
    const headers = { 'Content-Type': 'application/json' };
    return exchange(server.fans, 'POST', `/api/v1/shows/${this.show}/queue${verb}`, { headers, body: JSON.stringify(body), agent: server.agent }).catch(() => null);
  }
  note(user, { queue_ticket, position }) {
    const { number } = read_ticket(queue_ticket);
    const fan = this.fans.get(user);
    assert.equal(this.users.get(number) ?? user, user, `number ${number} is given twice`);
    assert.equal(fan?.number ?? number, number, `${user}'s number`);
    assert.equal(fan?.position ?? position, position, `${user}'s position`);
    this.users.set(number, user);
    this.fans.set(user, { number, queue_ticket, position });
  }
  stop() {
    this.has_to_stop = true;
    return this.clients;
  }
}

test('a crowd that is shuffled while the server is killed twice keeps numbers, positions and passes', async () => {
  // red when: the lots are drawn again at a start, late comers are mixed in, or a pass that was given is forgotten
  const waiting_room = { pre_queue_order: 'shuffle', pre_queue_seconds: 3600, max_active: 5 };
  const shows = [await server.queue_show({ on_sale_time: from_now(1), waiting_room }), await server.queue_show({ on_sale_time: from_now(1), waiting_room: { ...waiting_room, beacon: 'the lottery' } })];
  const crowds = shows.map((show) => new Crowd(show));
  await sleep(1080); // so that the server is killed about when they are put in order
  await server.restart();
  await tell_beacon(shows[1], '6 aus 49');
  for (const show of shows) await opened(show);
  await sleep(200);
  await server.restart();
  await sleep(200);
  await Promise.all(crowds.map((crowd) => crowd.stop()));
  for (const crowd of crowds) {
    const places = await Promise.all([...crowd.fans.keys()].map((user) => server.place(crowd.show, user)));
    for (const [i, user] of [...crowd.fans.keys()].entries()) crowd.note(user, places[i]);
    const positions = [...crowd.fans.values()].map(({ position }) => position);
    assert.ok(positions.every(Boolean) && new Set(positions).size === positions.length, 'each position is one fan\'s');
    assert.ok(crowd.passes.size <= 5, `${crowd.passes.size} are inside`);
    for (const pass of crowd.passes.values()) assert.equal((await server.check_pass(crowd.show, pass)).status, 204);
    const record = await verified_record(server, crowd.show);
    const expected = positions_of(record);
    for (const { number, position } of crowd.fans.values()) assert.equal(expected[number], position, `the position of number ${number}`);
  }
});

/* ---- the record's readers ---- */

test('the record has an ETag, which is the same until something has changed', async () => {
  // red when: the document is made and sent anew for everybody who asks again
  const show = await server.queue_show();
  await server.place(show, 'ann');
  await server.place(show, 'bob');
  const tag_of = ({ headers }) => headers.get('etag');
  const first = await until('it is sealed, and stays as it is', async () => {
    const answer = await record_of(show);
    return answer.json.heads.length > 0 && tag_of(await record_of(show)) === tag_of(answer) && answer;
  });
  assert.match(tag_of(first), /^"[0-9a-f]{32}"$/);
  const same = await record_of(show, { 'If-None-Match': tag_of(first) });
  assert.deepEqual([same.status, same.body.length, tag_of(same)], [304, 0, tag_of(first)]);
  const other = await record_of(show, { 'If-None-Match': '"another"' });
  assert.deepEqual([other.status, other.body.equals(first.body)], [200, true]);
  await server.place(show, 'cy');
  const later = await record_of(show, { 'If-None-Match': tag_of(first) });
  assert.equal(later.status, 200);
  assert.notEqual(tag_of(later), tag_of(first));
  await verified_record(server, show);
  const whole = await record_of(show, { 'If-None-Match': tag_of(later) });
  assert.ok(whole.status === 200 && whole.json.chain);
  assert.equal((await record_of(show, { 'If-None-Match': tag_of(whole) })).status, 304);
});

test('readers of a record who never read share one document', async () => {
  // red when: each of them gets a copy of their own
  const show = await server.queue_show();
  let joined = 0;
  await Promise.all(names(64).map(async () => {
    while (joined < 6000) {
      const { status } = await exchange(server.fans, 'POST', `/api/v1/shows/${show}/queue`, { headers: { 'Content-Type': 'application/json' }, body: `{"user_id":"fan-${joined++}"}`, agent: server.agent });
      assert.equal(status, 201);
    }
  }));
  const { bytes } = await verified_record(server, show);
  const document_bytes = (await record_of(show)).body.length;
  assert.ok(bytes.length > 6000 * 23 && document_bytes > (bytes.length * 4) / 3);
  const memory = () => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) * 1024;
  const before_them = memory();
  const { hostname, port } = new URL(server.fans);
  const readers = await Promise.all(names(32).map(async () => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET /api/v1/shows/${show}/queue/record HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(24)); // more than the kernel's buffers take
    return socket;
  }));
  for (let i = 0; i < 24; i++) await Promise.all(names(8).map(() => record_of(show))); // behind them all: theirs have been made
  const grown = memory() - before_them;
  for (const socket of readers) socket.destroy();
  assert.ok(grown < 16 * document_bytes, `${grown} bytes for 32 readers of ${document_bytes}`);
});

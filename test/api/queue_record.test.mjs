/* The queue's record: what is published while it runs and after, and what `onsale verify --queue` says to it, whole and
 * tampered with. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, make_folder, remove_folder, run_onsale, sleep, until } from './harness.mjs';
import { check_record, check_ticket, read_record, read_ticket } from './queue_record.mjs';

let server;
let folder;
let evening; // {fans, json}: one that is over; tests change copies
before(async () => {
  server = await Server.start();
  folder = make_folder();
  evening = await an_evening();
});
after(async () => { await server.stop(); remove_folder(folder); });

const record_of = async (show) => {
  const { status, json } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
  assert.equal(status, 200);
  return json;
};
async function closed_record(show) {
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  return until('the whole record is published', async () => { const json = await record_of(show); return json.chain && json; });
}

/* `onsale verify --queue` on a record that is JSON or text. */
let files = 0;
function verify(record, ...args) {
  const file = join(folder, `record-${files++}.json`);
  writeFileSync(file, typeof record === 'string' ? record : JSON.stringify(record));
  return run_onsale(['verify', '--queue', file, ...args]);
}
async function is_good(record, ...args) {
  const { code, stdout, stderr } = await verify(record, ...args);
  assert.equal(code, 0, stdout + stderr);
  return stdout + stderr;
}
async function is_refused(record, what, ...args) {
  const { code, signal, stdout, stderr } = await verify(record, ...args);
  assert.equal(signal, null, `${what}: ${stderr}`);
  assert.equal(code, 1, `${what}: code ${code}: ${stdout}${stderr}`);
  assert.ok((stdout + stderr).length > 10, `${what}: it says why`);
  return stdout + stderr;
}

/* An evening with all that can happen to a place. */
async function an_evening() {
  const show = await server.queue_show({ amount: 0, waiting_room: { max_active: 5, claim_seconds: 1 } });
  const fans = {};
  for (const user of ['ann', 'bob', 'cy', 'dee', 'eve']) fans[user] = await server.place(show, user);
  for (const user of ['ann', 'bob']) Object.assign(fans[user], (await server.turn(show, fans[user].queue_ticket)).json);
  await server.leave_with_pass(show, fans.ann.pass);
  await server.leave(show, fans.cy.queue_ticket);
  const taken = await server.reserve(show, ['A1'], 'bob', { Authorization: `Bearer ${fans.bob.pass}` });
  assert.equal((await server.confirm(taken.json.reservation_id, null)).status, 200);
  await until('dee and eve have missed their turn', async () => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json.queue.missed === 2);
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room: { max_active: 7 } } });
  fans.late = await server.enter(show, 'late');
  return { fans, json: await closed_record(show) };
}

test('while the sale runs signed heads come every few seconds, and the chain stays back', async () => {
  // red when: heads are not sealed, or ids of waiting fans are published while they wait
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  await server.place(show, 'ann');
  const first = await until('there is a head', async () => { const json = await record_of(show); return json.heads.length && json; });
  assert.deepEqual([first.order, first.commitment, first.seed, first.chain], ['arrival', null, null, null]);
  await server.place(show, 'bob');
  const second = await until('there is another', async () => { const json = await record_of(show); return json.heads.at(-1).offset > first.heads.at(-1).offset && json; });
  assert.ok(second.chain_bytes > first.chain_bytes);
  const { headers } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
  assert.match(headers.get('cache-control'), /\bpublic\b/);
  const kids = (await server.fan('GET', '/.well-known/jwks.json')).json.keys.map((key) => [key.kid, key.x]);
  for (const { kid, x } of second.public_keys) assert.ok(kids.some(([id, at]) => id === kid && at === x));
});

test('after the sale the whole chain is there: it can be checked in node, and by onsale, offline', async () => {
  // red when: something that happened is not recorded, or is recorded in another order
  const { fans, json } = evening;
  const record = read_record(json);
  const found = check_record(record);
  assert.deepEqual([found.joined, found.admitted], [6, 3]);
  const numbers_of = (kind) => record.events.filter((event) => event.kind === kind).map((event) => event.number);
  assert.deepEqual(numbers_of('A'), [1, 2, 6]);
  assert.deepEqual(numbers_of('E').sort(), [1, 2]);
  assert.deepEqual(numbers_of('L'), [3]);
  const terms = record.events.filter((event) => event.kind === 'T');
  assert.deepEqual(terms.map((event) => event.max_active), [5, 7]);
  for (const { queue_ticket } of Object.values(fans)) check_ticket(record, queue_ticket);
  const text = await is_good(json);
  assert.match(text, /6/);
  for (const { queue_ticket } of Object.values(fans)) await is_good(json, '--ticket', queue_ticket);
  assert.equal(JSON.stringify(json).includes('ann'), false, 'nobody\'s name is in it');
});

test('a ticket of another queue, or of nobody, is not found in the record', async () => {
  // red when: a ticket is looked for by its number only
  const { fans, json } = evening;
  const other = await an_evening();
  await is_refused(json, 'of another show', '--ticket', other.fans.ann.queue_ticket);
  await is_refused(json, 'no ticket', '--ticket', 'q1.AAAA');
  const bytes = Buffer.from(fans.ann.queue_ticket.slice(3), 'base64url');
  bytes[33] ^= 1; // its salt
  await is_refused(json, 'another salt', '--ticket', `q1.${bytes.toString('base64url')}`);
  bytes[33] ^= 1;
  bytes.writeUInt32BE(99, 20);
  await is_refused(json, 'a number that was never given out', '--ticket', `q1.${bytes.toString('base64url')}`);
});

test('any byte of the chain that is changed is found', async () => {
  // red when: a part of the record is not under a head, or the check stops at the first good head
  const { json } = evening;
  const bytes = Buffer.from(json.chain, 'base64');
  const { events } = read_record(json);
  const places = new Set([0, 1, 2, bytes.length - 1]);
  for (const event of events) places.add(event.offset).add(event.offset + 1).add(event.offset + 5);
  for (let i = 0; i < 20; i++) places.add(Math.floor((bytes.length * i) / 20));
  for (const at of [...places].filter((place) => place < bytes.length)) {
    const changed = Buffer.from(bytes);
    changed[at] ^= 1 << at % 8;
    await is_refused({ ...json, chain: changed.toString('base64') }, `byte ${at}`);
  }
});

test('records that are left out, doubled or exchanged are found', async () => {
  // red when: the chain's hashes are not computed again
  const { json } = evening;
  const { bytes, events } = read_record(json);
  const ends = [...events.slice(1).map((event) => event.offset), bytes.length];
  const pieces = events.map((event, i) => bytes.subarray(event.offset, ends[i]));
  const as_json = (list) => { const chain = Buffer.concat(list); return { ...json, chain: chain.toString('base64'), chain_bytes: chain.length }; };
  await is_good(as_json(pieces));
  const last_head = events.findLastIndex((event) => event.kind === 'H');
  for (let i = 0; i < last_head; i += 2) {
    await is_refused(as_json(pieces.toSpliced?.(i, 1) ?? pieces.filter((_, at) => at !== i)), `without record ${i} (${events[i].kind})`);
    await is_refused(as_json([...pieces.slice(0, i), pieces[i], ...pieces.slice(i)]), `record ${i} (${events[i].kind}) twice`);
  }
  const joins = events.flatMap((event, i) => (event.kind === 'J' ? [i] : []));
  const exchanged = pieces.slice();
  [exchanged[joins[0]], exchanged[joins[1]]] = [exchanged[joins[1]], exchanged[joins[0]]];
  await is_refused(as_json(exchanged), 'two joins exchanged');
});

test('a record signed by somebody else is found', async () => {
  // red when: the chain's own KEY is believed although it is not the published one
  const { json } = evening;
  const other = await Server.start();
  const elsewhere = await other.queue_show();
  await other.enter(elsewhere, 'ann');
  await other.admin('POST', `/api/v1/admin/shows/${elsewhere}/close`);
  const foreign = await until('the other record is there', async () => { const answer = await other.fan('GET', `/api/v1/shows/${elsewhere}/queue/record`); return answer.json.chain && answer.json; });
  await other.stop();
  await is_good(foreign);
  await is_refused({ ...json, chain: foreign.chain, chain_bytes: foreign.chain_bytes }, 'another queue\'s chain');
  await is_refused({ ...foreign, public_keys: json.public_keys }, 'keys that did not sign it');
});

test('a head that was kept while it ran holds the later record to it', async () => {
  // red when: --earlier is read and not compared: the one way in which an operator could write the past anew
  const show = await server.queue_show({ waiting_room: { max_active: 3 } });
  await server.place(show, 'ann');
  const earlier = await until('there is a head', async () => { const json = await record_of(show); return json.heads.length && json; });
  await server.place(show, 'bob');
  await sleep(100);
  const json = await closed_record(show);
  const file = join(folder, 'earlier.json');
  writeFileSync(file, JSON.stringify(earlier));
  await is_good(json, '--earlier', file);
  await is_refused(evening.json, 'another show\'s head', '--earlier', file);
  const head = { ...earlier.heads.at(-1), hash: 'ab'.repeat(32) };
  writeFileSync(file, JSON.stringify({ ...earlier, heads: [head] }));
  await is_refused(json, 'a head that is not in it', '--earlier', file);
});

test('what is no record is refused with the reason', async () => {
  // red when: the reader of the file trusts it
  const { json } = evening;
  for (const text of ['', '{', 'null', '5', '[]', '{}', '{"chain":null}', '{"chain":"!!!!"}', JSON.stringify({ ...json, chain: '' }), JSON.stringify({ ...json, chain: json.chain.slice(0, -7) }),
    JSON.stringify({ ...json, chain: Buffer.from('S').toString('base64') }), JSON.stringify({ ...json, chain: Buffer.alloc(100_000, 'J').toString('base64') })])
    await is_refused(text, text.slice(0, 30));
  const { code, stderr } = await run_onsale(['verify', '--queue', join(folder, 'nowhere.json')]);
  assert.ok(code > 0);
  assert.match(stderr, /nowhere\.json/);
});

test('the record of a sale that still runs is checked as far as it goes', async () => {
  // red when: verify asks for a chain where none can be yet
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  await server.place(show, 'ann');
  const json = await until('there is a head', async () => { const now = await record_of(show); return now.heads.length && now; });
  await is_good(json);
  await is_refused({ ...json, heads: [{ ...json.heads[0], time_ms: json.heads[0].time_ms + 1 }] }, 'a head whose time was changed');
});

test('a place costs at most 64 bytes of disk in the record, and names nobody', async () => {
  // red when: a join's record grows, or has the user in it
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  const users = Array.from({ length: 200 }, (_, i) => `somebody-${i}`);
  await Promise.all(users.map((user) => server.place(show, user)));
  const json = await closed_record(show);
  assert.ok(json.chain_bytes / 200 <= 48, `${json.chain_bytes / 200} bytes a fan, and 16 beside it`);
  const { queue_ticket } = await server.place(show, 'somebody-1').catch(() => ({}));
  assert.equal(queue_ticket, undefined, 'the sale is closed');
  assert.equal(Buffer.from(json.chain, 'base64').includes('somebody'), false);
  assert.equal(read_record(json).events.filter((event) => event.kind === 'J').length, 200);
});

test('a ticket\'s salt is its own: the same fan in another queue cannot be recognized', async () => {
  // red when: the blinded id is a hash of the user alone
  const blinded = [];
  for (let i = 0; i < 2; i++) {
    const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
    const { queue_ticket } = await server.place(show, 'ann');
    const record = read_record(await closed_record(show));
    blinded.push(record.events.find((event) => event.kind === 'J').blinded.toString('hex'), read_ticket(queue_ticket).salt.toString('hex'));
  }
  assert.equal(new Set(blinded).size, 4);
});

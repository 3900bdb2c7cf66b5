/* The record's page checks in the fan's browser (web/src/record/check.ts): the same module here, on records of a real
 * server, beside the independent reader (queue_record.mjs). Both find good what is good, and refuse what was changed.
 *
 * The module is TypeScript: esbuild, which comes with the pages' packages, makes JavaScript of it. Where those are not
 * installed (there is no npm) there is no page either, and nothing is tested here. */
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Server, make_folder, remove_folder, run_onsale, until } from './harness.mjs';
import { check_record as check_again, positions_of, read_record, read_ticket } from './queue_record.mjs';

const source = fileURLToPath(new URL('../../web/src/record/check.ts', import.meta.url));
const packages = fileURLToPath(new URL('../../web/package.json', import.meta.url));
const skip = !existsSync(fileURLToPath(new URL('../../web/node_modules/esbuild', import.meta.url))) && 'the pages\' packages are not installed';

globalThis.crypto ??= webcrypto; // Node 18 has it, under another name

let server;
let folder;
let page; // the page's module
let arrival; // {show, fans, json}: an evening that is over
let shuffled;
before(async () => {
  if (skip) return;
  folder = make_folder();
  const { transformSync } = createRequire(packages)('esbuild');
  const file = join(folder, 'check.mjs');
  writeFileSync(file, transformSync(readFileSync(source, 'utf8'), { loader: 'ts', format: 'esm', target: 'es2020' }).code);
  page = await import(pathToFileURL(file));
  server = await Server.start();
  arrival = await an_evening({ waiting_room: { max_active: 3 } });
  shuffled = await an_evening({
    waiting_room: { pre_queue_order: 'shuffle', pre_queue_seconds: 600 }, on_sale_time: new Date(Date.now() + 2500).toISOString(),
  });
});
after(async () => {
  if (skip) return;
  await server.stop();
  remove_folder(folder);
});

async function an_evening(settings) {
  const show = await server.queue_show(settings);
  const fans = {};
  for (const user of ['ann', 'bob', 'cy', 'dee', 'eve', 'flo', 'gus']) fans[user] = await server.place(show, user);
  await until('it is open', async () => (await server.queue(show)).status === 'ON_SALE');
  for (const user of ['ann', 'bob']) {
    Object.assign(fans[user], await server.place(show, user));
    Object.assign(fans[user], (await server.turn(show, fans[user].queue_ticket)).json);
  }
  await server.leave_with_pass(show, fans.ann.pass);
  await server.leave(show, fans.cy.queue_ticket);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  const json = await until('the whole record is published', async () => {
    const { json: found } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return found.chain && found;
  });
  return { show, fans, json };
}

async function is_good(json, ticket = null) {
  const report = await page.check_record(json, ticket);
  assert.equal(report.fault, null, JSON.stringify(report.fault));
  for (const [check, verdict] of Object.entries(report.verdicts)) assert.ok(['good', 'none'].includes(verdict), `${check} is ${verdict}`);
  return report;
}

async function is_bad(json, what, check) {
  const report = await page.check_record(json, null);
  assert.ok(report.fault?.words.length > 10, `${what}: it is refused, and says why`);
  assert.ok(Object.values(report.verdicts).includes('bad'), what);
  if (check) assert.equal(report.verdicts[check], 'bad', `${what}: ${JSON.stringify(report)}`);
}

const with_chain = (json, bytes) => ({ ...json, chain: bytes.toString('base64'), chain_bytes: bytes.length });

test('the page and the independent reader say the same of both records', { skip }, async () => {
  // red when: the page reads a field elsewhere, or counts otherwise
  for (const { json } of [arrival, shuffled]) {
    const report = await is_good(json);
    const found = check_again(read_record(json));
    assert.deepEqual({ joined: report.joined, admitted: report.admitted, most_inside: report.most_inside }, found);
    assert.equal(report.verdicts.shuffle, json.order === 'shuffle' ? 'good' : 'none');
    assert.ok(report.heads > 0 && report.is_whole && report.tail_bytes === 0);
  }
  assert.equal(shuffled.json.order, 'shuffle');
});

test('each fan finds their place, as onsale verify tells it', { skip }, async () => {
  // red when: a number is told as the position after a shuffle, or somebody else's place is found
  for (const { json, fans } of [arrival, shuffled]) {
    const positions = positions_of(read_record(json));
    const file = join(folder, 'record.json');
    writeFileSync(file, JSON.stringify(json));
    for (const [user, { queue_ticket }] of Object.entries(fans)) {
      const { fan, verdicts } = await is_good(json, queue_ticket);
      const { number } = read_ticket(queue_ticket);
      assert.equal(verdicts.ticket, 'good');
      assert.deepEqual([fan.number, fan.position], [number, positions[number]], user);
      assert.equal(fan.admitted_ms > 0, ['ann', 'bob'].includes(user));
      assert.equal(fan.left_ms > 0, user === 'cy');
      assert.equal(fan.ended_ms > 0, user === 'ann');
      const { stdout } = await run_onsale(['verify', '--queue', file, '--ticket', queue_ticket]);
      assert.match(stdout, new RegExp(`number ${fan.number}, position ${fan.position}, joined ${new Date(fan.joined_ms).toISOString()}`));
    }
  }
});

test('a ticket of elsewhere, or of nobody, is not found', { skip }, async () => {
  // red when: a ticket is looked for by its number alone
  const bytes = Buffer.from(arrival.fans.ann.queue_ticket.slice(3), 'base64url');
  bytes[33] ^= 1; // its salt
  for (const ticket of [shuffled.fans.ann.queue_ticket, `q1.${bytes.toString('base64url')}`, 'q1.AAAA', 'nonsense', '']) {
    const report = await page.check_record(arrival.json, ticket);
    assert.equal(report.verdicts.ticket, 'bad', ticket);
    assert.equal(report.fan, null);
  }
});

test('any byte that was changed is refused by both', { skip }, async () => {
  // red when: a part of the record is not under a head, or the page stops at the first good one
  for (const { json } of [arrival, shuffled]) {
    const { bytes, events } = read_record(json);
    for (const { offset } of events) {
      for (const at of [offset, offset + 3, offset + 8]) {
        const changed = Buffer.from(bytes);
        changed[at] ^= 1 << at % 8;
        const tampered = with_chain(json, changed);
        await is_bad(tampered, `byte ${at}`);
        assert.throws(() => check_again(read_record(tampered)), `byte ${at}`);
      }
    }
  }
});

test('what was left out, exchanged, cut off or signed by others is refused', { skip }, async () => {
  // red when: the hashes are not computed again, or the chain's own keys are believed
  const { json } = arrival;
  const { bytes, events } = read_record(json);
  const pieces = events.map(({ offset, end }) => bytes.subarray(offset, end));
  const joins = events.flatMap(({ kind }, i) => (kind === 'J' ? [i] : []));
  const exchanged = pieces.slice();
  [exchanged[joins[0]], exchanged[joins[1]]] = [exchanged[joins[1]], exchanged[joins[0]]];
  await is_good(with_chain(json, Buffer.concat(pieces)));
  await is_bad(with_chain(json, Buffer.concat(exchanged)), 'two joins exchanged', 'chain');
  for (const i of joins) await is_bad(with_chain(json, Buffer.concat(pieces.filter((_, at) => at !== i))), `without record ${i}`);
  await is_bad(with_chain(json, bytes.subarray(0, bytes.length - 113)), 'without the last head');
  await is_bad({ ...json, chain: shuffled.json.chain, chain_bytes: shuffled.json.chain_bytes }, 'another queue\'s chain');
  await is_bad({ ...json, public_keys: json.public_keys.map((key) => ({ ...key, x: Buffer.alloc(32, 7).toString('base64url') })) }, 'other keys', 'signatures');
  await is_bad({ ...json, public_keys: [], heads: [] }, 'no keys', 'signatures');
  const [head] = json.heads;
  await is_bad({ ...json, heads: [{ ...head, time_ms: head.time_ms + 1 }] }, 'a head with another time', 'signatures');
  await is_bad({ ...shuffled.json, seed: '08'.repeat(32) }, 'another seed', 'shuffle');
});

test('what is no record is refused in words', { skip }, async () => {
  // red when: the page trusts what it is given, and breaks
  const { json } = arrival;
  for (const value of [null, 5, [], {}, { ...json, chain: '!!' }, { ...json, chain: '' }, { ...json, heads: null }, { ...json, public_keys: [{}] }, { ...json, show_id: 'x' }, { ...json, order: 'x' }, with_chain(json, Buffer.alloc(5000, 'J'))])
    await is_bad(value, JSON.stringify(value)?.slice(0, 40));
});

test('while the sale runs the page checks what is there', { skip }, async () => {
  // red when: the page asks for a chain where none can be yet
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  const { queue_ticket } = await server.place(show, 'ann');
  const json = await until('there is a head', async () => {
    const answer = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return answer.json.heads.length && answer.json;
  });
  const report = await page.check_record(json, queue_ticket);
  assert.equal(report.fault, null);
  assert.deepEqual(report.verdicts, { document: 'good', signatures: 'good', chain: 'later', shuffle: 'none', order: 'later', drip: 'later', ticket: 'later' });
});

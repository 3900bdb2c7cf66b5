/* A small record with everything in it (record_fixture.hex, which test/unit/record_test.c writes again and compares),
 * read and checked with node:crypto alone, and by `onsale verify --queue`. It keeps published records readable: its
 * bytes and what follows from them must never change. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { make_folder, remove_folder, run_onsale } from './harness.mjs';
import { blinded_id, check_record, check_shuffle, commitment_of, positions_of, read_record } from './queue_record.mjs';

const chain = Buffer.from(readFileSync(fileURLToPath(new URL('record_fixture.hex', import.meta.url)), 'utf8').trim(), 'hex');
const SHOW = 'a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf';
const SEED = Buffer.alloc(32, 9);
const BEACON = 'drand quicknet, round 1000';

/* What the server would publish of it. */
function document_of(bytes, changes = {}) {
  const parsed = read_record({ chain: bytes.toString('base64'), chain_bytes: bytes.length });
  const keys = parsed.events.filter((event) => event.kind === 'K');
  const heads = parsed.events.filter((event) => event.kind === 'H');
  return {
    show_id: SHOW, status: 'CLOSED', order: 'shuffle', commitment: parsed.events[0].commitment.toString('hex'), beacon: BEACON,
    seed: SEED.toString('hex'), beacon_value: 'beacon value', frozen: 8,
    public_keys: keys.map((key) => ({ kid: key.key_id, x: key.public_key.toString('base64url') })),
    heads: heads.map((head) => ({
      offset: head.offset, time: new Date(head.time_ms).toISOString(), time_ms: head.time_ms, open_ms: head.open_ms,
      hash: head.hash.toString('hex'), kid: head.key_id, signature: head.signature.toString('hex'),
    })),
    chain_bytes: bytes.length, chain: bytes.toString('base64'), ...changes,
  };
}

/* The queue ticket of a number, as test/unit/record_world.h gives them out; its MAC does not matter here. */
function ticket_of(number) {
  const bytes = Buffer.alloc(4 + 16 + 4 + 6 + 8 + 4 + 16);
  Buffer.from(SHOW.replaceAll('-', ''), 'hex').copy(bytes, 4);
  bytes.writeUInt32BE(number, 20);
  bytes.writeUIntBE(1700000000000, 24, 6);
  for (let i = 0; i < 8; i++) bytes[30 + i] = (number * 8 + i) & 0xff;
  bytes.write(`fan${String.fromCharCode(97 + (number % 26))}`, 38);
  return `q1.${bytes.toString('base64url')}`;
}

let folder;
before(() => { folder = make_folder(); });
after(() => remove_folder(folder));

let files = 0;
function verify(content, ...args) {
  const file = join(folder, `record-${files++}`);
  writeFileSync(file, content instanceof Buffer ? content : JSON.stringify(content));
  return run_onsale(['verify', '--queue', file, ...args]);
}

test('the example is what it always was', () => {
  // red when: somebody makes a new example to go with a new format
  assert.equal(chain.length, 1049);
  assert.equal(createHash('sha256').update(chain).digest('hex'), '21d79a079699ab07b82aff16652cb2189e6b9d2b1c95f99e8463497509d5cc06');
});

test('node reads every kind of record in it, and finds chain, signatures, shuffle, order and bounds good', () => {
  // red when: a field moves
  const record = read_record(document_of(chain));
  assert.deepEqual([...new Set(record.events.map((event) => event.kind))].sort().join(''), 'ACDEFHJKLOSTU');
  const found = check_record(record);
  assert.deepEqual(found, { joined: 11, admitted: 3, most_inside: 1 });
});

test('the commitment and the shuffled order follow from what was published', () => {
  // red when: the shuffle is another permutation than the one described
  const record = read_record(document_of(chain));
  const [start] = record.events;
  assert.equal(start.beacon, BEACON);
  assert.ok(commitment_of(start.show, SEED, BEACON).equals(start.commitment));
  const positions = positions_of(record);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 8].map((number) => positions[number]), [3, 7, 1, 8, 2, 4, 6, 5]);
  assert.deepEqual([positions[9], positions[10], positions[13]], [9, 10, 13]);
});

test('a ticket\'s show, salt and user make its blinded id', () => {
  // red when: the blinded id is made of something else
  const record = read_record(document_of(chain));
  const third = record.events.find((event) => event.kind === 'J' && event.number === 3);
  const ticket = { show: record.events[0].show, salt: Buffer.from([24, 25, 26, 27, 28, 29, 30, 31]), user: 'fand' };
  assert.ok(blinded_id(ticket).equals(third.blinded));
});

test('onsale says the same, of the bare record and of the document', async () => {
  // red when: verify reads one of the two forms otherwise
  for (const content of [chain, document_of(chain)]) {
    const { code, stdout, stderr } = await verify(content);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /11 joined, 1 left the line, 3 were let in, at most 1 at once/);
    assert.match(stdout, /4 signed heads, unbroken/);
    assert.match(stdout, /everything that was checked is in order/);
  }
});

test('onsale says when the list was frozen, and which beacon had to speak after that', async () => {
  // red when: verify tells neither, so that nobody can compare it with the beacon's own publication
  const { stdout } = await verify(chain);
  assert.match(stdout, /frozen at 2023-11-14T22:13:20\.000Z, with 8 in it/);
  assert.match(stdout, /the beacon 'drand quicknet, round 1000' must have spoken after that moment/);
});

test('node finds a freeze or an opening that is not as it must be', () => {
  // red when: check_shuffle() looks away from the freeze
  const at = (record, kind) => record.events.findIndex((event) => event.kind === kind);
  const cases = [
    [(record) => { record.events[at(record, 'F')].number = 7; }, /numbers given out before the freeze/],
    [(record) => { record.events[at(record, 'O')].frozen = 9; }, /who were frozen are shuffled/],
    [(record) => { record.events.splice(at(record, 'F'), 1); }, /of what was frozen/],
    [(record) => { record.events.splice(at(record, 'F') - 1, 1); }, /right before the freeze/],
    [(record) => { record.events.push(record.events[at(record, 'F')]); }, /and once/],
    [(record) => { record.events.push(record.events[at(record, 'O')]); }, /one opening/],
    [(record) => { record.events[at(record, 'O')].beacon_value = ''; }, /has a value/],
  ];
  for (const [change, words] of cases) {
    const record = read_record(document_of(chain));
    change(record);
    assert.throws(() => check_shuffle(record), words);
  }
});

test('onsale tells a ticket its position and what became of it', async () => {
  // red when: a number is told as the position after a shuffle
  const positions = positions_of(read_record(document_of(chain)));
  for (const number of [1, 2, 5, 9, 13]) {
    const { code, stdout } = await verify(chain, '--ticket', ticket_of(number));
    assert.equal(code, 0, stdout);
    assert.match(stdout, new RegExp(`ticket: number ${number}, position ${positions[number]}, joined 2023-`));
  }
  assert.match((await verify(chain, '--ticket', ticket_of(2))).stdout, /, left 2023-/);
  assert.match((await verify(chain, '--ticket', ticket_of(13))).stdout, /, not called/);
  assert.match((await verify(chain, '--ticket', ticket_of(12))).stdout, /number 12 is one whose join was lost/);
  assert.equal((await verify(chain, '--ticket', ticket_of(14))).code, 1);
});

test('onsale finds what node finds: a changed byte, another seed, another key, a head that was kept', async () => {
  // red when: verify looks at less than the chain and the promise
  const changed = Buffer.from(chain);
  changed[200] ^= 1;
  const other_seed = { seed: '08'.repeat(32) };
  const other_key = { public_keys: [{ kid: '01020304', x: Buffer.alloc(32, 1).toString('base64url') }] };
  const cases = [
    [document_of(changed), /chain is broken/],
    [document_of(chain, other_seed), /seed/],
    [document_of(chain, other_key), /signature/],
    [document_of(chain, { heads: [], public_keys: [] }), /not among the published/],
    [document_of(chain, { order: 'arrival' }), /another commitment/],
    [document_of(chain, { beacon: 'another' }), /seed|beacon/],
    [document_of(chain, { show_id: `b${SHOW.slice(1)}` }), /./],
    [chain.subarray(0, 143), /nobody has signed/],
  ];
  for (const [content, words] of cases) {
    const { code, stdout, stderr } = await verify(content);
    assert.equal(code, 1, `${words}: ${stdout}${stderr}`);
    assert.match(stdout, /WRONG/);
    assert.match(stdout, words);
  }
});

test('an earlier answer binds the later one, with or without their chains', async () => {
  // red when: --earlier compares nothing
  const whole = document_of(chain);
  const [first] = whole.heads;
  const early_bytes = chain.subarray(0, first.offset + 113);
  const early = { ...whole, chain: null, seed: null, beacon_value: null, frozen: null, heads: [first], chain_bytes: early_bytes.length };
  const file = join(folder, 'earlier');
  const is_good = async (content) => {
    const { code, stdout, stderr } = await verify(content, '--earlier', file);
    assert.equal(code, 0, stdout + stderr);
  };
  const is_bad = async (content, words) => {
    const { code, stdout } = await verify(content, '--earlier', file);
    assert.equal(code, 1, stdout);
    assert.match(stdout, words);
  };
  writeFileSync(file, JSON.stringify(early));
  await is_good(whole);
  await is_good(chain);
  await is_good({ ...whole, chain: null });
  writeFileSync(file, early_bytes);
  await is_good(whole);
  const other = Buffer.from(early_bytes);
  other[100] ^= 1;
  writeFileSync(file, other);
  await is_bad(whole, /changed/);
  writeFileSync(file, JSON.stringify({ ...early, commitment: '00'.repeat(32) }));
  await is_bad(whole, /promised earlier/);
  writeFileSync(file, JSON.stringify(whole));
  await is_bad(early_bytes, /changed/);
});

test('arguments that make no sense are refused with 2', async () => {
  // red when: an option without its value is passed over
  for (const args of [['--queue'], ['--queue', 'x', '--ticket'], ['--queue', 'x', '--data', 'y'], ['--ticket', 'x']])
    assert.equal((await run_onsale(['verify', ...args])).code, 2, args.join(' '));
});

// @vitest-environment node
/* The record's page on the record with everything in it that test/api keeps (record_fixture.hex), and on a large one. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { check_record, read_ticket, shuffled_positions } from '../src/record/check';
// @ts-expect-error: the independent reader is plain JavaScript
import { shuffle_order } from '../../test/api/queue_record.mjs';

const fixture = Buffer.from(readFileSync(join(__dirname, '../../test/api/record_fixture.hex'), 'utf8').trim(), 'hex');
const SHOW = 'a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf';
const BEACON = 'drand quicknet, round 1000';

function document_of(chain: Buffer, changes: object = {}): Record<string, any> {
  const keys = [];
  for (let at = chain.indexOf('K'); at >= 0 && keys.length < 1; at = chain.indexOf('K', at + 1)) keys.push({ kid: chain.subarray(at + 1, at + 5).toString('hex'), x: chain.subarray(at + 5, at + 37).toString('base64url') });
  return {
    show_id: SHOW, status: 'CLOSED', order: 'shuffle', commitment: fixture.subarray(24, 56).toString('hex'), beacon: BEACON, seed: '09'.repeat(32), beacon_value: 'beacon value', frozen: 8,
    public_keys: keys, heads: [], chain_bytes: chain.length, chain: chain.toString('base64'), ...changes,
  };
}

/* As test/unit/record_world.h gives them out; the MAC does not matter here. */
function ticket_of(number: number): string {
  const bytes = Buffer.alloc(58);
  Buffer.from(SHOW.replace(/-/g, ''), 'hex').copy(bytes, 4);
  bytes.writeUInt32BE(number, 20);
  for (let i = 0; i < 8; i++) bytes[30 + i] = (number * 8 + i) & 0xff;
  bytes.write(`fan${String.fromCharCode(97 + (number % 26))}`, 38);
  return `q1.${bytes.toString('base64url')}`;
}

test('every kind of record is read, and the whole is in order', async () => {
  // red when: a field moves, or what follows from it is computed otherwise
  const report = await check_record(document_of(fixture));
  expect(report.fault).toBeNull();
  expect(report).toMatchObject({ joined: 11, left: 1, admitted: 3, most_inside: 1, heads: 4, frozen: 8, unknown: 2, beacon: BEACON });
});

test('the shuffled places are those of everybody else\'s computation', async () => {
  // red when: the shuffle is another permutation than the one described
  const wanted = [3, 7, 1, 8, 2, 4, 6, 5, 9, 10];
  for (const [i, position] of wanted.entries()) expect((await check_record(document_of(fixture), ticket_of(i + 1))).fan?.position).toBe(position);
});

test('a large crowd is shuffled as the independent reader shuffles it', async () => {
  // red when: numbers that would make the draw uneven are not thrown away (some three among 300,000), or digests run out
  const key = createHash('sha256').update('any').digest();
  const positions = await shuffled_positions(key, 300_000, () => {});
  const wanted = new Uint32Array(300_001);
  (shuffle_order(key, 300_000) as number[]).forEach((who, place) => (wanted[who + 1] = place + 1));
  expect(createHash('sha256').update(positions).digest('hex')).toBe(createHash('sha256').update(wanted).digest('hex'));
});

test('a place whose join was lost is told as such', async () => {
  // red when: it is said not to be in the record, as if the fan had made it up
  const { fan, fault } = await check_record(document_of(fixture), ticket_of(12));
  expect(fault).toBeNull();
  expect(fan?.is_unknown).toBe(true);
  expect((await check_record(document_of(fixture), ticket_of(14))).verdicts.ticket).toBe('bad');
});

test('any bit that was changed is found', async () => {
  // red when: some byte of the record is under no hash and no signature
  for (let at = 0; at < fixture.length; at += 7) {
    const changed = Buffer.from(fixture);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    expect((await check_record(document_of(changed))).fault, `byte ${at}`).not.toBeNull();
  }
});

test('a promise that was changed is found', async () => {
  // red when: the document is not held to the chain
  for (const changes of [{ seed: '08'.repeat(32) }, { beacon: 'another' }, { order: 'arrival' }, { commitment: '00'.repeat(32) }, { show_id: `b${SHOW.slice(1)}` }, { public_keys: [] }])
    expect((await check_record(document_of(fixture, changes))).fault, JSON.stringify(changes)).not.toBeNull();
});

test('what is no ticket is none', () => {
  // red when: half a ticket is read as a whole one
  for (const text of ['', 'q1.', 'q1.AAAA', 'q2.AAAA', ticket_of(1).slice(0, 60), 'q1.!!!!']) expect(read_ticket(text)).toBeNull();
  expect(read_ticket(ticket_of(3))?.number).toBe(3);
});

/* ---- made here: a sale whose operator cheats, with signatures that are good ---- */

const { publicKey, privateKey } = generateKeyPairSync('ed25519');

class Forgery {
  bytes: Buffer = Buffer.alloc(0);
  hash: Buffer = Buffer.alloc(32);
  start = 0;
  time_ms = 1_700_000_000_000;
  constructor(terms: { rate?: number; most?: number } = {}) {
    this.add('S', Buffer.from([1]), Buffer.from(SHOW.replace(/-/g, ''), 'hex'), this.time(), Buffer.alloc(33));
    this.add('K', Buffer.from('01020304', 'hex'), publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
    this.add('T', this.time(), this.u32(terms.rate ?? 60), this.u32(terms.most ?? 100), this.u32(120), this.u32(900));
  }
  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  }
  u48(value: number): Buffer {
    const bytes = Buffer.alloc(6);
    bytes.writeUIntBE(value, 0, 6);
    return bytes;
  }
  time(): Buffer {
    return this.u48(this.time_ms);
  }
  add(kind: string, ...parts: Buffer[]): this {
    this.bytes = Buffer.concat([this.bytes, Buffer.from(kind), ...parts]);
    return this;
  }
  joins(count: number): this {
    const one = Buffer.concat([Buffer.from('J'), this.time(), Buffer.alloc(16, 5)]);
    this.bytes = Buffer.concat([this.bytes, ...Array.from({ length: count }, () => one)]);
    return this;
  }
  of(kind: string, number: number, later_ms = 0): this {
    this.time_ms += later_ms;
    return kind === 'C' ? this.add('C', this.time(), this.u32(number), this.u48(0)) : this.add(kind, this.time(), this.u32(number));
  }
  sealed(): Record<string, any> {
    this.hash = createHash('sha256').update(this.hash).update(this.bytes.subarray(this.start)).digest();
    const offset = Buffer.alloc(8);
    offset.writeBigUInt64BE(BigInt(this.bytes.length));
    const message = Buffer.concat([Buffer.from('onsale queue head 1'), Buffer.from(SHOW.replace(/-/g, ''), 'hex'), offset, this.time(), this.u48(0), this.hash]);
    this.add('H', this.time(), this.u48(0), this.hash, Buffer.from('01020304', 'hex'), sign(null, message, privateKey));
    this.start = this.bytes.length;
    return document_of(this.bytes, { order: 'arrival', commitment: null, beacon: null, seed: null, frozen: null });
  }
}

test('an operator who cheats and signs it is found', async () => {
  // red when: only signatures are looked at, and not what was signed
  const cases: [string, string, (forgery: Forgery) => Forgery, { rate?: number; most?: number }?][] = [
    ['in order', '', (f) => f.joins(3).of('C', 2).of('A', 1).of('A', 2, 1000).of('E', 1).of('L', 3)],
    ['let in before being called', 'order', (f) => f.joins(3).of('C', 1).of('A', 2)],
    ['let in twice', 'order', (f) => f.joins(3).of('C', 3).of('A', 1).of('A', 1, 5000)],
    ['let in after leaving', 'order', (f) => f.joins(3).of('C', 3).of('L', 1).of('A', 1)],
    ['never joined', 'order', (f) => f.joins(3).of('C', 3).of('A', 9)],
    ['calls go back', 'order', (f) => f.joins(3).of('C', 3).of('C', 2)],
    ['calls go too far', 'order', (f) => f.joins(3).of('C', 4)],
    ['too fast', 'drip', (f) => f.joins(3).of('C', 3).of('A', 1).of('A', 2, 900)],
    ['too many', 'drip', (f) => f.joins(3).of('C', 3).of('A', 1).of('A', 2, 5000), { most: 1 }],
    ['room again', '', (f) => f.joins(3).of('C', 3).of('A', 1).of('A', 2, 900_000), { most: 1 }],
  ];
  for (const [what, check, make, terms] of cases) {
    const report = await check_record(make(new Forgery(terms)).sealed());
    expect(Object.entries(report.verdicts).filter(([, verdict]) => verdict === 'bad').map(([name]) => name), `${what}: ${report.fault?.words}`).toEqual(check ? [check] : []);
  }
});

test('a hundred thousand are checked, and the page hears how far it is', async () => {
  // red when: the check grows with the square of the crowd (it would not end), or says nothing meanwhile
  const forgery = new Forgery({ rate: 6_000_000, most: 200_000 }).joins(100_000).of('C', 100_000);
  const told: number[] = [];
  const report = await check_record(forgery.sealed(), null, (share) => told.push(share));
  expect(report).toMatchObject({ fault: null, joined: 100_000 });
  expect(told.length).toBeGreaterThan(5);
  expect(Math.max(...told)).toBeLessThanOrEqual(1);
});

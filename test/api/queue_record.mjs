/* Reads and checks a queue's public record with nothing but node:crypto, from the format's description in
 * src/waitroom/record.h and shuffle.h: a second opinion on what the server and `onsale verify --queue` say.
 *
 *     const record = read_record(json);         json: GET …/queue/record, after the sale
 *     check_record(record);                     throws an AssertionError that names what is wrong
 *     positions_of(record)[number]              the place in line of a number
 *
 * All integers are big-endian, all times milliseconds since the epoch. */
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/* A part with its length before it, so that no two lists of parts are the same bytes. */
function part(bytes) {
  const data = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data]);
}

export const id_bytes = (uuid) => Buffer.from(uuid.replaceAll('-', ''), 'hex');

/* What a queue ticket says; its MAC is for the server to check. */
export function read_ticket(text) {
  assert.match(text, /^q1\./);
  const bytes = Buffer.from(text.slice(3), 'base64url');
  return {
    key_id: bytes.subarray(0, 4).toString('hex'),
    show: bytes.subarray(4, 20),
    number: bytes.readUInt32BE(20),
    issued_ms: bytes.readUIntBE(24, 6),
    salt: bytes.subarray(30, 38),
    user: bytes.subarray(38, bytes.length - 16).toString(),
    mac: bytes.subarray(bytes.length - 16),
  };
}

export function blinded_id({ show, salt, user }) {
  return sha256(part('onsale place 1'), part(show), part(salt), part(user)).subarray(0, 16);
}

/* ---- the chain ---- */

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  take(size) {
    assert.ok(this.at + size <= this.bytes.length, `a record is cut short at ${this.at}`);
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }
  integer(size) {
    return this.take(size).readUIntBE(0, size);
  }
  text() {
    return this.take(this.integer(1)).toString();
  }
}

const fields = {
  S: (from) => ({ version: from.integer(1), show: from.take(16), time_ms: from.integer(6), commitment: from.take(32), beacon: from.text() }),
  T: (from) => ({ time_ms: from.integer(6), rate_per_minute: from.integer(4), max_active: from.integer(4), claim_seconds: from.integer(4), pass_seconds: from.integer(4) }),
  K: (from) => ({ key_id: from.take(4).toString('hex'), public_key: from.take(32) }),
  J: (from) => ({ time_ms: from.integer(6), blinded: from.take(16) }),
  U: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  L: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  C: (from) => ({ time_ms: from.integer(6), serving: from.integer(4), open_ms: from.integer(6) }),
  D: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  A: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  E: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  F: (from) => ({ time_ms: from.integer(6), number: from.integer(4) }),
  O: (from) => ({ time_ms: from.integer(6), frozen: from.integer(4), seed: from.take(32), beacon_value: from.text() }),
  H: (from) => ({ time_ms: from.integer(6), open_ms: from.integer(6), hash: from.take(32), key_id: from.take(4).toString('hex'), signature: from.take(64) }),
};

/* {json, bytes, events: [{kind, offset, …}]}; a JOIN has its number, an UNKNOWN the ones it skips to. */
export function read_record(json) {
  assert.ok(json.chain, 'the chain is published');
  const bytes = Buffer.from(json.chain, 'base64');
  assert.equal(bytes.length, json.chain_bytes);
  const from = new Reader(bytes);
  const events = [];
  let number = 0;
  while (from.at < bytes.length && bytes[from.at] !== 0) {
    const offset = from.at;
    const kind = String.fromCharCode(from.integer(1));
    assert.ok(fields[kind], `a record of kind '${kind}' at ${offset}`);
    const event = { kind, offset, ...fields[kind](from) };
    event.end = from.at;
    if (kind === 'J') event.number = ++number;
    if (kind === 'U') number = Math.max(number, event.number);
    events.push(event);
  }
  return { json, bytes, events };
}

function check_chain({ bytes, events }) {
  const keys = new Map();
  const [start] = events;
  assert.equal(start.kind, 'S', 'the record begins with START');
  let hash = Buffer.alloc(32);
  let from = 0;
  let heads = 0;
  for (const event of events) {
    if (event.kind === 'K') keys.set(event.key_id, event.public_key);
    if (event.kind !== 'H') continue;
    hash = sha256(hash, bytes.subarray(from, event.offset));
    assert.ok(hash.equals(event.hash), `the head at ${event.offset} is not that of what stands before it`);
    from = event.end; // a HEAD is in no hash: its signature covers it, and the next hash its hash
    const said = Buffer.alloc(20);
    said.writeBigUInt64BE(BigInt(event.offset));
    said.writeUIntBE(event.time_ms, 8, 6);
    said.writeUIntBE(event.open_ms, 14, 6);
    const signed = Buffer.concat([Buffer.from('onsale queue head 1'), start.show, said, event.hash]);
    const raw = keys.get(event.key_id);
    assert.ok(raw, `the head at ${event.offset} is signed with a key that stands before it`);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
    assert.ok(verify(null, signed, key, event.signature), `the head at ${event.offset} is signed`);
    heads++;
  }
  assert.ok(heads > 0, 'there is a head');
}

/* ---- the shuffle ---- */

export function commitment_of(show, seed, beacon) {
  return sha256(part('onsale shuffle commitment 1'), part(show), part(seed), part(beacon));
}

export function shuffle_key(show, seed, head, beacon_value) {
  return sha256(part('onsale shuffle key 1'), part(show), part(seed), part(head), part(beacon_value));
}

/* The permutation of 0 … n-1: Fisher and Yates, from the last element down; bits are SHA-256(key, counter). */
export function shuffle_order(key, n) {
  const order = Array.from({ length: n }, (_, i) => i);
  let block = Buffer.alloc(0);
  let counter = 0n;
  const next = () => {
    if (block.length === 0) {
      const count = Buffer.alloc(8);
      count.writeBigUInt64BE(counter++);
      block = sha256(key, count);
    }
    const value = block.readUInt32BE(0);
    block = block.subarray(4);
    return value;
  };
  for (let i = n - 1; i >= 1; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1));
    let value = next();
    while (value >= limit) value = next();
    const j = value % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/* The head that decides the order: what happens after the freeze has no say in it. */
function frozen_head(events) {
  return events[events.findIndex((event) => event.kind === 'F') - 1];
}

/* {number: position}; position is the number where nothing was shuffled. */
export function positions_of({ events }) {
  const opening = events.find((event) => event.kind === 'O');
  const numbers = events.filter((event) => event.kind === 'J').map((event) => event.number);
  const positions = Object.fromEntries(numbers.map((number) => [number, number]));
  if (!opening) return positions;
  const key = shuffle_key(events[0].show, opening.seed, frozen_head(events).hash, opening.beacon_value);
  shuffle_order(key, opening.frozen).forEach((who, place) => { positions[who + 1] = place + 1; });
  return positions;
}

export function check_shuffle({ json, events }) {
  const [start] = events;
  const committed = !start.commitment.equals(Buffer.alloc(32));
  assert.equal(json.order, committed ? 'shuffle' : 'arrival');
  assert.equal(json.commitment, committed ? start.commitment.toString('hex') : null);
  const freezes = events.filter((event) => event.kind === 'F');
  const openings = events.filter((event) => event.kind === 'O');
  const [freeze] = freezes;
  const [opening] = openings;
  assert.ok(freezes.length <= (committed ? 1 : 0), 'the list is frozen for a promised shuffle alone, and once');
  assert.ok(openings.length <= freezes.length, 'one opening, of what was frozen');
  if (freeze) {
    assert.equal(events[events.indexOf(freeze) - 1].kind, 'H', 'a signed head stands right before the freeze');
    const given = events.filter((event) => ['J', 'U'].includes(event.kind) && event.offset < freeze.offset).at(-1)?.number ?? 0;
    assert.equal(freeze.number, given, 'all numbers given out before the freeze are frozen, and no others');
  }
  const called = events.find((event) => ['C', 'A'].includes(event.kind));
  assert.ok(!committed || !called || (opening && opening.offset < called.offset), 'nobody is called before the opening');
  if (!opening) return;
  assert.ok(freeze.offset < opening.offset, 'the opening comes after the freeze');
  assert.equal(opening.frozen, freeze.number, 'those who were frozen are shuffled, and nobody else');
  assert.equal(opening.beacon_value !== '', start.beacon !== '', 'a beacon has a value if it was named');
  assert.ok(commitment_of(start.show, opening.seed, start.beacon).equals(start.commitment), 'the seed is the one that was committed to');
}

/* ---- order and drip ---- */

function check_order({ events }, positions) {
  const joined = new Map();
  const ended = new Set();
  const admitted = new Set();
  let serving = 0;
  for (const event of events) {
    const { kind, number } = event;
    if (kind === 'J') joined.set(number, event);
    if (kind === 'C') {
      assert.ok(event.serving >= serving, `calls only go forward: ${event.serving} after ${serving}`);
      serving = event.serving;
    }
    if (kind === 'L') ended.add(number);
    if (kind === 'E') {
      assert.ok(admitted.has(number), `${number} ended and was never inside`);
      ended.add(number);
    }
    if (kind !== 'A') continue;
    assert.ok(!admitted.has(number), `${number} is admitted twice`);
    assert.ok(!ended.has(number), `${number} is admitted after it left`);
    assert.ok(joined.has(number) || positions[number] === undefined, `${number} is admitted before it joined`);
    assert.ok((positions[number] ?? number) <= serving, `${number} is admitted before it is called`);
    admitted.add(number);
  }
}

/* More than rate × time + one second's worth in no window: for each pair of admissions. Where the rate changes within
 * a window its highest is used, which is never stricter than what holds. `highest`: since the admission before. */
export function check_drip(admissions) {
  for (let first = 0; first < admissions.length; first++) {
    let rate = admissions[first].rate_per_minute;
    for (let last = first; last < admissions.length; last++) {
      if (last > first) rate = Math.max(rate, admissions[last].highest);
      const window_ms = admissions[last].time_ms - admissions[first].time_ms;
      const bound = (rate * window_ms) / 60_000 + Math.max(1, rate / 60);
      const count = last - first + 1;
      assert.ok(count <= bound + 1e-6, `${count} are admitted within ${window_ms} ms; ${bound.toFixed(2)} may be`);
    }
  }
}

function check_bounds({ events }) {
  const admissions = [];
  const inside = new Map(); // number → when its pass ends by itself
  let terms = null;
  let highest = 0;
  let most = 0;
  for (const event of events) {
    if (event.kind === 'T') terms = event;
    if (event.kind === 'T') highest = Math.max(highest, terms.rate_per_minute);
    if (event.kind === 'E') inside.delete(event.number);
    if (event.kind !== 'A') continue;
    admissions.push({ time_ms: event.time_ms, rate_per_minute: terms.rate_per_minute, highest });
    highest = terms.rate_per_minute;
    for (const [number, end] of inside) if (end <= event.time_ms) inside.delete(number);
    inside.set(event.number, event.time_ms + terms.pass_seconds * 1000);
    assert.ok(inside.size <= terms.max_active, `${inside.size} are inside where ${terms.max_active} may be, at ${event.offset}`);
    most = Math.max(most, inside.size);
  }
  check_drip(admissions);
  return { admitted: admissions.length, most_inside: most };
}

/* Everything. Gives {admitted, most_inside, joined}. */
export function check_record(record) {
  check_chain(record);
  check_shuffle(record);
  check_order(record, positions_of(record));
  return { ...check_bounds(record), joined: record.events.filter((event) => event.kind === 'J').length };
}

/* The fan's own place: their ticket is in the record, under its number. */
export function check_ticket({ events }, text) {
  const ticket = read_ticket(text);
  const joined = events.find((event) => event.kind === 'J' && event.number === ticket.number);
  assert.ok(joined, `number ${ticket.number} joined`);
  assert.ok(blinded_id(ticket).equals(joined.blinded), `number ${ticket.number} is whose ticket it is`);
  return ticket;
}

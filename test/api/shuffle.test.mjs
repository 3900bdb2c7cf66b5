/* The shuffle of a pre-queue, computed again from what is published: an implementation of its own, written from the
 * formulas in src/waitroom/shuffle.h alone. The constants are those of test/unit/shuffle_test.c. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

const show = Buffer.from('01935e2a100070018002010203040506', 'hex');
const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const head = Buffer.from(Array.from({ length: 32 }, (_, i) => 100 + i));

const COMMITMENT = '062e31cd30eb38d2a70b52cbda200c83ef22f416009c6784f9b8dd2445468ed7';
const COMMITMENT_WITHOUT = 'b170b4055890a0ba21e0c36353d9d31b55eded3c31e67b25f0e18c2a4a27e20c';
const KEY = 'bab8fa05aa572300e006b783112433dd4b30ea978c401218368b56e488d27b37';
const KEY_WITHOUT = 'e108b912bc6d33855bffe25f20e7870275600264f73111406389ff17d9b4fe10';
const ORDER_OF_10 = [5, 4, 0, 8, 2, 3, 7, 9, 6, 1];
const ORDER_OF_1000_SUM = 0x4ab048ce;

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();

function part(value) {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const commitment = (name) => sha256(...['onsale shuffle commitment 1', show, seed, name].map(part));
const key = (value) => sha256(...['onsale shuffle key 1', show, seed, head, value].map(part));

function* draws(secret) {
  for (let counter = 0n; ; counter++) {
    const suffix = Buffer.alloc(8);
    suffix.writeBigUInt64BE(counter);
    const block = sha256(secret, suffix);
    for (let at = 0; at < 32; at += 4) yield block.readUInt32BE(at);
  }
}

function shuffled(secret, n) {
  const order = Array.from({ length: n }, (_, i) => i);
  const stream = draws(secret);
  for (let i = n - 1; i >= 1; i--) {
    const multiple = Math.floor(2 ** 32 / (i + 1)) * (i + 1);
    let draw;
    do draw = stream.next().value;
    while (draw >= multiple);
    const j = draw % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

test('commitment and key are those that the server publishes', () => {
  // Red if either side changes a formula.
  assert.equal(commitment('drand round 4242').toString('hex'), COMMITMENT);
  assert.equal(commitment('').toString('hex'), COMMITMENT_WITHOUT);
  assert.equal(key('8f3a').toString('hex'), KEY);
  assert.equal(key('').toString('hex'), KEY_WITHOUT);
});

test('the order is that which the server makes of the key', () => {
  // Red if either side draws or swaps otherwise.
  const secret = Buffer.from(KEY, 'hex');
  assert.deepEqual(shuffled(secret, 10), ORDER_OF_10);
  const sum = shuffled(secret, 1000).reduce((sum, element) => (Math.imul(sum, 31) + element) >>> 0, 0);
  assert.equal(sum, ORDER_OF_1000_SUM);
});

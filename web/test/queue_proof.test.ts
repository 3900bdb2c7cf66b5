/* The proof of work that joining may cost. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { has_zero_bits, prove, sha256 } from '../src/queue/proof';

const hex = (hash: Uint32Array) => Array.from(hash, (word) => word.toString(16).padStart(8, '0')).join('');

test('SHA-256 is that of everybody else, at every length around a block', () => {
  // red when: a constant, the padding or the length is wrong
  for (let length = 0; length < 200; length++) {
    const message = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255);
    expect(hex(sha256(message))).toBe(createHash('sha256').update(message).digest('hex'));
  }
});

test('zero bits are counted across words', () => {
  // red when: a proof is sent that the server refuses
  expect(has_zero_bits(new Uint32Array([1, 0]), 31)).toBe(true);
  expect(has_zero_bits(new Uint32Array([1, 0]), 32)).toBe(false);
  expect(has_zero_bits(new Uint32Array([0, 0x40000000]), 33)).toBe(true);
  expect(has_zero_bits(new Uint32Array([0, 0x40000000]), 34)).toBe(false);
});

test('a proof is what the server asks for', () => {
  // red when: the text that is hashed is not challenge.user.nonce
  const nonce = prove('p1.0000.abc', 10, 'fan-1');
  const hash = createHash('sha256').update(`p1.0000.abc.fan-1.${nonce}`).digest();
  expect(hash.readUInt16BE(0) >> 6).toBe(0);
  expect(nonce).toMatch(/^\d{1,32}$/);
});

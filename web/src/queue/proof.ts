/* The proof of work that joining may cost: a nonce for which SHA-256(challenge "." user "." nonce) begins with so many
 * zero bits. SHA-256 as in FIPS 180-4, by itself: Web Crypto hashes one message at a time through a promise, ten times
 * slower for messages of two blocks, and not at all on a page that came without TLS. */

const ROUNDS = new Uint32Array(64);
const START = new Uint32Array(8);

/* The constants are the first bits of the cube and square roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
for (let candidate = 2, found = 0; found < 64; candidate++) {
  let is_prime = true;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) is_prime = false;
  if (!is_prime) continue;
  if (found < 8) START[found] = fraction(Math.sqrt(candidate));
  ROUNDS[found++] = fraction(Math.cbrt(candidate));
}

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

const turn = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));
const words = new Int32Array(64);
const at = (list: Int32Array | Uint32Array, index: number) => list[index] as number;

/* One block of 64 bytes at `from` into `state`. */
function block(state: Int32Array, bytes: DataView, from: number): void {
  for (let i = 0; i < 16; i++) words[i] = bytes.getInt32(from + 4 * i);
  for (let i = 16; i < 64; i++) {
    const early = at(words, i - 15);
    const late = at(words, i - 2);
    words[i] =
      at(words, i - 16) + (turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)) + at(words, i - 7) + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + at(ROUNDS, i) + at(words, i)) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] = at(state, i) + value));
}

export function sha256(message: Uint8Array): Uint32Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const bytes = new DataView(padded.buffer);
  bytes.setUint32(padded.length - 4, message.length * 8);
  const state = new Int32Array(START);
  for (let from = 0; from < padded.length; from += 64) block(state, bytes, from);
  return new Uint32Array(state);
}

export function has_zero_bits(hash: Uint32Array, bits: number): boolean {
  for (let i = 0; i < 8 && bits > 0; i++, bits -= 32) if (Math.clz32(at(hash, i)) < Math.min(bits, 32)) return false;
  return true;
}

/* Takes 2^bits tries on the average: for a worker. */
export function prove(challenge: string, bits: number, user: string): string {
  const encoder = new TextEncoder();
  for (let nonce = 0; ; nonce++) if (has_zero_bits(sha256(encoder.encode(`${challenge}.${user}.${nonce}`)), bits)) return `${nonce}`;
}

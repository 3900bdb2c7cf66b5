/* Checks a queue's published record in the fan's own browser, as `onsale verify --queue` does (docs/queue-record.md has
 * the format and the rules): who can read this file need not trust the shop.
 *
 * Happy path: check_record() reads the document, checks the signatures of the heads that it publishes and the seed
 * against the commitment; then it goes once through the chain: each head's hash (SHA-256) and signature (Ed25519), the
 * freeze and the shuffle, the order, the drip and the room; and finds the ticket's place. All by Web Crypto; no page, no
 * network.
 *
 * What can go wrong: the first thing that is not as it must be ends it, and is told with its byte. A browser without
 * Ed25519 checks hashes alone, and says so. While the sale runs there is no chain yet: then less can be checked.
 *
 * It takes 10 bytes a fan; a million are a matter of seconds. For a worker: it does not pause. */

export const checks = ['document', 'signatures', 'chain', 'shuffle', 'order', 'drip', 'ticket'] as const;
export type Check = (typeof checks)[number];
/* good; bad; unchecked: this browser cannot; later: only the whole record can show it; none: there is nothing to check */
export type Verdict = 'good' | 'bad' | 'unchecked' | 'later' | 'none';

export interface FanFound {
  number: number;
  position: number | null; /* null: the shuffle has not been made */
  served_before: number; /* who were let in before this fan was, or up to the end */
  joined_ms: number;
  called_ms: number; /* 0: was not */
  admitted_ms: number;
  left_ms: number;
  ended_ms: number;
  is_unknown: boolean; /* a power loss took what was written of it */
}

export interface Report {
  verdicts: Record<Check, Verdict>;
  fault: { offset: number; words: string } | null;
  is_whole: boolean; /* the chain is published */
  is_shuffled: boolean;
  beacon: string | null;
  heads: number;
  joined: number;
  unknown: number;
  left: number;
  admitted: number;
  most_inside: number;
  frozen: number | null;
  frozen_ms: number;
  first_ms: number;
  last_ms: number;
  bytes: number;
  tail_bytes: number; /* behind the last signed head */
  last_hash: string;
  fan: FanFound | null;
}

class Fault extends Error {
  constructor(
    readonly check: Check,
    words: string,
    readonly offset = 0,
  ) {
    super(words);
  }
}

/* ---- bytes ---- */

const SHA = 'SHA-256';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function sha256(...parts: Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(SHA, join(...parts)));
}

/* A part with its length before it, so that no two lists of parts are the same bytes. */
function part(content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? encoder.encode(content) : content;
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return join(length, bytes);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function to_hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function from_hex(text: unknown, length: number, what: string): Uint8Array {
  if (typeof text !== 'string' || text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) throw new Fault('document', `'${what}' is not as many hexadecimal digits as it should be`);
  return Uint8Array.from({ length }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function from_base64(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const STEP = 1 << 20;
  const pieces: Uint8Array[] = [];
  try {
    for (let at = 0; at < text.length; at += STEP) {
      const letters = atob(text.slice(at, at + STEP));
      const piece = new Uint8Array(letters.length);
      for (let i = 0; i < letters.length; i++) piece[i] = letters.charCodeAt(i);
      pieces.push(piece);
    }
  } catch {
    return null;
  }
  return join(...pieces);
}

const from_base64url = (text: string) => from_base64(text.replace(/-/g, '+').replace(/_/g, '/'));

/* ---- signatures ---- */

/* Whether this browser has Ed25519: asked with the curve's base point, which is a key to all that do (RFC 8032, 5.1). */
async function knows_signatures(): Promise<boolean> {
  try {
    await crypto.subtle.importKey('raw', Uint8Array.from({ length: 32 }, (_, i) => (i ? 0x66 : 0x58)), 'Ed25519', false, ['verify']);
    return true;
  } catch {
    return false;
  }
}

interface Head {
  offset: number;
  time_ms: number;
  open_ms: number;
  hash: Uint8Array;
  key_id: string;
  signature: Uint8Array;
}

async function is_signed(key: Uint8Array, show: Uint8Array, head: Head): Promise<boolean> {
  const numbers = new DataView(new ArrayBuffer(20));
  numbers.setBigUint64(0, BigInt(head.offset));
  numbers.setUint16(8, head.time_ms / 2 ** 32);
  numbers.setUint32(10, head.time_ms % 2 ** 32);
  numbers.setUint16(14, head.open_ms / 2 ** 32);
  numbers.setUint32(16, head.open_ms % 2 ** 32);
  const message = join(encoder.encode('onsale queue head 1'), show, new Uint8Array(numbers.buffer), head.hash);
  try {
    const imported = await crypto.subtle.importKey('raw', join(key), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, join(head.signature), message);
  } catch {
    return false; /* not a key */
  }
}

/* ---- the document ---- */

interface Published {
  show: Uint8Array;
  is_shuffled: boolean;
  commitment: Uint8Array; /* zeros: order of arrival */
  beacon: string;
  seed: Uint8Array | null;
  keys: Map<string, Uint8Array>;
  heads: Head[];
  chain: Uint8Array | null;
  frozen: number | null;
}

function number_of(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value >= 2 ** 48) throw new Fault('document', `'${what}' is missing, or is no such number`);
  return value;
}

function list_of(value: unknown, what: string): Record<string, unknown>[] {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'object' || !item)) throw new Fault('document', `'${what}' is missing, or is no list`);
  return value;
}

function read_chain(root: Record<string, unknown>): Uint8Array | null {
  const length = number_of(root.chain_bytes, 'chain_bytes');
  if (root.chain === null) return null;
  const chain = typeof root.chain === 'string' ? from_base64(root.chain) : null;
  if (!chain) throw new Fault('document', "'chain' is not base64");
  if (chain.length !== length) throw new Fault('document', "'chain' is not as long as 'chain_bytes' says");
  return chain;
}

function read_keys(root: Record<string, unknown>): Map<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  for (const { kid, x } of list_of(root.public_keys, 'public_keys')) {
    const key = typeof x === 'string' ? from_base64url(x) : null;
    if (typeof kid !== 'string' || key?.length !== 32) throw new Fault('document', "'public_keys' has one that is no Ed25519 key");
    keys.set(kid, key);
  }
  return keys;
}

function read_document(value: unknown): Published {
  if (typeof value !== 'object' || !value || Array.isArray(value)) throw new Fault('document', 'it is no JSON object');
  const root = value as Record<string, unknown>;
  if (typeof root.show_id !== 'string') throw new Fault('document', "'show_id' is missing");
  if (root.order !== 'shuffle' && root.order !== 'arrival') throw new Fault('document', "'order' is neither arrival nor shuffle");
  const is_shuffled = root.order === 'shuffle';
  const heads = list_of(root.heads, 'heads').map((head) => ({
    offset: number_of(head.offset, 'offset'),
    time_ms: number_of(head.time_ms, 'time_ms'),
    open_ms: number_of(head.open_ms, 'open_ms'),
    hash: from_hex(head.hash, 32, 'hash'),
    key_id: String(head.kid),
    signature: from_hex(head.signature, 64, 'signature'),
  }));
  heads.forEach((head, i) => {
    if (i && head.offset <= (heads[i - 1]?.offset ?? 0)) throw new Fault('document', "'heads' are not in order");
  });
  return {
    show: from_hex(root.show_id.replace(/-/g, ''), 16, 'show_id'),
    is_shuffled,
    commitment: is_shuffled ? from_hex(root.commitment, 32, 'commitment') : new Uint8Array(32),
    beacon: is_shuffled && typeof root.beacon === 'string' ? root.beacon : '',
    seed: is_shuffled && root.seed !== null ? from_hex(root.seed, 32, 'seed') : null,
    keys: read_keys(root),
    heads,
    chain: read_chain(root),
    frozen: typeof root.frozen === 'number' ? root.frozen : null,
  };
}

/* ---- the ticket ---- */

export interface Ticket {
  show: Uint8Array;
  number: number;
  salt: Uint8Array;
  user: Uint8Array;
}

/* null: that is no queue ticket. Its MAC is for the server. */
export function read_ticket(text: string): Ticket | null {
  const bytes = text.startsWith('q1.') ? from_base64url(text.slice(3)) : null;
  if (!bytes || bytes.length < 4 + 16 + 4 + 6 + 8 + 1 + 16) return null;
  return {
    show: bytes.subarray(4, 20),
    number: new DataView(bytes.buffer).getUint32(20),
    salt: bytes.subarray(30, 38),
    user: bytes.subarray(38, bytes.length - 16),
  };
}

async function blinded_id(ticket: Ticket): Promise<Uint8Array> {
  return (await sha256(part('onsale place 1'), part(ticket.show), part(ticket.salt), part(ticket.user))).subarray(0, 16);
}

/* ---- the shuffle ---- */

function commitment_of(show: Uint8Array, seed: Uint8Array, beacon: Uint8Array | string): Promise<Uint8Array> {
  return sha256(part('onsale shuffle commitment 1'), part(show), part(seed), part(beacon));
}

const AT_ONCE = 4096; /* digests asked for together: a promise each would be the slowest part */

/* Positions by number, counted from 1: Fisher and Yates, from the last element down; bits are SHA-256(key, counter). */
export async function shuffled_positions(key: Uint8Array, count: number, told: (share: number) => void): Promise<Uint32Array> {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let words = new DataView(new ArrayBuffer(0));
  let at = 0;
  let counter = 0;
  const fetch_words = async (wanted: number) => {
    const digests: Promise<ArrayBuffer>[] = [];
    for (let i = 0; i < Math.min(wanted, AT_ONCE); i++) {
      const message = new Uint8Array(40);
      message.set(key);
      new DataView(message.buffer).setBigUint64(32, BigInt(counter++));
      digests.push(crypto.subtle.digest(SHA, message));
    }
    words = new DataView(join(...(await Promise.all(digests)).map((digest) => new Uint8Array(digest))).buffer);
    at = 0;
  };
  for (let i = count - 1; i >= 1; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1));
    let value: number;
    do {
      if (at === words.byteLength) {
        told(1 - i / count);
        await fetch_words(Math.ceil(i / 8) + 1);
      }
      value = words.getUint32(at);
      at += 4;
    } while (value >= limit);
    const other = value % (i + 1);
    const kept = order[i] as number;
    order[i] = order[other] as number;
    order[other] = kept;
  }
  const positions = new Uint32Array(count + 1);
  order.forEach((who, place) => (positions[who + 1] = place + 1));
  return positions;
}

/* ---- the chain ---- */

/* Bytes of each kind; S and O end with a text, whose length is their last byte. */
const SIZES: Record<string, number> = { S: 57, T: 23, K: 37, J: 23, U: 11, L: 11, C: 17, D: 11, A: 11, E: 11, F: 11, O: 44, H: 113 };

const TOKEN = 60_000_000; /* of the bucket, which fills with rate × 1000 each millisecond */
const FULL_AFTER_MS = 60_000;
const JITTER_MS = 1000; /* all but admissions may be so much earlier than what stands before them */
const MOST_PLACES = 2 ** 24;

const ADMITTED = 1;
const INSIDE = 2;
const ENDED = 4;
const LEFT = 8;

/* Who is inside, the first to end first. */
class Stays {
  private heap: { ends_ms: number; number: number }[] = [];
  first_ends_ms(): number {
    return this.heap[0]?.ends_ms ?? Infinity;
  }
  add(ends_ms: number, number: number): void {
    let at = this.heap.length;
    const stay = { ends_ms, number };
    this.heap.push(stay);
    for (let above = (at - 1) >> 1; at > 0 && (this.heap[above]?.ends_ms ?? 0) > ends_ms; above = (at - 1) >> 1) {
      this.heap[at] = this.heap[above] as typeof stay;
      at = above;
    }
    this.heap[at] = stay;
  }
  take(): number {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (last && this.heap.length) {
      let at = 0;
      for (let below = 1; below < this.heap.length; below = 2 * at + 1) {
        if ((this.heap[below + 1]?.ends_ms ?? Infinity) < (this.heap[below]?.ends_ms ?? 0)) below++;
        if ((this.heap[below]?.ends_ms ?? 0) >= last.ends_ms) break;
        this.heap[at] = this.heap[below] as typeof last;
        at = below;
      }
      this.heap[at] = last;
    }
    return first?.number ?? 0;
  }
}

class Walk {
  private readonly view: DataView;
  private at = 0;
  private start = 0; /* of what the next head's hash covers */
  private hash = new Uint8Array(32);
  private previous = '';
  private keys = new Map<string, Uint8Array>();
  private positions: Uint32Array | null = null;
  private frozen_head: Uint8Array = new Uint8Array(0);
  private is_frozen = false;
  private is_opened = false;
  private marks = new Uint8Array(4096);
  private issued = 0;
  private serving = 0;
  private terms: { rate: number; most: number; pass_ms: number } | null = null;
  private level = 0;
  private now_ms = 0;
  private inside = 0;
  private stays = new Stays();
  private next_head = 0; /* of the published ones */
  private last_head: Head | null = null;
  private beacon: Uint8Array = new Uint8Array(0);
  private blinded: Uint8Array | null = null;

  constructor(
    private readonly document: Published,
    private readonly chain: Uint8Array,
    private readonly ticket: Ticket | null,
    private readonly signs: boolean,
    private readonly report: Report,
    private readonly told: (share: number) => void,
  ) {
    this.view = new DataView(chain.buffer, chain.byteOffset, chain.length);
  }

  private wrong(check: Check, words: string): never {
    throw new Fault(check, words, this.at);
  }
  private u32(from: number): number {
    return this.view.getUint32(this.at + from);
  }
  private u48(from: number): number {
    return this.view.getUint16(this.at + from) * 2 ** 32 + this.view.getUint32(this.at + from + 2);
  }
  private bytes(from: number, length: number): Uint8Array {
    return this.chain.slice(this.at + from, this.at + from + length);
  }

  async run(): Promise<void> {
    if (this.ticket) this.blinded = await blinded_id(this.ticket);
    let told_at = 0;
    while (this.at < this.chain.length && this.chain[this.at] !== 0) {
      const kind = String.fromCharCode(this.chain[this.at] ?? 0);
      const fixed = SIZES[kind];
      const has_text = kind === 'S' || kind === 'O';
      const length = fixed && fixed + (has_text ? (this.chain[this.at + fixed - 1] ?? 0) : 0);
      if (!length || this.at + length > this.chain.length) this.wrong('chain', 'what stands here is not a record, or breaks off');
      if ((this.at === 0) !== (kind === 'S')) this.wrong('chain', 'a beginning is missing, or stands in the middle');
      if (kind !== 'S' && kind !== 'K') this.see_time(kind, this.u48(1));
      const under_way = this.one(kind, length);
      if (under_way) await under_way;
      this.previous = kind;
      this.at += length;
      if (this.at - told_at > 1 << 18) this.told((told_at = this.at) / this.chain.length);
    }
    for (let i = this.at; i < this.chain.length; i++) if (this.chain[i] !== 0) this.wrong('chain', 'something stands behind its end');
    this.end();
  }

  /* Only heads and the opening have to wait for Web Crypto: all else would be slowed by it. */
  private one(kind: string, length: number): Promise<void> | void {
    const number = kind === 'J' ? this.issued + 1 : this.u32(Math.min(7, length - 4));
    if (kind === 'H') return this.head(length);
    if (kind === 'O') return this.open(length);
    if (kind === 'S') this.begin(length);
    else if (kind === 'T') this.take_terms();
    else if (kind === 'K') this.take_key();
    else if (kind === 'J') this.joins(number);
    else if (kind === 'U') this.unknown(number);
    else if (kind === 'F') this.freeze(number);
    else if (kind === 'C') this.call(number);
    else this.of_place(kind, number);
  }

  private see_time(kind: string, time_ms: number): void {
    const passed_ms = time_ms - this.now_ms;
    this.report.last_ms = Math.max(this.report.last_ms, time_ms);
    if (passed_ms >= 0) this.fill(passed_ms);
    else if (kind === 'A' || kind === 'T' || passed_ms < -JITTER_MS) this.fill(FULL_AFTER_MS); /* the clock was corrected */
    else return;
    this.now_ms = time_ms;
  }

  private fill(passed_ms: number): void {
    if (!this.terms) return;
    const most = Math.max(this.terms.rate * 1_000_000, TOKEN);
    this.level = passed_ms >= FULL_AFTER_MS ? most : Math.min(this.level + this.terms.rate * 1000 * passed_ms, most);
  }

  private begin(length: number): void {
    if (this.chain[1] !== 1) this.wrong('document', 'it is of a later form than this page knows');
    if (!equal(this.bytes(2, 16), this.document.show)) this.wrong('chain', "the chain is another show's");
    this.beacon = this.bytes(57, length - 57);
    if (!equal(this.bytes(24, 32), this.document.commitment) || decoder.decode(this.beacon) !== this.document.beacon)
      this.wrong('shuffle', 'the chain has another commitment, or names another beacon, than the document');
    this.now_ms = this.report.first_ms = this.report.last_ms = this.u48(18);
  }

  private take_terms(): void {
    const is_first = !this.terms;
    this.terms = { rate: this.u32(7), most: this.u32(11), pass_ms: this.u32(19) * 1000 };
    if (!this.terms.rate || !this.terms.most || !this.u32(15) || !this.terms.pass_ms) this.wrong('drip', 'the terms are none that a queue can have');
    if (is_first) this.fill(FULL_AFTER_MS);
  }

  private take_key(): void {
    const id = to_hex(this.bytes(1, 4));
    const key = this.bytes(5, 32);
    const known = this.keys.get(id);
    if (known && !equal(known, key)) this.wrong('signatures', `key ${id} is given a second time, and is another one`);
    this.keys.set(id, key);
  }

  private issue(number: number): void {
    if (number > MOST_PLACES) this.wrong('order', 'there are more places than a queue has');
    if (number >= this.marks.length) {
      const more = new Uint8Array(Math.max(number + 1, this.marks.length * 2));
      more.set(this.marks);
      this.marks = more;
    }
    this.issued = number;
  }

  private joins(number: number): void {
    this.issue(number);
    this.report.joined++;
    const { ticket } = this;
    if (ticket?.number !== number || !this.blinded || !equal(this.blinded, this.bytes(7, 16)) || !equal(ticket.show, this.document.show)) return;
    this.report.fan = {
      number, position: !this.document.is_shuffled || this.is_frozen ? number : null, served_before: 0,
      joined_ms: this.u48(1), called_ms: 0, admitted_ms: 0, left_ms: 0, ended_ms: 0, is_unknown: false,
    };
  }

  private unknown(number: number): void {
    if (number <= this.issued) this.wrong('order', `numbers up to ${number} are said to be unknown, after ${this.issued} were given out`);
    this.report.unknown += number - this.issued;
    if (this.ticket && this.ticket.number > this.issued && this.ticket.number <= number && equal(this.ticket.show, this.document.show))
      this.report.fan = { number: this.ticket.number, position: null, served_before: 0, joined_ms: 0, called_ms: 0, admitted_ms: 0, left_ms: 0, ended_ms: 0, is_unknown: true };
    this.issue(number);
  }

  private freeze(number: number): void {
    if (!this.document.is_shuffled) this.wrong('shuffle', 'the line is frozen for a shuffle, and none was committed to');
    if (this.is_frozen) this.wrong('shuffle', 'the line is frozen a second time');
    if (this.previous !== 'H') this.wrong('shuffle', 'the line is not frozen right behind a signed head');
    if (number !== this.issued) this.wrong('shuffle', `${number} are frozen, and ${this.issued} were in the line`);
    this.is_frozen = true;
    this.frozen_head = this.hash;
    this.report.frozen = number;
    this.report.frozen_ms = this.u48(1);
  }

  private async open(length: number): Promise<void> {
    const count = this.u32(7);
    const seed = this.bytes(11, 32);
    const value = this.bytes(44, length - 44);
    if (!this.document.is_shuffled || !this.is_frozen || this.is_opened) this.wrong('shuffle', 'there is a shuffle that was not committed to, not frozen for, or made before');
    if (count !== this.report.frozen) this.wrong('shuffle', `${count} are shuffled, and ${this.report.frozen} were frozen`);
    if ((value.length > 0) !== (this.beacon.length > 0)) this.wrong('shuffle', "the beacon's value and its name do not go together");
    if (!equal(await commitment_of(this.document.show, seed, this.beacon), this.document.commitment)) this.wrong('shuffle', "the shuffle's seed is not the one that was committed to");
    const key = await sha256(part('onsale shuffle key 1'), part(this.document.show), part(seed), part(this.frozen_head), part(value));
    this.positions = await shuffled_positions(key, count, this.told);
    this.is_opened = true;
    const { fan } = this.report;
    if (fan && !fan.is_unknown) fan.position = this.position_of(fan.number);
  }

  /* 0: there is no such number. */
  private position_of(number: number): number {
    if (number < 1 || number > this.issued) return 0;
    return this.positions?.[number] ?? number;
  }

  private call(serving: number): void {
    if (this.document.is_shuffled && !this.is_opened) this.wrong('shuffle', 'people are called before the promised shuffle');
    if (serving < this.serving) this.wrong('order', `the calls go back from ${this.serving} to ${serving}`);
    if (serving > this.issued) this.wrong('order', `places up to ${serving} are called, and there are only ${this.issued}`);
    this.serving = serving;
    const { fan } = this.report;
    if (fan?.position && !fan.called_ms && fan.position <= serving) fan.called_ms = this.u48(1);
  }

  /* L, D, A and E: what befalls a place. */
  private of_place(kind: string, number: number): void {
    const position = this.position_of(number);
    const time_ms = this.u48(1);
    const mark = this.marks[number] ?? 0;
    const fan = this.report.fan?.number === number ? this.report.fan : null;
    if (!position) this.wrong('order', `number ${number} was never given out`);
    if (kind === 'E') {
      if (mark & ENDED || (!(mark & ADMITTED) && !this.report.unknown)) this.wrong('order', `the pass of number ${number} ends a second time, or it was not let in`);
      this.ends(number);
      this.marks[number] = (this.marks[number] ?? 0) | ENDED;
      if (fan) fan.ended_ms = time_ms;
      return;
    }
    if (kind !== 'L' && position > this.serving) this.wrong('order', `number ${number} goes in before it is called: it has position ${position}, and ${this.serving} are called`);
    if (mark & (LEFT | ADMITTED)) this.wrong('order', `number ${number} left or was let in before this`);
    if (kind === 'L') {
      this.marks[number] = mark | LEFT;
      this.report.left++;
      if (fan) fan.left_ms = time_ms;
    } else if (kind === 'A') {
      this.admit(number, time_ms, mark);
      if (fan) fan.admitted_ms = time_ms;
    }
  }

  private ends(number: number): void {
    const mark = this.marks[number] ?? 0;
    if (!(mark & INSIDE)) return;
    this.marks[number] = mark & ~INSIDE;
    this.inside--;
  }

  private admit(number: number, time_ms: number, mark: number): void {
    const { terms, report } = this;
    if (!terms) this.wrong('drip', 'somebody is let in before there are any terms');
    if (this.level < TOKEN) this.wrong('drip', `number ${number} is let in too early: more were let in than ${terms.rate} a minute allow`);
    while (this.stays.first_ends_ms() <= time_ms) this.ends(this.stays.take());
    if (this.inside >= terms.most) this.wrong('drip', `number ${number} is let in while ${this.inside} are inside, and the room is for ${terms.most}`);
    this.stays.add(time_ms + terms.pass_ms, number);
    this.level -= TOKEN;
    this.marks[number] = mark | ADMITTED | INSIDE;
    report.most_inside = Math.max(report.most_inside, ++this.inside);
    if (report.fan && !report.fan.admitted_ms && report.fan.number !== number) report.fan.served_before++;
    report.admitted++;
  }

  private async head(length: number): Promise<void> {
    const head: Head = { offset: this.at, time_ms: this.u48(1), open_ms: this.u48(7), hash: this.bytes(13, 32), key_id: to_hex(this.bytes(45, 4)), signature: this.bytes(49, 64) };
    this.hash = new Uint8Array(await sha256(this.hash, this.chain.subarray(this.start, this.at)));
    if (!equal(this.hash, head.hash)) this.wrong('chain', 'what stands before this head is not what was signed');
    const key = this.keys.get(head.key_id);
    if (!key) this.wrong('signatures', `the head is signed with key ${head.key_id}, which is not in the record`);
    if (this.signs && !(await is_signed(key, this.document.show, head))) this.wrong('signatures', "the head's signature is not good");
    const published = this.document.heads[this.next_head];
    if (published && published.offset <= head.offset) {
      if (!same_head(published, head)) this.wrong('chain', 'a signed head that was published is not in the chain');
      this.next_head++;
    }
    this.start = this.at + length;
    this.last_head = head;
    this.report.heads++;
  }

  /* A chain brings its own keys: the one that signed last, and so vouches for all before it, has to be a published one. */
  private end(): void {
    const { last_head } = this;
    if (!last_head) throw new Fault('signatures', 'nobody has signed the record: it has no head');
    const published = this.document.keys.get(last_head.key_id);
    if (!published || !equal(published, this.keys.get(last_head.key_id) ?? new Uint8Array(0))) throw new Fault('signatures', `the chain is signed with key ${last_head.key_id}, which is not among the published ones`);
    if (this.next_head < this.document.heads.length) throw new Fault('chain', 'a signed head that was published is not in the chain');
    this.report.tail_bytes = this.at - this.start;
    this.report.last_hash = to_hex(last_head.hash);
  }
}

function same_head(a: Head, b: Head): boolean {
  return a.offset === b.offset && a.time_ms === b.time_ms && a.open_ms === b.open_ms && a.key_id === b.key_id && equal(a.hash, b.hash) && equal(a.signature, b.signature);
}

/* ---- all of it ---- */

async function check_signatures(document: Published): Promise<void> {
  for (const head of document.heads) {
    const key = document.keys.get(head.key_id);
    if (!key) throw new Fault('signatures', `a head is signed with key ${head.key_id}, which is not among the published ones`, head.offset);
    if (!(await is_signed(key, document.show, head))) throw new Fault('signatures', "a published head's signature is not good", head.offset);
  }
}

async function check_all(value: unknown, ticket_text: string | null, report: Report, told: (share: number) => void): Promise<void> {
  const { verdicts } = report;
  const document = read_document(value);
  verdicts.document = 'good';
  report.is_whole = !!document.chain;
  report.is_shuffled = document.is_shuffled;
  report.beacon = document.beacon || null;
  report.frozen = document.frozen;
  report.heads = document.heads.length;
  report.bytes = document.chain?.length ?? 0;
  const signs = await knows_signatures();
  if (signs) await check_signatures(document);
  if (document.seed && !equal(await commitment_of(document.show, document.seed, document.beacon), document.commitment)) throw new Fault('shuffle', "the shuffle's seed is not the one that was committed to");
  const ticket = ticket_text === null ? null : read_ticket(ticket_text);
  const rest: Verdict = document.chain ? 'good' : 'later';
  if (document.chain) {
    report.heads = 0;
    report.frozen = null;
    await new Walk(document, document.chain, ticket, signs, report, told).run();
  }
  verdicts.signatures = !signs ? 'unchecked' : document.chain || document.heads.length ? 'good' : 'later';
  verdicts.chain = verdicts.order = verdicts.drip = rest;
  verdicts.shuffle = !document.is_shuffled ? 'none' : document.chain || document.seed ? 'good' : 'later';
  const is_of_it = ticket && equal(ticket.show, document.show) && (report.fan || !document.chain);
  verdicts.ticket = ticket_text === null ? 'none' : is_of_it ? rest : 'bad'; /* which says nothing against the record */
}

/* What can be said of a record: `value` is what GET …/queue/record answered, `ticket` a fan's queue ticket or null.
 * `told` is given the share that is done, now and then. Never throws for what a record can contain. */
export async function check_record(value: unknown, ticket: string | null = null, told: (share: number) => void = () => {}): Promise<Report> {
  const report: Report = {
    verdicts: { document: 'later', signatures: 'later', chain: 'later', shuffle: 'later', order: 'later', drip: 'later', ticket: 'later' },
    fault: null, is_whole: false, is_shuffled: false, beacon: null, heads: 0, joined: 0, unknown: 0, left: 0, admitted: 0, most_inside: 0,
    frozen: null, frozen_ms: 0, first_ms: 0, last_ms: 0, bytes: 0, tail_bytes: 0, last_hash: '', fan: null,
  };
  try {
    await check_all(value, ticket, report, told);
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    report.verdicts[fault.check] = 'bad';
    report.fault = { offset: fault.offset, words: fault.message };
    report.fan = null;
  }
  return report;
}

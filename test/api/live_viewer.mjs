/* A viewer of the seat map as docs/live-map.md describes one: reads both forms, applies what fits, notices gaps.
 *
 *     const viewer = await LiveViewer.open(server, show, { format: 'json' });
 *     await viewer.until((seats) => seats.A1 === 'HELD');
 *     viewer.place                                   → 'FEEDHEX.SEQUENCE', for ?since=
 */
import assert from 'node:assert/strict';
import { BINARY, TEXT, WebSocketClient } from './websocket.mjs';

export const words = ['AVAILABLE', 'HELD', 'BOOKED'];

/* One binary message: {type, feed, sequence, since, count, statuses | changes}. Strict. */
export function decode(message) {
  assert.ok(message.length >= 32, 'a whole head');
  const kind = message[0];
  assert.ok(kind === 1 || kind === 2, `kind ${kind}`);
  assert.equal(message[1], 1, 'the format version');
  assert.equal(message.readUInt16LE(2), 0);
  const count = message.readUInt32LE(4);
  const feed = message.readBigUInt64LE(8).toString(16).padStart(16, '0');
  const sequence = Number(message.readBigUInt64LE(16));
  const since = Number(message.readBigUInt64LE(24));
  const body = message.subarray(32);
  if (kind === 1) {
    assert.equal(since, 0);
    return { type: 'snapshot', feed, sequence, count, statuses: statuses_of(body, count) };
  }
  assert.equal(body.length, 4 * count, 'a delta of so many');
  const changes = Array.from({ length: count }, (_, i) => body.readUInt32LE(4 * i)).map((change) => ({ seat: change >>> 2, status: change & 3 }));
  for (let i = 1; i < count; i++) assert.ok(changes[i].seat > changes[i - 1].seat, 'rising');
  assert.ok(changes.every(({ status }) => status < 3));
  return { type: 'delta', feed, sequence, since, count, changes };
}

/* Two bits a seat, as in seats.bits. */
export function statuses_of(bits, count) {
  assert.equal(bits.length, Math.ceil(count / 4));
  return Array.from({ length: count }, (_, i) => (bits[i >> 2] >> (2 * (i & 3))) & 3);
}

export class LiveViewer {
  constructor(names) {
    this.names = names; // in plan order
    this.index = new Map(names.map((name, i) => [name, i]));
    this.statuses = null;
    this.feed = null;
    this.sequence = 0;
    this.frames = []; // {type, since, sequence, count}
  }

  static async open(server, show, { format, since, names } = {}) {
    names ??= Object.keys(await server.seats(show));
    const viewer = new LiveViewer(names);
    await viewer.connect(server, show, { format, since });
    return viewer;
  }

  get place() {
    return `${this.feed}.${this.sequence}`;
  }

  async connect(server, show, { format, since } = {}) {
    const query = new URLSearchParams({ ...(format && { format }), ...(since && { since }) }).toString();
    this.opcode = format === 'json' ? TEXT : BINARY;
    this.client = await WebSocketClient.open(server.fans, `/api/v1/shows/${show}/live${query && `?${query}`}`);
  }

  /* What a GET of seats.bits gave. */
  start_from({ headers, body }) {
    this.feed = headers.get('x-feed');
    this.sequence = Number(headers.get('x-sequence'));
    this.statuses = statuses_of(body, this.names.length);
  }

  apply(frame) {
    this.frames.push(frame);
    if (frame.type === 'snapshot') {
      assert.equal(frame.count, this.names.length);
      this.statuses = [...frame.statuses];
    } else {
      assert.equal(frame.feed, this.feed, 'a delta of the same feed');
      if (frame.sequence <= this.sequence) return;
      assert.ok(frame.since <= this.sequence, `a gap: ${this.sequence}, then a delta since ${frame.since}`);
      for (const { seat, status } of frame.changes) this.statuses[seat] = status;
    }
    this.feed = frame.feed;
    this.sequence = frame.sequence;
  }

  read(payload) {
    if (this.opcode === BINARY) return decode(payload);
    const { type, feed, since, sequence, seats, ...more } = JSON.parse(payload.toString());
    assert.deepEqual(more, {}, 'no other members');
    assert.match(feed, /^[0-9a-f]{16}$/);
    const changes = seats.map(({ seat_id, status, ...rest }) => {
      assert.deepEqual(rest, {});
      assert.ok(this.index.has(seat_id) && words.includes(status), `${seat_id} ${status}`);
      return { seat: this.index.get(seat_id), status: words.indexOf(status) };
    });
    const frame = { type, feed, since, sequence, count: seats.length, changes };
    if (type === 'delta') return frame;
    assert.equal(since, undefined);
    assert.ok(changes.every(({ seat }, i) => seat === i), 'all seats, in plan order');
    return { ...frame, statuses: changes.map(({ status }) => status) };
  }

  /* Takes the next frame. */
  async next(timeout_ms) {
    const { payload } = await this.client.message(this.opcode, timeout_ms);
    const frame = this.read(payload);
    this.apply(frame);
    return { ...frame, payload };
  }

  /* Takes what has come by now. */
  take_all() {
    for (const { opcode, payload } of this.client.messages.splice(0)) if (opcode === this.opcode) this.apply(this.read(payload));
  }

  get seats() {
    return Object.fromEntries(this.names.map((name, i) => [name, words[this.statuses[i]]]));
  }

  async until(fits, timeout_ms = 10_000) {
    const end = Date.now() + timeout_ms;
    this.take_all();
    while (!this.statuses || !fits(this.seats)) await this.next(Math.max(end - Date.now(), 1));
  }

  close() {
    return this.client.close();
  }
}

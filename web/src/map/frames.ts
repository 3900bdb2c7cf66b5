/* The live map's bytes (docs/live-map.md), and what a frame does to what is known. No clock, no socket.
 *
 * A frame is believed only if all of it is as the format says: a length, an index or a status out of bounds refuses the
 * whole frame. 64-bit numbers are read in halves, since older browsers cannot read them whole; a sequence beyond 2^53 is
 * refused, which is farther than any sale goes. */

export const AVAILABLE = 0;
export const HELD = 1;
export const BOOKED = 2;

const HEAD_BYTES = 32;

export type Frame =
  | { kind: 'snapshot'; feed: string; sequence: number; statuses: Uint8Array }
  | { kind: 'delta'; feed: string; sequence: number; since: number; changes: Uint32Array };

function whole(data: DataView, at: number): number | null {
  const value = data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true);
  return value <= Number.MAX_SAFE_INTEGER ? value : null;
}

const hex = (value: number) => value.toString(16).padStart(8, '0');

/* Two bits a seat, as seats.bits and snapshots have them; null unless it is exactly `seats` seats, each with a status. */
export function statuses_from_bits(bits: Uint8Array, seats: number): Uint8Array | null {
  if (bits.length !== Math.ceil(seats / 4)) return null;
  const statuses = new Uint8Array(seats);
  for (let i = 0; i < seats; i++) {
    const status = (bits[i >> 2]! >> ((i & 3) * 2)) & 3;
    if (status > BOOKED) return null;
    statuses[i] = status;
  }
  if (seats & 3 && bits[bits.length - 1]! >> ((seats & 3) * 2)) return null;
  return statuses;
}

/* `seats`: how many the plan has. */
export function frame_read(bytes: ArrayBuffer, seats: number): Frame | null {
  if (bytes.byteLength < HEAD_BYTES) return null;
  const data = new DataView(bytes);
  const kind = data.getUint8(0);
  if (data.getUint8(1) !== 1 || data.getUint16(2, true) !== 0) return null;
  const count = data.getUint32(4, true);
  const feed = hex(data.getUint32(12, true)) + hex(data.getUint32(8, true));
  const sequence = whole(data, 16);
  const since = whole(data, 24);
  if (sequence === null || since === null) return null;
  if (kind === 1) {
    if (count !== seats || since !== 0) return null;
    const statuses = statuses_from_bits(new Uint8Array(bytes, HEAD_BYTES), seats);
    return statuses && { kind: 'snapshot', feed, sequence, statuses };
  }
  /* One that tells that nothing has changed ends where it begins. */
  if (kind !== 2 || since > sequence || (since === sequence && count > 0) || count > seats || bytes.byteLength !== HEAD_BYTES + count * 4) return null;
  const changes = new Uint32Array(count);
  let before = -1;
  for (let i = 0; i < count; i++) {
    const change = data.getUint32(HEAD_BYTES + i * 4, true);
    const index = change >>> 2;
    if (index <= before || index >= seats || (change & 3) > BOOKED) return null;
    changes[i] = change;
    before = index;
  }
  return { kind: 'delta', feed, sequence, since, changes };
}

/* What is known: the state after `sequence` of a run of the feed. */
export interface Known {
  feed: string | null; /* null: nothing yet, or it cannot be resumed */
  sequence: number;
  statuses: Uint8Array;
}

/* Which seats changed, and what they were before. */
export interface Changed {
  indices: number[];
  before: number[];
}

export type Applied = { kind: 'applied'; changed: Changed } | { kind: 'old' } | { kind: 'gap' };

/* Puts a frame into `known`, or says why not: `old` is known already, and before a `gap` something is missing, so that
 * the caller asks again from `known.sequence`. */
export function frame_apply(known: Known, frame: Frame): Applied {
  const changed: Changed = { indices: [], before: [] };
  const set = (index: number, status: number) => {
    const before = known.statuses[index]!;
    if (before === status) return;
    changed.indices.push(index);
    changed.before.push(before);
    known.statuses[index] = status;
  };
  if (frame.kind === 'snapshot') {
    if (frame.feed === known.feed && frame.sequence < known.sequence) return { kind: 'old' };
    frame.statuses.forEach((status, index) => set(index, status));
  } else {
    if (frame.feed !== known.feed || frame.since > known.sequence) return { kind: 'gap' };
    if (frame.sequence <= known.sequence) return { kind: 'old' };
    for (const change of frame.changes) set(change >>> 2, change & 3);
  }
  known.feed = frame.feed;
  known.sequence = frame.sequence;
  return { kind: 'applied', changed };
}

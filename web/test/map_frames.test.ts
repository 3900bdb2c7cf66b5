/* The live map's bytes: what is read, what is refused, and what follows on what is known. */
import { describe, expect, it } from 'vitest';
import { frame_apply, frame_read, statuses_from_bits, type Frame, type Known } from '../src/map/frames';

interface Head {
  kind?: number;
  version?: number;
  zero?: number;
  count?: number;
  feed?: bigint;
  sequence?: bigint;
  since?: bigint;
}

function bytes_of(head: Head, body: number[] | Uint8Array): ArrayBuffer {
  const bytes = new ArrayBuffer(32 + body.length);
  const data = new DataView(bytes);
  data.setUint8(0, head.kind ?? 1);
  data.setUint8(1, head.version ?? 1);
  data.setUint16(2, head.zero ?? 0, true);
  data.setUint32(4, head.count ?? 0, true);
  data.setBigUint64(8, head.feed ?? 0x0123456789abcdefn, true);
  data.setBigUint64(16, head.sequence ?? 41n, true);
  data.setBigUint64(24, head.since ?? 0n, true);
  new Uint8Array(bytes, 32).set(body);
  return bytes;
}

const delta = (head: Head, ...changes: number[]) => bytes_of({ kind: 2, since: (head.sequence ?? 42n) - 1n, sequence: 42n, count: changes.length, ...head }, new Uint8Array(new Uint32Array(changes).buffer));
const snapshot_of_seven = bytes_of({ count: 7 }, [0x04, 0x22]);
const known_seven = (): Known => {
  const known: Known = { feed: null, sequence: 0, statuses: new Uint8Array(7) };
  frame_apply(known, frame_read(snapshot_of_seven, 7) as Frame);
  return known;
};

describe('a frame', () => {
  it('of the documents example is read', () => {
    /* Red if seats are taken from a byte's high bits first, or 64-bit halves are swapped. */
    expect(frame_read(snapshot_of_seven, 7)).toEqual({ kind: 'snapshot', feed: '0123456789abcdef', sequence: 41, statuses: new Uint8Array([0, 1, 0, 0, 2, 0, 2]) });
    expect(frame_read(delta({}, (1 << 2) | 0, (5 << 2) | 1), 7)).toEqual({ kind: 'delta', feed: '0123456789abcdef', sequence: 42, since: 41, changes: new Uint32Array([4, 21]) });
  });

  it('with anything out of bounds is refused whole', () => {
    /* Red if any one check of frame_read is left out. */
    const hostile: [string, ArrayBuffer][] = [
      ['nothing', new ArrayBuffer(0)],
      ['less than a head', new ArrayBuffer(31)],
      ['another kind', bytes_of({ kind: 3, count: 7 }, [0, 0])],
      ['another version', bytes_of({ version: 2, count: 7 }, [0, 0])],
      ['the spare bytes set', bytes_of({ zero: 1, count: 7 }, [0, 0])],
      ['a snapshot of another plan', bytes_of({ count: 8 }, [0, 0])],
      ['a snapshot too short', bytes_of({ count: 7 }, [0])],
      ['a snapshot too long', bytes_of({ count: 7 }, [0, 0, 0])],
      ['a snapshot with a fourth status', bytes_of({ count: 7 }, [0x03, 0])],
      ['a snapshot with bits behind its last seat', bytes_of({ count: 7 }, [0, 0x40])],
      ['a snapshot that begins somewhere', bytes_of({ count: 7, since: 1n }, [0, 0])],
      ['a sequence that no number holds', bytes_of({ count: 7, sequence: 1n << 60n }, [0, 0])],
      ['a delta that ends before it begins', delta({ since: 43n })],
      ['a delta with changes that ends where it begins', delta({ since: 42n }, 4)],
      ['a delta with more changes than bytes', bytes_of({ kind: 2, sequence: 2n, since: 1n, count: 2 }, [4, 0, 0, 0])],
      ['a delta with fewer changes than bytes', bytes_of({ kind: 2, sequence: 2n, since: 1n, count: 0 }, [4, 0, 0, 0])],
      ['a delta of more seats than there are', bytes_of({ kind: 2, sequence: 2n, since: 1n, count: 0xffffffff }, [4, 0, 0, 0])],
      ['a seat behind the last', delta({}, 7 << 2)],
      ['a seat twice', delta({}, 4, 5)],
      ['seats that fall', delta({}, 8, 4)],
      ['a change to a fourth status', delta({}, 7)],
    ];
    for (const [what, bytes] of hostile) expect(frame_read(bytes, 7), what).toBeNull();
  });

  it('of any bytes is read or refused, and never thrown at', () => {
    /* Red if a length is used before it is held against the bytes there are. */
    let seed = 7;
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
    for (let round = 0; round < 3000; round++) {
      const bytes = new Uint8Array(random() % 80).map(() => (random() % 3 ? random() % 4 : random()));
      expect(() => frame_read(bytes.buffer, 1 + (random() % 40))).not.toThrow();
    }
  });
});

describe('what is known', () => {
  it('takes the delta that follows, and says which seats changed', () => {
    /* Red if a change to the same status counts, or `before` is the new status. */
    const known = known_seven();
    const applied = frame_apply(known, frame_read(delta({}, (0 << 2) | 0, (1 << 2) | 0, (5 << 2) | 1), 7) as Frame);
    expect(applied).toEqual({ kind: 'applied', changed: { indices: [1, 5], before: [1, 0] } });
    expect([...known.statuses]).toEqual([0, 0, 0, 0, 2, 1, 2]);
    expect(known.sequence).toBe(42);
  });

  it('takes a delta that reaches back farther than it has to', () => {
    /* Red if `since` has to be the very sequence known. */
    expect(frame_apply(known_seven(), frame_read(delta({ sequence: 60n, since: 10n }, 1), 7) as Frame).kind).toBe('applied');
  });

  it('goes on after a delta that says that nothing has changed', () => {
    /* Red if the answer to a resumption in a quiet hour is refused. */
    const known = known_seven();
    const frame = frame_read(delta({ sequence: 41n, since: 41n }), 7);
    expect(frame).not.toBeNull();
    expect(frame_apply(known, frame as Frame).kind).toBe('old');
  });

  it('is left alone by what it knows already', () => {
    /* Red if an old delta is applied again. */
    const known = known_seven();
    expect(frame_apply(known, frame_read(delta({ sequence: 41n }, 1), 7) as Frame).kind).toBe('old');
    expect(frame_apply(known, frame_read(bytes_of({ count: 7, sequence: 40n }, [0, 0]), 7) as Frame).kind).toBe('old');
    expect([...known.statuses]).toEqual([0, 1, 0, 0, 2, 0, 2]);
  });

  it('notices a gap and another run of the feed, and is left as it was', () => {
    /* Red if `since` or the feed is not looked at. */
    const known = known_seven();
    expect(frame_apply(known, frame_read(delta({ sequence: 44n, since: 43n }, 1), 7) as Frame).kind).toBe('gap');
    expect(frame_apply(known, frame_read(delta({ feed: 5n }, 1), 7) as Frame).kind).toBe('gap');
    expect(known.sequence).toBe(41);
    expect(known.statuses[0]).toBe(0);
  });

  it('begins anew with a snapshot of another run, whatever its sequence', () => {
    /* Red if a restarted server's low sequence is taken for old. */
    const known = known_seven();
    const applied = frame_apply(known, frame_read(bytes_of({ count: 7, feed: 9n, sequence: 1n }, [0, 0]), 7) as Frame);
    expect(applied).toEqual({ kind: 'applied', changed: { indices: [1, 4, 6], before: [1, 2, 2] } });
    expect(known.feed).toBe('0000000000000009');
  });
});

it('bits of a plan of another size are refused', () => {
  /* Red if seats.bits is trusted to have the plan's length. */
  expect(statuses_from_bits(new Uint8Array(2), 9)).toBeNull();
  expect(statuses_from_bits(new Uint8Array([0b10_01_00_10]), 4)).toEqual(new Uint8Array([2, 0, 1, 2]));
});

/* Writes baseline JPEG (ITU-T T.81): three components, the colours at half the resolution, the tables of annex K.
 *
 *     jpeg(width, height, (x, y) => [red, green, blue], 80)      0 to 255 each
 *
 * For pictures that a program of ours draws, so that none has to be brought along. */

const LUMINANCE = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99];
const CHROMINANCE = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  ...new Array(32).fill(99)];
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63];

/* How many codes of each length, and what they stand for (annex K.3). */
const hex = (text) => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];
const TABLES = [
  { counts: hex('00 01 05 01 01 01 01 01 01 00 00 00 00 00 00 00'), values: hex('00 01 02 03 04 05 06 07 08 09 0a 0b') },
  { counts: hex('00 02 01 03 03 02 04 03 05 05 04 04 00 00 01 7d'), values: hex(
    '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a'
    + '535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8'
    + 'c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa') },
  { counts: hex('00 03 01 01 01 01 01 01 01 01 01 00 00 00 00 00'), values: hex('00 01 02 03 04 05 06 07 08 09 0a 0b') },
  { counts: hex('00 02 01 02 04 04 03 04 07 05 04 04 00 01 02 77'), values: hex(
    '0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a'
    + '535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7'
    + 'c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa') },
];

/* value → [code, length] (annex C). */
function codes_of({ counts, values }) {
  const codes = [];
  let code = 0;
  let at = 0;
  counts.forEach((count, i) => {
    for (let k = 0; k < count; k++) codes[values[at++]] = [code++, i + 1];
    code <<= 1;
  });
  return codes;
}

function scaled(table, quality) {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return table.map((step) => Math.min(255, Math.max(1, Math.floor((step * scale + 50) / 100))));
}

const COSINES = Array.from({ length: 8 }, (_, u) => Array.from({ length: 8 }, (_unused, x) => (u === 0 ? Math.SQRT1_2 : 1) / 2 * Math.cos((2 * x + 1) * u * Math.PI / 16)));

/* The transform of eight rows, then of eight columns. */
function transform(block, out, half) {
  for (let y = 0; y < 8; y++)
    for (let u = 0; u < 8; u++) {
      let sum = 0;
      for (let x = 0; x < 8; x++) sum += block[8 * y + x] * COSINES[u][x];
      half[8 * y + u] = sum;
    }
  for (let u = 0; u < 8; u++)
    for (let v = 0; v < 8; v++) {
      let sum = 0;
      for (let y = 0; y < 8; y++) sum += half[8 * y + u] * COSINES[v][y];
      out[8 * v + u] = sum;
    }
}

class Bits {
  bytes = [];
  held = 0;
  count = 0;

  put([code, length]) {
    for (let i = length - 1; i >= 0; i--) {
      this.held = (this.held << 1) | ((code >> i) & 1);
      if (++this.count < 8) continue;
      this.bytes.push(this.held);
      if (this.held === 0xff) this.bytes.push(0);
      this.held = 0;
      this.count = 0;
    }
  }

  /* A number by how many bits it takes, then those. */
  put_number(codes, run, value) {
    const size = 32 - Math.clz32(Math.abs(value));
    this.put(codes[(run << 4) | size]);
    if (size) this.put([value < 0 ? value + (1 << size) - 1 : value, size]);
  }

  end() {
    if (this.count) this.put([0x7f, 8 - this.count]);
  }
}

function put_block(bits, block, steps, last, dc, ac, scratch) {
  const { out, half } = scratch;
  transform(block, out, half);
  const values = ZIGZAG.map((at) => Math.round(out[at] / steps[at]));
  bits.put_number(dc, 0, values[0] - last);
  let run = 0;
  for (let i = 1; i < 64; i++) {
    if (values[i] === 0) {
      run++;
      continue;
    }
    for (; run > 15; run -= 16) bits.put(ac[0xf0]);
    bits.put_number(ac, run, values[i]);
    run = 0;
  }
  if (run) bits.put(ac[0x00]);
  return values[0];
}

function segment(marker, ...parts) {
  const content = Buffer.from(parts.flat(2));
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([head, content]);
}

const two = (value) => [value >> 8, value & 255];

function heads(width, height, steps) {
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, [...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    ...steps.map((table, i) => segment(0xdb, i, ZIGZAG.map((at) => table[at]))),
    segment(0xc0, 8, two(height), two(width), 3, [1, 0x22, 0], [2, 0x11, 1], [3, 0x11, 1]),
    ...TABLES.map(({ counts, values }, i) => segment(0xc4, ((i & 1) << 4) | (i >> 1), counts, values)),
    segment(0xda, 3, [1, 0x00], [2, 0x11], [3, 0x11], 0, 63, 0),
  ]);
}

export function jpeg(width, height, pixel, quality) {
  const steps = [scaled(LUMINANCE, quality), scaled(CHROMINANCE, quality)];
  const [dc, ac, dc_colour, ac_colour] = TABLES.map(codes_of);
  const bits = new Bits();
  const scratch = { out: new Float64Array(64), half: new Float64Array(64) };
  const planes = [0, 1, 2].map(() => new Float64Array(256));
  const block = new Float64Array(64);
  const last = [0, 0, 0];
  for (let top = 0; top < height; top += 16)
    for (let left = 0; left < width; left += 16) {
      for (let i = 0; i < 256; i++) {
        const [r, g, b] = pixel(Math.min(width - 1, left + (i & 15)), Math.min(height - 1, top + (i >> 4)));
        planes[0][i] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
        planes[1][i] = -0.168736 * r - 0.331264 * g + 0.5 * b;
        planes[2][i] = 0.5 * r - 0.418688 * g - 0.081312 * b;
      }
      for (let part = 0; part < 4; part++) {
        const from = (part & 1) * 8 + (part >> 1) * 128;
        for (let i = 0; i < 64; i++) block[i] = planes[0][from + (i & 7) + 16 * (i >> 3)];
        last[0] = put_block(bits, block, steps[0], last[0], dc, ac, scratch);
      }
      for (const colour of [1, 2]) {
        const plane = planes[colour];
        for (let i = 0; i < 64; i++) {
          const at = 2 * (i & 7) + 32 * (i >> 3);
          block[i] = (plane[at] + plane[at + 1] + plane[at + 16] + plane[at + 17]) / 4;
        }
        last[colour] = put_block(bits, block, steps[1], last[colour], dc_colour, ac_colour, scratch);
      }
    }
  bits.end();
  return Buffer.concat([heads(width, height, steps), Buffer.from(bits.bytes), Buffer.from([0xff, 0xd9])]);
}

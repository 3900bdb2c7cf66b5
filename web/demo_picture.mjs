/* Draws the demo show's picture: a stadium at night, beams of light over a crowd. node web/demo_picture.mjs OUT.jpg
 *
 * The same picture every time, since its chance is a fixed row of numbers. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jpeg } from './jpeg.mjs';

const WIDTH = 1600;
const HEIGHT = 800;

/* A row of numbers from 0 to 1 (Park and Miller's generator). */
function chance(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

const mix = (a, b, part) => a.map((value, i) => value + (b[i] - value) * part);
const smooth = (from, to, value) => {
  const part = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return part * part * (3 - 2 * part);
};

/* The night, from the top down: [height as a part, colour in light, 0 to 1]. */
const SKY = [[0, [0.012, 0.008, 0.045]], [0.35, [0.05, 0.018, 0.13]], [0.58, [0.26, 0.045, 0.24]], [0.7, [0.62, 0.12, 0.2]], [0.78, [0.95, 0.34, 0.18]], [1, [0.3, 0.06, 0.14]]];

function sky(y) {
  const at = SKY.findIndex(([height]) => height >= y);
  const [[from, above], [to, below]] = [SKY[Math.max(0, at - 1)], SKY[at]];
  return at === 0 ? below : mix(above, below, smooth(from, to, y));
}

/* Cones from the roof: where they begin, where they point, how wide, what colour. */
const BEAMS = [
  [0.06, 0.34, 0.05, [0.45, 0.22, 1]], [0.16, 0.46, 0.035, [1, 0.3, 0.55]], [0.27, 0.36, 0.04, [0.35, 0.5, 1]], [0.38, 0.53, 0.03, [1, 0.62, 0.35]],
  [0.5, 0.5, 0.06, [1, 0.85, 0.75]],
  [0.62, 0.47, 0.03, [1, 0.62, 0.35]], [0.73, 0.64, 0.04, [0.35, 0.5, 1]], [0.84, 0.54, 0.035, [1, 0.3, 0.55]], [0.94, 0.66, 0.05, [0.45, 0.22, 1]],
].map(([from, to, spread, colour]) => {
  const [dx, dy] = [(to - from) * WIDTH, HEIGHT];
  const length = Math.hypot(dx, dy);
  return { x: from * WIDTH, y: -30, dx: dx / length, dy: dy / length, spread: spread * 2.2, colour };
});

function add_beams(image) {
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++)
      for (const beam of BEAMS) {
        const along = (x - beam.x) * beam.dx + (y - beam.y) * beam.dy;
        const across = (x - beam.x) * beam.dy - (y - beam.y) * beam.dx;
        const width = 6 + along * beam.spread;
        const off = across / width;
        if (along <= 0 || off * off > 9) continue;
        const light = Math.exp(-off * off) * 0.34 * Math.exp(-along / 520) * (1 - smooth(480, 640, y));
        for (let i = 0; i < 3; i++) image[3 * (y * WIDTH + x) + i] += beam.colour[i] * light;
      }
}

/* A soft disc of light: a lamp, or a phone held up. */
function add_glow(image, cx, cy, radius, strength, colour) {
  const reach = Math.ceil(radius * 7);
  for (let y = Math.max(0, Math.floor(cy - reach)); y < Math.min(HEIGHT, cy + reach); y++)
    for (let x = Math.max(0, Math.floor(cx - reach)); x < Math.min(WIDTH, cx + reach); x++) {
      const off = ((x - cx) ** 2 + (y - cy) ** 2) / (radius * radius);
      const light = strength * (Math.exp(-off) + 0.14 * Math.exp(-off / 8));
      for (let i = 0; i < 3; i++) image[3 * (y * WIDTH + x) + i] += colour[i] * light;
    }
}

/* Whatever stands before the light: `depth` at a point is how far it is inside, in pixels. */
function add_shape(image, [left, top, right, bottom], depth, colour, rim) {
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(HEIGHT, bottom); y++)
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(WIDTH, right); x++) {
      const inside = depth(x, y);
      if (inside <= -1) continue;
      const cover = smooth(-1, 1, inside);
      const edge = Math.exp(-Math.max(0, inside) / 5) * rim * smooth(bottom, top, y);
      const at = 3 * (y * WIDTH + x);
      for (let i = 0; i < 3; i++) image[at + i] = image[at + i] * (1 - cover) + (colour[i] + edge * [1, 0.45, 0.35][i]) * cover;
    }
}

function add_fan(image, x, y, size, colour, rim, arms) {
  const ellipse = (cx, cy, rx, ry) => (px, py) => (1 - Math.hypot((px - cx) / rx, (py - cy) / ry)) * Math.min(rx, ry);
  const head = ellipse(x, y, size * 0.78, size);
  const body = ellipse(x, y + size * 3.1, size * 2, size * 2.2);
  const limbs = arms.map(([dx, lift]) => (px, py) => {
    const [ax, ay, bx, by] = [x + dx * size * 1.4, y + size * 1.9, x + dx * size * 2.1, y - lift * size];
    const part = Math.min(1, Math.max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)));
    return size * (0.3 - 0.1 * part) - Math.hypot(px - ax - part * (bx - ax), py - ay - part * (by - ay));
  });
  const depth = (px, py) => Math.max(head(px, py), body(px, py), ...limbs.map((limb) => limb(px, py)));
  add_shape(image, [x - 3 * size, y - 4 * size, x + 3 * size, y + 6 * size], depth, colour, rim);
}

/* The far stand, a bowl of small lights; then the crowd, row before row, ever darker. */
function add_stand(image, random) {
  for (let i = 0; i < 900; i++) {
    const x = random() * WIDTH;
    const bowl = 0.66 - 0.16 * ((x / WIDTH - 0.5) * 2) ** 2;
    const y = (bowl + random() * 0.11) * HEIGHT;
    add_glow(image, x, y, 0.7 + random() * 1.1, 0.1 + 0.4 * random() ** 3, mix([1, 0.7, 0.5], [0.7, 0.75, 1], random()));
  }
}

function add_crowd(image, random) {
  for (let row = 0; row < 6; row++) {
    const near = row / 5;
    const size = 8 + 21 * near ** 1.4;
    const colour = mix([0.17, 0.026, 0.085], [0.004, 0.002, 0.01], near ** 0.45);
    const ground = HEIGHT * (0.755 + 0.19 * near) + size * 1.6;
    add_shape(image, [0, ground, WIDTH, HEIGHT], () => 9, colour, 0);
    for (let x = -size + random() * size; x < WIDTH + size; x += size * (2.5 + random() * 0.9)) {
      const y = HEIGHT * (0.755 + 0.19 * near) + (random() - 0.5) * size * 0.9;
      const arms = random() < 0.3 ? [[random() < 0.5 ? -1 : 1, 1.4 + random()]] : random() < 0.25 ? [[-1, 1.6 + random()], [1, 1.6 + random()]] : [];
      add_fan(image, x, y, size * (0.9 + random() * 0.2), colour, 0.26 * (1 - near) ** 2, arms);
      if (arms.length === 1 && random() < 0.55) add_glow(image, x + arms[0][0] * size * 2.1, y - arms[0][1] * size - 3, 1.5 + 2.6 * near, 0.9, [0.85, 0.9, 1]);
    }
  }
}

export function draw() {
  const random = chance(20270601);
  const image = new Float32Array(3 * WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    const colour = sky(y / HEIGHT);
    for (let x = 0; x < WIDTH; x++) {
      const side = 1 - 0.55 * ((x / WIDTH - 0.5) * 2) ** 2;
      for (let i = 0; i < 3; i++) image[3 * (y * WIDTH + x) + i] = colour[i] * side;
    }
  }
  add_beams(image);
  for (const { x, colour } of BEAMS) add_glow(image, x, 4, 13, 1.1, mix(colour, [1, 1, 1], 0.6));
  add_glow(image, WIDTH / 2, HEIGHT * 0.74, 150, 0.4, [1, 0.6, 0.35]);
  add_stand(image, random);
  add_crowd(image, random);
  return image;
}

/* Light to a screen's numbers, the brightest softened. */
const tone = (light) => 255 * (1 - Math.exp(-1.7 * Math.max(0, light))) ** (1 / 1.75);

export function demo_picture() {
  const image = draw();
  return jpeg(WIDTH, HEIGHT, (x, y) => [0, 1, 2].map((i) => tone(image[3 * (y * WIDTH + x) + i])), 72);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(process.argv[2], demo_picture());

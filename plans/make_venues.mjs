// Makes the two venues that come with onsale: `node plans/make_venues.mjs` writes stadium.json and theatre.json beside
// itself, in the full form with compact rows (docs/plans.md). The files are committed; run it after changing a figure
// here. Its one idea: a stand is an arc, its rows are arcs around the same centre farther out, and a block is the part
// of them between two aisles.
//
// Units are metres, y grows downwards, the stage is at the top. The stadium's ground plan is an oval of eight arcs that
// meet without a kink (two long sides, one end, four corners; the end behind the stage has no seats). Both venues check
// their own number of places, so a changed figure that does not add up stops the script.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SEAT = 0.5;
const AISLE = 1.2;
const radians = (degrees) => (degrees * Math.PI) / 180;
const round = (value) => Math.round(value * 100) / 100 + 0;
const on = (arc, radius, angle) => [
  round(arc.x + radius * Math.cos(angle)),
  round(arc.y + radius * Math.sin(angle)),
];
const letters = (row) => (row < 26 ? '' : letters(Math.floor(row / 26) - 1)) + String.fromCharCode(65 + (row % 26));
const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
const seatsOf = (section) => sum(section.rows, (row) => row.seats);

// `seats` seats (and aisles one seat wide) on the arc, around the angle `middle`, seat 1 to the left of one who looks at
// the arc's centre.
function rowOnArc(label, arc, radius, middle, seats, spacing, gaps = []) {
  const half = ((seats - 1 + gaps.length) * spacing) / radius / 2;
  const row = { label, seats, from: on(arc, radius, middle + half), to: on(arc, radius, middle - half) };
  const bend = round(radius * (1 - Math.cos(half)));
  if (bend) row.bend = bend;
  if (gaps.length) row.gaps_after = gaps;
  return row;
}

function outline(arc, inner, outer, from, to) {
  const steps = 4;
  const points = [];
  for (let i = 0; i <= steps; i++) points.push(on(arc, inner, from + ((to - from) * i) / steps));
  for (let i = steps; i >= 0; i--) points.push(on(arc, outer, from + ((to - from) * i) / steps));
  return points;
}

// ---- the stadium ----

// The arcs of the innermost row, clockwise from the right of the stage round to its left. The corner's centre follows
// from the side's arc, the end's radius from the corner's.
function bowl(halfWidth, halfLength, sideRadius, cornerRadius, sideAngle) {
  const x = halfWidth - sideRadius + (sideRadius - cornerRadius) * Math.cos(sideAngle);
  const y = (sideRadius - cornerRadius) * Math.sin(sideAngle);
  const u = y - halfLength;
  const endRadius = (cornerRadius ** 2 - x ** 2 - u ** 2) / (2 * (u + cornerRadius));
  const endAngle = Math.atan2(x, u + endRadius);
  const south = Math.PI / 2;
  const west = Math.PI;
  const corner = (cx, cy, from, to) => ({ kind: 'corner', x: cx, y: cy, radius: cornerRadius, from, to });
  const side = (cx, from, to) => ({ kind: 'side', x: cx, y: 0, radius: sideRadius, from, to });
  return [
    corner(x, -y, endAngle - south, -sideAngle),
    side(halfWidth - sideRadius, -sideAngle, sideAngle),
    corner(x, y, sideAngle, south - endAngle),
    { kind: 'end', x: 0, y: halfLength - endRadius, radius: endRadius, from: south - endAngle, to: south + endAngle },
    corner(-x, y, south + endAngle, west - sideAngle),
    side(sideRadius - halfWidth, west - sideAngle, west + sideAngle),
    corner(-x, -y, west + sideAngle, west + south - endAngle),
  ];
}

function stadiumBlock(name, tier, arc, from, to) {
  const inner = arc.radius + tier.offset;
  const rows = [];
  for (let i = 0; i < tier.rows; i++) {
    const radius = inner + i * tier.depth;
    const seats = Math.floor((radius * (to - from) - AISLE) / SEAT) + 1;
    rows.push(rowOnArc(letters(i), arc, radius, (from + to) / 2, seats, SEAT));
  }
  const margin = AISLE / 3 / inner;
  const last = inner + (tier.rows - 1) * tier.depth;
  const middle = on(arc, (inner + last) / 2, (from + to) / 2);
  const section = {
    name,
    category: tier.category(arc.kind, middle),
    outline: outline(arc, inner - 0.6, last + 0.6, from + margin, to - margin),
    rows,
  };
  return { section, arc, radius: last, middle: (from + to) / 2 };
}

function stadium() {
  const arcs = bowl(43, 63.8, 170, 20, radians(15));
  const stage = { x: 0, y: -47 };
  const restricted = ([, y]) => y < -46;
  const tiers = [
    {
      first: 101, offset: 0, rows: 26, depth: 0.8, blocks: { corner: 2, side: 6, end: 5 },
      category: (kind, at) => (restricted(at) ? 'Restricted View' : kind === 'side' ? 'Category 1' : 'Category 2'),
    },
    {
      first: 201, offset: 25, rows: 12, depth: 0.85, blocks: { corner: 3, side: 6, end: 5 },
      category: (kind, at) => (restricted(at) ? 'Restricted View' : kind === 'side' ? 'Premium' : 'Category 2'),
    },
    {
      first: 301, offset: 39.5, rows: 14, depth: 0.85, blocks: { corner: 3, side: 6, end: 5 },
      category: (kind, at) => (restricted(at) ? 'Restricted View' : kind === 'side' ? 'Category 2' : 'Category 3'),
    },
  ];
  const blocks = [];
  for (const tier of tiers) {
    let number = tier.first;
    for (const arc of arcs) {
      const count = tier.blocks[arc.kind];
      const step = (arc.to - arc.from) / count;
      for (let i = 0; i < count; i++)
        blocks.push(stadiumBlock(String(number++), tier, arc, arc.from + i * step, arc.from + (i + 1) * step));
    }
  }
  const areas = [
    { name: 'Golden Circle', capacity: 2000, category: 'Golden Circle',
      outline: [[-30, -38], [30, -38], [30, -30], [20, -23.5], [8, -20.5], [-8, -20.5], [-20, -23.5], [-30, -30]] },
    { name: 'Pitch', capacity: 7000, category: 'Pitch Standing',
      outline: [[-32, -29], [-20.5, -21.5], [-8.5, -18.5], [8.5, -18.5], [20.5, -21.5], [32, -29], [34, 0], [32, 40],
        [22, 52], [-22, 52], [-32, 40], [-34, 0]] },
  ];
  trim(blocks, 50000 - sum(areas, (area) => area.capacity));
  const sections = blocks.map(({ section }) => section);
  rankByPrice(sections, stage);
  return {
    name: 'Onsale Stadium',
    focus: stage,
    prices: Object.fromEntries(Object.entries(stadiumPrices).map(([name, amount]) => [name, { amount, currency: 'EUR' }])),
    categories: [
      { name: 'Golden Circle', color: '#e69f00' },
      { name: 'Pitch Standing', color: '#f0e442' },
      { name: 'Premium', color: '#cc79a7' },
      { name: 'Category 1', color: '#0072b2' },
      { name: 'Category 2', color: '#56b4e9' },
      { name: 'Category 3', color: '#009e73' },
      { name: 'Restricted View', color: '#d55e00' },
    ],
    sections,
    areas,
  };
}

const stadiumPrices = {
  'Golden Circle': 18900, 'Pitch Standing': 9900, Premium: 15900, 'Category 1': 12900, 'Category 2': 8900,
  'Category 3': 5900, 'Restricted View': 3900,
};

// The dearer category is the better one; within it, the row nearer to the stage. By distance alone the best seats of the
// house would be those behind the stage.
function rankByPrice(sections, stage) {
  const ranked = sections.flatMap((section) => section.rows.map((row) => ({
    row,
    price: stadiumPrices[section.category],
    distance: Math.hypot((row.from[0] + row.to[0]) / 2 - stage.x, (row.from[1] + row.to[1]) / 2 - stage.y),
  })));
  ranked.sort((a, b) => b.price - a.price || a.distance - b.distance);
  ranked.forEach(({ row }, rank) => { row.rank = rank; });
}

// The last row of each block of the upper tier gives way a little to stairs and camera platforms, so that the number of
// seats is right.
function trim(blocks, seats) {
  const upper = blocks.filter(({ section }) => section.name.startsWith('3'));
  const over = sum(blocks, ({ section }) => seatsOf(section)) - seats;
  if (over < 0) throw new Error(`${-over} seats are missing`);
  upper.forEach(({ section, arc, radius, middle }, i) => {
    const less = Math.floor((over * (i + 1)) / upper.length) - Math.floor((over * i) / upper.length);
    const row = section.rows.pop();
    if (less > row.seats / 2) throw new Error(`there are ${over} seats too many`);
    section.rows.push(rowOnArc(row.label, arc, radius, middle, row.seats - less, SEAT));
  });
}

// ---- the theatre ----

function theatre() {
  const centre = { x: 0, y: -9 };
  const south = Math.PI / 2;
  const spacing = 0.54;
  const block = (name, category, radius, depth, seatCounts, aisles, labels = letters) => {
    const rows = seatCounts.map((seats, i) => ({
      ...rowOnArc(labels(i), centre, radius + i * depth, south, seats, spacing, aisles(seats)),
      ...(category(i) ? { category: category(i) } : {}),
    }));
    return { name, rows };
  };
  const twoAisles = (seats) => [Math.round(seats * 0.27), seats - Math.round(seats * 0.27)];
  const stalls = block('Stalls', (row) => (row < 8 ? 'Stalls' : 'Rear Stalls'), 14, 0.95,
    [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 32], twoAisles);
  const circle = block('Circle', () => 'Circle', 29.5, 1, [32, 33, 34, 35, 36, 28], twoAisles);
  const boxes = [];
  for (const [side, sign] of [['Left', -1], ['Right', 1]])
    for (let i = 0; i < 4; i++) {
      const x = sign * (9.2 + i * 0.75);
      const y = 4.5 + i * 3;
      // Turned towards the stage, seat 1 on the left of one who looks at it.
      const [ux, uy] = [0.42 * sign, 0.84];
      const ends = [[round(x - ux), round(y - uy)], [round(x + ux), round(y + uy)]];
      const [from, to] = sign < 0 ? ends : ends.reverse();
      const corner = (along, across) => [
        round(x + ux * along + uy * across * sign),
        round(y + uy * along - ux * across * sign),
      ];
      boxes.push({
        name: `${side} Box ${i + 1}`,
        category: 'Boxes',
        outline: [corner(-1.35, -0.7), corner(1.35, -0.7), corner(1.35, 0.7), corner(-1.35, 0.7)],
        rows: [{ label: 'A', seats: 4, from, to }],
      });
    }
  return {
    name: 'Onsale Theatre',
    focus: { x: 0, y: 0 },
    categories: [
      { name: 'Stalls', color: '#0072b2' },
      { name: 'Rear Stalls', color: '#56b4e9' },
      { name: 'Circle', color: '#009e73' },
      { name: 'Boxes', color: '#cc79a7' },
    ],
    sections: [stalls, circle, ...boxes],
    areas: [],
  };
}

// ---- writing ----

// One row, category or outline a line: a change shows in a diff as what it is.
function text(plan) {
  const line = JSON.stringify;
  const list = (items, indent) => items.map((item) => indent + line(item)).join(',\n');
  const section = ({ rows, ...head }) => `  ${line(head).slice(0, -1)},"rows":[\n${list(rows, '   ')}]}`;
  const { categories, sections, areas, ...head } = plan;
  return `${line(head).slice(0, -1)},
 "categories":[
${list(categories, '  ')}],
 "sections":[
${sections.map(section).join(',\n')}],
 "areas":[
${list(areas, '  ')}]}
`;
}

function write(file, plan, places) {
  const total = sum(plan.sections, seatsOf) + sum(plan.areas, (area) => area.capacity);
  if (total !== places) throw new Error(`${file} has ${total} places, not ${places}`);
  writeFileSync(fileURLToPath(new URL(file, import.meta.url)), text(plan));
}

write('theatre.json', theatre(), 600);
write('stadium.json', stadium(), 50000);

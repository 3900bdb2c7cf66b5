/* The plan in pieces: the overview and the sections say, together, what the whole plan says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Server } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const venue = (name) => JSON.parse(readFileSync(new URL(`../../plans/${name}.json`, import.meta.url), 'utf8'));

async function show_with(plan, prices) {
  const categories = plan.categories.map(({ name }) => name);
  const made = await server.admin('POST', '/api/v1/admin/shows', {
    body: { event_name: 'A night', plan, prices: prices ?? Object.fromEntries(categories.map((name) => [name, { amount: 100, currency: 'EUR' }])) },
  });
  assert.equal(made.status, 201, made.body.toString());
  return made.json.show_id;
}

const get = (show, part, headers = {}) => server.fan('GET', `/api/v1/shows/${show}/plan${part === undefined ? '' : `?part=${part}`}`, { headers });

/* All that the parts say of each seat, in the order of their numbers. */
async function seats_of_parts(show) {
  const overview = (await get(show, 'overview')).json;
  const seats = new Array(overview.seats);
  const put = (index, seat) => { assert.equal(seats[index], undefined, `${index} is there once`); seats[index] = seat; };
  for (const [number, section] of overview.sections.entries()) {
    const part = (await get(show, number)).json;
    assert.deepEqual([part.section, part.name, part.first], [number, section.name, section.first]);
    assert.equal(part.rows.length, section.rows);
    let index = part.first;
    const occurring = new Set();
    for (const { label, seats: row } of part.rows) {
      for (const [seat_id, of_row, x, y, category, gap_after] of row) {
        occurring.add(category);
        put(index++, { section: part.name, row: label, seat_id, number: of_row, x, y, category: overview.categories[category].name, gap_after: gap_after === 1 });
      }
    }
    assert.equal(index - part.first, section.seats);
    assert.deepEqual([...occurring].sort((a, b) => a - b), section.categories);
  }
  for (const { name, first, capacity, category } of overview.areas)
    for (let i = 0; i < capacity; i++) put(first + i, { area: name, seat_id: `${name}-${i + 1}`, category: overview.categories[category].name });
  return { overview, seats };
}

function seats_of_plan(plan) {
  const seats = plan.sections.flatMap((section) => section.rows.flatMap((row) => row.seats.map(({ seat_id, number, x, y, category, gap_after }) =>
    ({ section: section.name, row: row.label, seat_id, number, x, y, category, gap_after: gap_after === true }))));
  for (const { name, capacity, category } of plan.areas)
    for (let i = 1; i <= capacity; i++) seats.push({ area: name, seat_id: `${name}-${i}`, category });
  return seats;
}

const is_inside = ([px, py], outline, slack = 0.02) => outline.every(([ax, ay], i) => {
  const [bx, by] = outline[(i + 1) % outline.length];
  const length = Math.hypot(bx - ax, by - ay);
  return length === 0 || ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / length >= -slack;
});

for (const name of ['stadium', 'theatre']) {
  test(`the parts of the ${name} are the whole plan, seat by seat, and in the order of seats.bits`, async () => {
    // red when: a part leaves out a row, a seat's category is another's, or `first` counts areas
    const show = await show_with(venue(name));
    const plan = (await get(show)).json;
    const { overview, seats } = await seats_of_parts(show);
    assert.deepEqual(seats, seats_of_plan(plan));
    assert.deepEqual(seats.map(({ seat_id }) => seat_id), (await server.fan('GET', `/api/v1/shows/${show}/seats`)).json.map(({ seat_id }) => seat_id));
    assert.deepEqual([overview.name, overview.focus, overview.categories], [plan.name, plan.focus, plan.categories]);
    assert.equal(overview.hash, (await server.fan('GET', `/api/v1/shows/${show}`)).json.plan.hash);
  });

  test(`every section of the ${name} lies in its outline, and the outlines in the box`, async () => {
    // red when: the hull loses a corner, or runs the other way round on one of its two chains
    const show = await show_with(venue(name));
    const plan = (await get(show)).json;
    const { overview, seats } = await seats_of_parts(show);
    const [x0, y0, x1, y1] = overview.box;
    for (const [i, section] of overview.sections.entries()) {
      const given = plan.sections[i].outline;
      if (given) assert.deepEqual(section.outline, given);
      for (const [x, y] of section.outline) assert.ok(x >= x0 && x <= x1 && y >= y0 && y <= y1, section.name);
      for (const seat of seats.slice(section.first, section.first + section.seats)) {
        assert.ok(seat.x >= x0 && seat.x <= x1 && seat.y >= y0 && seat.y <= y1, seat.seat_id);
        if (!given) assert.ok(is_inside([seat.x, seat.y], section.outline), seat.seat_id);
      }
    }
    const drawn = [...seats.filter(({ x }) => x !== undefined).map(({ x, y }) => [x, y]), ...[...overview.sections, ...overview.areas].flatMap(({ outline }) => outline ?? [])];
    assert.deepEqual(overview.box, [Math.min, Math.max].flatMap((pick) => [0, 1].map((axis) => drawn.reduce((best, point) => pick(best, point[axis]), drawn[0][axis]))));
  });
}

const seat = (seat_id, x, y) => ({ seat_id, number: seat_id, x, y });
const of_seats = (...seats) => ({
  name: 'V', focus: { x: 3, y: -4 }, categories: [{ name: 'S', color: '#112233' }],
  sections: [{ name: '', category: 'S', rows: [{ label: 'A', seats }] }],
});

test('a hull is as small as its seats: a square, a line, a point', async () => {
  // red when: points on an edge count as corners, or seats in one place are two corners
  const outline = async (...seats) => (await get(await show_with(of_seats(...seats)), 'overview')).json.sections[0].outline;
  const square = await outline(seat('1', 0, 0), seat('2', 2, 0), seat('3', 1, 1), seat('4', 0, 2), seat('5', 2, 2), seat('6', 1, 0));
  assert.deepEqual(square, [[0, 0], [2, 0], [2, 2], [0, 2]]);
  assert.deepEqual(await outline(seat('1', 0, 0), seat('2', 1, 1), seat('3', 2, 2)), [[0, 0], [2, 2]]);
  assert.deepEqual(await outline(seat('1', 1.25, -7.5)), [[1.25, -7.5]]);
});

test('a venue of areas alone has a box around its focus', async () => {
  // red when: the box of nothing is written as it began
  const show = await show_with({ name: 'V', focus: { x: 3, y: -4 }, categories: [{ name: 'S', color: '#112233' }], sections: [], areas: [{ name: 'Floor', capacity: 20, category: 'S' }] });
  const { json } = await get(show, 'overview');
  assert.deepEqual(json.box, [3, -4, 3, -4]);
  assert.deepEqual(json.areas, [{ name: 'Floor', outline: null, first: 0, capacity: 20, category: 0 }]);
  assert.equal((await get(show, 0)).status, 404);
});

test('a part is immutable, has an ETag of its own, and comes as gzip to who takes it', async () => {
  // red when: two parts share an ETag, so that one is told to be the other
  const show = await show_with(venue('theatre'));
  const tags = new Set();
  for (const part of [undefined, 'overview', 0, 1]) {
    const plain = await get(show, part);
    assert.match(plain.headers.get('cache-control'), /immutable/);
    assert.equal(plain.headers.get('vary'), 'Accept-Encoding');
    tags.add(plain.headers.get('etag'));
    const again = await get(show, part, { 'If-None-Match': plain.headers.get('etag') });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    const packed = await server.call(server.fans, 'GET', `/api/v1/shows/${show}/plan${part === undefined ? '' : `?part=${part}`}`, { headers: { 'Accept-Encoding': 'gzip' }, check: false });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    assert.deepEqual(gunzipSync(packed.body), plain.body);
  }
  assert.equal(tags.size, 4);
});

test('what names no part is refused, and what is beyond the last section is not there', async () => {
  // red when: "01" is another address of part 1, or a number past the end reads what is behind the list
  const show = await show_with(venue('theatre'));
  const { sections } = (await get(show, 'overview')).json;
  for (const part of ['', 'x', '-1', '01', '00', '1.0', '+1', 'Overview', '%30', '99999999999999999999'])
    assert.deepEqual([(await get(show, part)).status, (await get(show, part)).json.pointer], [422, '/part'], part);
  for (const part of [sections.length, sections.length + 1, 4294967296, '9223372036854775807'])
    assert.deepEqual([(await get(show, part)).status, (await get(show, part)).json.code], [404, 'not_found'], String(part));
  assert.equal((await get(show, sections.length - 1)).status, 200);
});

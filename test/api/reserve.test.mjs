/* Holds: taken all or none, first come first served, released by their owner or by time; best available, areas, limits
 * a person, orphans, blocked seats. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, exchange, until } from './harness.mjs';
import { Agent } from 'node:http';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const release = (id) => server.fan('DELETE', `/api/v1/reservations/${id}`);
const look = (id) => server.fan('GET', `/api/v1/reservations/${id}`);

async function refused(answer, status, code) {
  const { status: got, json } = await answer;
  assert.deepEqual([got, json.code], [status, code], json.detail);
  return json;
}

test('the spec\'s own call is answered as the spec has it', async () => {
  // red when: a member of the spec's request or response is renamed
  const show = await server.show();
  const { status, json } = await server.fan('POST', `/api/v1/shows/${show}/seats/reserve`, { body: { seat_ids: ['A1', 'A2'], user_id: 'u123' } });
  assert.equal(status, 201);
  assert.match(json.reservation_id, /^r[0-9a-f]{32}$/);
  assert.equal(json.expires_in_seconds, 600);
  assert.deepEqual(json.seat_ids, ['A1', 'A2']);
  assert.deepEqual([json.amount, json.currency], [10000, 'EUR']);
  assert.equal(Date.parse(json.expires_at) - Date.parse(json.now), 600_000);
});

test('a seat that is held is refused by name, and nothing of the rest is taken', async () => {
  // red when: hold_take() keeps the seats before the one that is gone
  const show = await server.show();
  await server.hold(show, ['A2', 'A3'], 'ann');
  const json = await refused(server.reserve(show, ['A1', 'A2', 'A3', 'A4'], 'bob'), 409, 'seat_unavailable');
  assert.deepEqual(json.seat_ids.sort(), ['A2', 'A3']);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A1, seats.A4], ['AVAILABLE', 'AVAILABLE']);
});

test('a seat wanted by three hundred is given to exactly one', async () => {
  // red when: two reactors take a seat without the show's lock
  const show = await server.show();
  const agent = new Agent({ keepAlive: true, maxSockets: 300 });
  const clients = [...Array(300).keys()].map((i) => exchange(server.fans, 'POST', `/api/v1/shows/${show}/seats/reserve`, {
    agent, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ seat_ids: ['A7'], user_id: `fan-${i}` }),
  }));
  const answers = await Promise.all(clients);
  agent.destroy();
  assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
  const losers = answers.filter((answer) => answer.status !== 201);
  assert.equal(losers.length, 299);
  for (const { status, json } of losers) assert.deepEqual([status, json.code, json.seat_ids], [409, 'seat_unavailable', ['A7']]);
});

test('crossing wishes of a hundred never leave a half taken one', async () => {
  // red when: seats are taken one by one and given back on a conflict
  const show = await server.show({ rows: 1, seats_per_row: 10 });
  const names = [...Array(10).keys()].map((i) => `A${i + 1}`);
  const answers = await Promise.all([...Array(100).keys()].map((i) => {
    const wish = [0, 3, 7].map((step) => names[(i * (step + 1) + step) % 10]);
    return server.reserve(show, [...new Set(wish)], `fan-${i}`);
  }));
  const taken = answers.filter((answer) => answer.status === 201).flatMap((answer) => answer.json.seat_ids);
  assert.equal(new Set(taken).size, taken.length, 'no seat twice');
  const seats = await server.seats(show);
  assert.deepEqual(Object.keys(seats).filter((name) => seats[name] === 'HELD').sort(), taken.sort());
});

test('a reservation can be read, and says what is left', async () => {
  // red when: GET …/reservations answers another's hold
  const show = await server.show({ hold_seconds: 100 });
  const { reservation_id } = await server.hold(show, ['B3', 'B1']);
  const { status, json } = await look(reservation_id);
  assert.equal(status, 200);
  assert.deepEqual(json.seat_ids, ['B3', 'B1']);
  assert.equal(json.show_id, show);
  assert.ok(json.expires_in_seconds > 90 && json.expires_in_seconds <= 100);
});

test('what is released is free again at once, and the reservation has ended', async () => {
  // red when: DELETE answers before the seats are free
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1', 'A2']);
  const { status, body } = await release(reservation_id);
  assert.deepEqual([status, body.length], [204, 0]);
  assert.equal((await server.reserve(show, ['A1', 'A2'], 'bob')).status, 201);
  for (const answer of [await release(reservation_id), await look(reservation_id), await server.confirm(reservation_id)])
    assert.ok([404, 410].includes(answer.status), String(answer.status));
});

test('a reservation that never was is 404', async () => {
  // red when: an id is parsed loosely
  const never = `r${'0'.repeat(31)}1`;
  for (const id of [never, `${never}0`, never.slice(1), never.toUpperCase(), `b${never.slice(1)}`, 'r', 'rxyz']) {
    await refused(look(id), 404, 'reservation_not_found');
    await refused(release(id), 404, 'reservation_not_found');
  }
});

test('a hold ends by its deadline for the fan, and by its grace for the seats', async () => {
  // red when: confirm is taken after the deadline, or the seats go free before the grace is over
  const show = await server.show({ hold_seconds: 1, grace_seconds: 2 });
  const { reservation_id } = await server.hold(show, ['A1']);
  await until('the deadline has passed', async () => (await look(reservation_id)).status === 410);
  await refused(server.confirm(reservation_id), 410, 'reservation_expired');
  assert.equal((await server.seats(show)).A1, 'HELD');
  await until('the seat is free again', async () => (await server.seats(show)).A1 === 'AVAILABLE');
  assert.equal((await server.reserve(show, ['A1'], 'bob')).status, 201);
});

test('many holds that end together are all free soon after', async () => {
  // red when: expiry does one hold a tick
  const show = await server.show({ rows: 20, seats_per_row: 50, hold_seconds: 1, grace_seconds: 0 });
  const names = Object.keys(await server.seats(show));
  await Promise.all([...Array(250).keys()].map((i) => server.hold(show, names.slice(4 * i, 4 * i + 4), `fan-${i}`)));
  await until('every seat is free', async () => Object.values(await server.seats(show)).every((status) => status === 'AVAILABLE'));
});

test('best available gives seats that lie together, in the category that was asked for', async () => {
  // red when: best_available() crosses a row's end or a category
  const show = await server.show({
    sections: [{ name: 'Front', rows: 2, seats_per_row: 10, category: 'Gold' }, { name: 'Back', rows: 2, seats_per_row: 10, category: 'Standard' }],
    prices: { Gold: { amount: 9000, currency: 'EUR' }, Standard: { amount: 3000, currency: 'EUR' } },
  });
  const together = (ids) => {
    const [row] = ids[0].match(/^.*?-[A-Z]+/);
    const numbers = ids.map((id) => Number(id.slice(row.length))).sort((a, b) => a - b);
    return ids.every((id) => id.startsWith(row)) && numbers.every((number, i) => i === 0 || number === numbers[i - 1] + 1);
  };
  for (const quantity of [1, 2, 4, 3]) {
    const { json, status } = await server.reserve(show, { best_available: { quantity, category: 'Standard' } }, `fan-${quantity}`);
    assert.equal(status, 201);
    assert.equal(json.seat_ids.length, quantity);
    assert.ok(json.seat_ids.every((id) => id.startsWith('Back-')), json.seat_ids.join());
    assert.ok(together(json.seat_ids), json.seat_ids.join());
    assert.equal(json.amount, 3000 * quantity);
  }
  const any = await server.reserve(show, { best_available: { quantity: 10 } }, 'any');
  assert.equal(any.status, 201);
  assert.ok(together(any.json.seat_ids));
});

test('best available leaves no single seat where another choice exists', async () => {
  // red when: the orphan term is taken out of the score
  const show = await server.show({ rows: 1, seats_per_row: 5 });
  const { seat_ids } = await server.hold(show, { best_available: { quantity: 4 } });
  assert.ok(!seat_ids.includes('A1') || !seat_ids.includes('A5'));
  const even = await server.show({ rows: 1, seats_per_row: 6 });
  await server.hold(even, { best_available: { quantity: 2 } });
  const left = Object.entries(await server.seats(even)).filter(([, status]) => status === 'AVAILABLE').map(([name]) => Number(name.slice(1)));
  const alone = left.filter((number) => !left.includes(number - 1) && !left.includes(number + 1));
  assert.deepEqual(alone, []);
});

test('who asks for more than lie together is told so, and for more than there are too', async () => {
  // red when: NO_ADJACENT_SEATS and SOLD_OUT are not told apart
  const show = await server.show({ rows: 2, seats_per_row: 3 });
  await refused(server.reserve(show, { best_available: { quantity: 4 } }), 409, 'no_adjacent_seats');
  await refused(server.reserve(show, { best_available: { quantity: 7 } }), 409, 'sold_out');
  await server.hold(show, { best_available: { quantity: 3 } });
  await server.hold(show, { best_available: { quantity: 3 } }, 'bob');
  await refused(server.reserve(show, { best_available: { quantity: 1 } }, 'cy'), 409, 'sold_out');
});

test('a hundred who ask for the best at once get a hundred different pairs', async () => {
  // red when: the search's version check is left out
  const show = await server.show({ rows: 20, seats_per_row: 20 });
  const answers = await Promise.all([...Array(100).keys()].map((i) => server.reserve(show, { best_available: { quantity: 2 } }, `fan-${i}`)));
  assert.ok(answers.every((answer) => answer.status === 201));
  assert.equal(new Set(answers.flatMap((answer) => answer.json.seat_ids)).size, 200);
});

test('places of an area are held by number, beside seats if wanted', async () => {
  // red when: an area's places are not counted as seats
  const show = await server.show({ rows: 1, seats_per_row: 4, areas: [{ name: 'Floor', capacity: 5, category: 'Standard' }] });
  const first = await server.hold(show, { areas: [{ name: 'Floor', quantity: 2 }] });
  assert.equal(first.seat_ids.length, 2);
  assert.ok(first.seat_ids.every((id) => /^Floor-\d+$/.test(id)));
  assert.equal(first.amount, 10000);
  const both = await server.hold(show, { seat_ids: ['A1'], areas: [{ name: 'Floor', quantity: 3 }] }, 'bob');
  assert.equal(both.seat_ids.length, 4);
  const { code } = (await server.reserve(show, { areas: [{ name: 'Floor', quantity: 1 }] }, 'cy')).json;
  assert.equal(code, 'sold_out');
  const named = await server.reserve(show, { areas: [{ name: 'Balcony', quantity: 1 }] }, 'cy');
  assert.deepEqual([named.status, named.json.code, named.json.pointer], [422, 'invalid_field', '/areas/0']);
});

test('more than one person may have is refused, held and sold counted together', async () => {
  // red when: max_seats_per_user looks at one reservation only
  const show = await server.show({ max_seats_per_user: 4 });
  await refused(server.reserve(show, ['A1', 'A2', 'A3', 'A4', 'A5']), 422, 'too_many_seats');
  const { reservation_id } = await server.hold(show, ['A1', 'A2']);
  await refused(server.reserve(show, ['A3', 'A4', 'A5']), 422, 'too_many_seats');
  await server.book(show, ['A3', 'A4']);
  await refused(server.reserve(show, ['A5']), 422, 'too_many_seats');
  await refused(server.reserve(show, { best_available: { quantity: 1 } }), 422, 'too_many_seats');
  assert.equal((await server.reserve(show, ['A5'], 'bob')).status, 201);
  await release(reservation_id);
  assert.equal((await server.reserve(show, ['A6', 'A7'])).status, 201);
});

test('sixty-four reservations at once of one person do not pass the limit', async () => {
  // red when: the count is read before the lock is taken
  const show = await server.show({ rows: 4, max_seats_per_user: 4 });
  const names = Object.keys(await server.seats(show));
  const answers = await Promise.all(names.slice(0, 64).map((name) => server.reserve(show, [name])));
  assert.equal(answers.filter((answer) => answer.status === 201).length, 4);
  assert.ok(answers.filter((answer) => answer.status !== 201).every((answer) => answer.json.code === 'too_many_seats'));
});

test('a hundred seats fit one reservation, a hundred and one do not', async () => {
  // red when: LIMIT_SEATS_PER_HOLD is off by one
  const show = await server.show({ rows: 6 });
  const names = Object.keys(await server.seats(show));
  await refused(server.reserve(show, names.slice(0, 101)), 422, 'too_many_seats');
  const { seat_ids } = await server.hold(show, names.slice(0, 100));
  assert.equal(seat_ids.length, 100);
});

test('with orphan_rule refuse a choice that leaves one seat alone is refused, named, and harmless', async () => {
  // red when: the rule is judged after the seats are taken
  const show = await server.show({ rows: 1, seats_per_row: 6, orphan_rule: 'refuse' });
  const json = await refused(server.reserve(show, ['A2', 'A3']), 409, 'leaves_orphan');
  assert.deepEqual(json.seat_ids, ['A1']);
  assert.deepEqual([...new Set(Object.values(await server.seats(show)))], ['AVAILABLE']);
  assert.equal((await server.reserve(show, ['A1', 'A2'])).status, 201);
});

test('orphan_rule refuse never loses the last possible sale', async () => {
  // red when: a take that no other choice could better is refused
  const show = await server.show({ rows: 1, seats_per_row: 3, orphan_rule: 'refuse' });
  assert.equal((await server.reserve(show, ['A1', 'A2'])).status, 201);
  assert.equal((await server.reserve(show, ['A3'], 'bob')).status, 201);
});

test('with orphan_rule warn the choice is taken and the lonely seats are named', async () => {
  // red when: the warning is not written into the answer
  const show = await server.show({ rows: 1, seats_per_row: 6, orphan_rule: 'warn' });
  const taken = await server.hold(show, ['A2', 'A3']);
  assert.deepEqual(taken.warnings, [{ code: 'leaves_orphan', seat_ids: ['A1'] }]);
  assert.equal((await server.hold(show, ['A1'], 'bob')).warnings, undefined);
});

test('blocked seats cannot be had, look sold to fans, and come back', async () => {
  // red when: BLOCKED leaks out, or unblock frees a sold seat
  const show = await server.show();
  const block = (verb, seat_ids) => server.admin('POST', `/api/v1/admin/shows/${show}/seats/${verb}`, { body: { seat_ids, reason: 'camera' } });
  assert.deepEqual((await block('block', ['A1', 'A2'])).json, { blocked: 2 });
  await refused(server.reserve(show, ['A1']), 409, 'seat_unavailable');
  assert.equal((await server.seats(show)).A1, 'BOOKED');
  assert.deepEqual((await block('unblock', ['A1'])).json, { unblocked: 1 });
  assert.equal((await server.reserve(show, ['A1'])).status, 201);
  await server.book(show, ['A5'], 'bob');
  assert.deepEqual((await refused(block('unblock', ['A2', 'A5']), 409, 'seat_unavailable')).seat_ids, ['A5']);
  assert.deepEqual((await refused(block('block', ['A1', 'A3']), 409, 'seat_unavailable')).seat_ids, ['A1']);
  const seats = await server.seats(show);
  assert.deepEqual([seats.A2, seats.A3, seats.A5], ['BOOKED', 'AVAILABLE', 'BOOKED']);
});

test('block refuses unknown and repeated seats and an empty list', async () => {
  // red when: a seat that is named twice is counted twice
  const show = await server.show();
  const block = (seat_ids) => server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: { seat_ids } });
  await refused(block(['A1', 'Z9']), 422, 'unknown_seat');
  await refused(block(['A1', 'A1']), 422, 'duplicate_seat');
  await refused(block([]), 422, 'invalid_field');
  await refused(block('A1'), 422, 'invalid_field');
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
});

const wishes = [
  ['an unknown seat', { seat_ids: ['A1', 'Z99'] }, 422, 'unknown_seat'],
  ['an empty seat id', { seat_ids: [''] }, 422, 'unknown_seat'],
  ['a seat id with a trailing space', { seat_ids: ['A1 '] }, 422, 'unknown_seat'],
  ['a seat named twice', { seat_ids: ['A1', 'A2', 'A1'] }, 422, 'duplicate_seat'],
  ['no seats', { seat_ids: [] }, 422, 'invalid_field', '/seat_ids'],
  ['nothing wished for', {}, 422, 'invalid_field', '/seat_ids'],
  ['seats that are a text', { seat_ids: 'A1' }, 422, 'invalid_field', '/seat_ids'],
  ['a seat that is a number', { seat_ids: ['A1', 7] }, 422, 'invalid_field', '/seat_ids/1'],
  ['a seat that is null', { seat_ids: [null] }, 422, 'invalid_field', '/seat_ids/0'],
  ['seats that are an object', { seat_ids: { 0: 'A1' } }, 422, 'invalid_field', '/seat_ids'],
  ['best_available of none', { best_available: { quantity: 0 } }, 422, 'invalid_field', '/best_available/quantity'],
  ['best_available of less than none', { best_available: { quantity: -1 } }, 422, 'invalid_field', '/best_available/quantity'],
  ['best_available of half a seat', { best_available: { quantity: 1.5 } }, 422, 'invalid_field', '/best_available/quantity'],
  ['best_available of a text', { best_available: { quantity: '2' } }, 422, 'invalid_field', '/best_available/quantity'],
  ['best_available of a hundred and one', { best_available: { quantity: 101 } }, 422, 'too_many_seats'],
  ['best_available in an unknown category', { best_available: { quantity: 1, category: 'Gold' } }, 422, 'invalid_field', '/best_available/category'],
  ['best_available that is a number', { best_available: 2 }, 422, 'invalid_field', '/best_available'],
  ['best_available beside seats', { best_available: { quantity: 1 }, seat_ids: ['A1'] }, 422, 'invalid_field', '/best_available'],
  ['areas that are empty', { areas: [] }, 422, 'invalid_field', '/areas'],
  ['an area without a quantity', { areas: [{ name: 'Floor' }] }, 422, 'invalid_field', '/areas/0/quantity'],
  ['an area named twice', { areas: [{ name: 'Floor', quantity: 1 }, { name: 'Floor', quantity: 1 }] }, 422, 'invalid_field', '/areas/1'],
];
for (const [name, wish, status, code, pointer] of wishes) {
  test(`refused: ${name}`, async () => {
    // red when: the wish is not checked, or something is taken before it is
    const show = await server.show({ areas: [{ name: 'Floor', capacity: 5, category: 'Standard' }] });
    const json = await refused(server.reserve(show, wish), status, code);
    if (pointer) assert.equal(json.pointer, pointer);
    assert.deepEqual([...new Set(Object.values(await server.seats(show)))], ['AVAILABLE']);
  });
}

for (const [name, user_id] of [['missing', undefined], ['empty', ''], ['too long', 'x'.repeat(129)], ['too long in bytes', 'é'.repeat(65)], ['a number', 5], ['null', null]]) {
  test(`refused: a user_id that is ${name}`, async () => {
    // red when: user_id is not measured in bytes
    const show = await server.show();
    const answer = server.fan('POST', `/api/v1/shows/${show}/seats/reserve`, { body: { seat_ids: ['A1'], user_id } });
    assert.equal((await refused(answer, 422, 'invalid_field')).pointer, '/user_id');
  });
}

test('a user_id of 128 bytes of any script is taken', async () => {
  // red when: the limit is off by one
  const show = await server.show();
  assert.equal((await server.reserve(show, ['A1'], 'é'.repeat(64))).status, 201);
});

test('unknown members of a request are ignored', async () => {
  // red when: the reader refuses what it does not know
  const show = await server.show();
  assert.equal((await server.reserve(show, { seat_ids: ['A1'], seat_color: 'red', nested: { deep: [1] } })).status, 201);
});

test('stats count what is held, sold and blocked', async () => {
  // red when: a counter misses a way a hold ends
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1', 'A2']);
  await server.hold(show, ['A3'], 'bob');
  await release(reservation_id);
  await server.book(show, ['A4', 'A5'], 'cy');
  await server.admin('POST', `/api/v1/admin/shows/${show}/seats/block`, { body: { seat_ids: ['B1'] } });
  await server.reserve(show, ['A3'], 'cy');
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/stats`);
  assert.deepEqual([json.capacity, json.available, json.held, json.booked, json.blocked], [40, 36, 1, 2, 1]);
  assert.equal(json.bookings.tickets, 2);
  assert.equal(json.revenue.amount, 10000);
  assert.ok(json.server.refusals.seat_unavailable >= 1);
});

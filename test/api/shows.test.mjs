/* Shows: how they are made, what is refused, what the operator changes while the sale runs, what fans see of it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, until } from './harness.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const short_plan = () => ({
  sections: [{ name: '', rows: 2, seats_per_row: 20, category: 'Standard' }],
  prices: { Standard: { amount: 5000, currency: 'EUR' } },
});
const make = (body) => server.admin('POST', '/api/v1/admin/shows', { body });
const unknown = '00000000-0000-4000-8000-000000000000';

test('a show made from the short plan is on sale, with every default', async () => {
  // red when: a default of sale_default_terms() changes
  const made = await make({ event_name: 'A night', plan: short_plan() });
  assert.equal(made.status, 201);
  const show = made.json;
  assert.equal(show.hold_seconds, 600);
  assert.equal(show.grace_seconds, 60);
  assert.equal(show.payment_attempts, 1);
  assert.equal(show.max_seats_per_user, 0);
  assert.equal(show.orphan_rule, 'off');
  assert.equal(show.status, 'ON_SALE');
  assert.equal(show.start_time, null);
  assert.deepEqual(show.prices, { Standard: { amount: 5000, currency: 'EUR' } });
  assert.equal(show.waiting_room.enabled, false);
});

test('every setting is taken and read back', async () => {
  // red when: sale_read_terms() forgets a member, or sale_write_for_operator() does
  const settings = {
    event_name: 'Ö, a night — 夜', start_time: '2027-06-01T19:30:00.000Z', on_sale_time: '2027-01-01T10:00:00.000Z',
    hold_seconds: 300, grace_seconds: 30, max_seats_per_user: 6, payment_attempts: 3, orphan_rule: 'refuse',
  };
  const made = await make({ ...settings, plan: short_plan() });
  assert.equal(made.status, 201);
  const read = await server.admin('GET', `/api/v1/admin/shows/${made.json.show_id}`);
  assert.equal(read.status, 200);
  for (const [name, value] of Object.entries(settings)) {
    if (name.endsWith('_time')) assert.equal(Date.parse(read.json[name]), Date.parse(value), name);
    else assert.equal(read.json[name], value, name);
  }
  assert.equal(read.json.status, 'SCHEDULED');
});

test('fans see the show in the list and by its id, with prices and limits', async () => {
  // red when: GET /api/v1/shows leaves out a show that was just made
  const show = await server.show({ max_seats_per_user: 4 });
  const list = await server.fan('GET', '/api/v1/shows');
  assert.equal(list.status, 200);
  assert.ok(list.json.some((one) => one.show_id === show));
  const one = await server.fan('GET', `/api/v1/shows/${show}`);
  assert.equal(one.json.max_seats_per_user, 4);
  const [category] = one.json.categories;
  assert.deepEqual([category.name, category.amount, category.currency, category.seats, category.available], ['Standard', 5000, 'EUR', 40, 40]);
});

test('an unknown show is 404 on every route of a show', async () => {
  // red when: a handler runs without its show
  for (const path of ['', '/plan', '/seats', '/seats.bits']) {
    for (const id of [unknown, 'no-uuid', `${unknown}0`, unknown.replace('4', 'G')]) {
      const { status, json } = await server.fan('GET', `/api/v1/shows/${id}${path}`);
      assert.equal(status, 404);
      assert.equal(json.code, 'show_not_found');
    }
  }
  const reserved = await server.reserve(unknown, ['A1']);
  assert.equal(reserved.json.code, 'show_not_found');
  for (const [method, path] of [['GET', ''], ['PATCH', ''], ['POST', '/pause'], ['GET', '/stats'], ['GET', '/bookings'], ['POST', '/seats/block']]) {
    const { status, json } = await server.admin(method, `/api/v1/admin/shows/${unknown}${path}`, method === 'GET' ? {} : { body: {} });
    assert.equal(status, 404, `${method} ${path}`);
    assert.equal(json.code, 'show_not_found');
  }
});

const sections = (...list) => ({ sections: list, prices: { Standard: { amount: 1, currency: 'EUR' } } });
const section = (more) => ({ name: '', rows: 2, seats_per_row: 3, category: 'Standard', ...more });
const refused = [
  [{ plan: short_plan() }, '/event_name'],
  [{ event_name: '', plan: short_plan() }, '/event_name'],
  [{ event_name: 'x'.repeat(201), plan: short_plan() }, '/event_name'],
  [{ event_name: 7, plan: short_plan() }, '/event_name'],
  [{ event_name: 'a\nb', plan: short_plan() }, '/event_name'],
  [{ event_name: 'A' }, '/plan'],
  [{ event_name: 'A', plan: null }, '/plan'],
  [{ event_name: 'A', plan: 'bowl' }, '/plan'],
  [{ event_name: 'A', plan: { sections: [] } }, '/plan'],
  [{ event_name: 'A', plan: sections(section({ rows: 0 })) }, '/plan/sections/0/rows'],
  [{ event_name: 'A', plan: sections(section({ rows: -1 })) }, '/plan/sections/0/rows'],
  [{ event_name: 'A', plan: sections(section({ rows: 1.5 })) }, '/plan/sections/0/rows'],
  [{ event_name: 'A', plan: sections(section({ rows: '2' })) }, '/plan/sections/0/rows'],
  [{ event_name: 'A', plan: sections(section({ seats_per_row: 0 })) }, '/plan/sections/0/seats_per_row'],
  [{ event_name: 'A', plan: sections(section({ category: 5 })) }, '/plan/sections/0/category'],
  [{ event_name: 'A', plan: sections(section({ name: 'x'.repeat(201) })) }, '/plan/sections/0/name'],
  [{ event_name: 'A', plan: { ...short_plan(), prices: { Gold: { amount: 1, currency: 'EUR' } } } }, '/plan/prices/Gold'],
  [{ event_name: 'A', plan: { ...short_plan(), prices: { Standard: { amount: -1, currency: 'EUR' } } } }, '/plan/prices/Standard/amount'],
  [{ event_name: 'A', plan: { ...short_plan(), prices: { Standard: { amount: 1.5, currency: 'EUR' } } } }, '/plan/prices/Standard/amount'],
  [{ event_name: 'A', plan: { ...short_plan(), prices: { Standard: { amount: 1, currency: 'euro' } } } }, '/plan/prices/Standard/currency'],
  [{ event_name: 'A', plan: short_plan(), prices: { Gold: { amount: 1, currency: 'EUR' } } }, '/prices/Gold'],
  [{ event_name: 'A', plan: { sections: [section()] } }, '/prices'],
  ...[0, -1, 86401, 1.5, '600', null, true, 1e30].map((value) => [{ event_name: 'A', plan: short_plan(), hold_seconds: value }, '/hold_seconds']),
  ...[-1, 3601, '60'].map((value) => [{ event_name: 'A', plan: short_plan(), grace_seconds: value }, '/grace_seconds']),
  ...[-1, 1.5, 'six'].map((value) => [{ event_name: 'A', plan: short_plan(), max_seats_per_user: value }, '/max_seats_per_user']),
  ...[0, 11, '1'].map((value) => [{ event_name: 'A', plan: short_plan(), payment_attempts: value }, '/payment_attempts']),
  ...['never', 1, ''].map((value) => [{ event_name: 'A', plan: short_plan(), orphan_rule: value }, '/orphan_rule']),
  ...['tomorrow', 5, '2027-02-30T00:00:00Z', '2027-06-01 19:30', '2027-06-01T25:00:00Z'].map((value) => [{ event_name: 'A', plan: short_plan(), start_time: value }, '/start_time']),
  ...['soon', false].map((value) => [{ event_name: 'A', plan: short_plan(), on_sale_time: value }, '/on_sale_time']),
  [{ event_name: 'A', plan: short_plan(), waiting_room: 5 }, '/waiting_room'],
  [{ event_name: 'A', plan: short_plan(), waiting_room: { enabled: 'yes' } }, '/waiting_room/enabled'],
];

for (const [body, pointer] of refused) {
  test(`a show is refused at ${pointer}: ${JSON.stringify(body).slice(0, 90)}`, async () => {
    // red when: the member is not checked, or the pointer names another
    const { status, json } = await make(body);
    assert.equal(status, 422, JSON.stringify(json));
    assert.equal(json.code, 'invalid_field');
    assert.equal(json.pointer, pointer, json.detail);
  });
}

test('what was refused made no show', async () => {
  // red when: a show is listed before its document is read to the end
  const before_count = (await server.admin('GET', '/api/v1/admin/shows')).json.length;
  for (const [body] of refused.slice(0, 10)) await make(body);
  assert.equal((await server.admin('GET', '/api/v1/admin/shows')).json.length, before_count);
});

test('two seats of one name, or two sections, are refused', async () => {
  // red when: the plan's table of seat ids takes a name twice
  const { status, json } = await make({ event_name: 'A', plan: sections(section(), section()) });
  assert.equal(status, 422);
  assert.match(json.pointer, /^\/plan\/sections\/1/);
});

test('rows go A … Z, AA, AB, and sections stand in front of their seats', async () => {
  // red when: the 27th row is called anything but AA
  const show = await server.show({ sections: [{ name: 'North', rows: 28, seats_per_row: 2, category: 'Standard' }] });
  const names = Object.keys(await server.seats(show));
  assert.equal(names.length, 56);
  assert.equal(names[0], 'North-A1');
  assert.equal(names[50], 'North-Z1');
  assert.equal(names[52], 'North-AA1');
  assert.equal(names[55], 'North-AB2');
});

test('a full plan and a pretix plan are taken as they are', async () => {
  // red when: plan_read() does not tell the three forms apart
  const pretix = {
    name: 'Small hall', categories: [{ name: 'Stalls', color: '#ff0000' }],
    zones: [{
      name: 'Ground floor', position: { x: 0, y: 0 }, zone_id: 'g', uuid: 'z-1', areas: [],
      rows: [{
        position: { x: 10, y: 20 }, row_number: '1', row_number_position: 'both', uuid: 'r-1',
        seats: [
          { seat_number: '1', seat_guid: 'G-1-1', uuid: 's-1', position: { x: 0, y: 0 }, category: 'Stalls' },
          { seat_number: '2', seat_guid: 'G-1-2', uuid: 's-2', position: { x: 30, y: 0 }, category: 'Stalls' },
        ],
      }],
    }],
    size: { width: 100, height: 100 },
  };
  const made = await make({ event_name: 'Play', plan: pretix, prices: { Stalls: { amount: 900, currency: 'CHF' } } });
  assert.equal(made.status, 201, made.body.toString());
  assert.deepEqual(Object.keys(await server.seats(made.json.show_id)), ['G-1-1', 'G-1-2']);
  const plan = await server.fan('GET', `/api/v1/shows/${made.json.show_id}/plan`);
  const again = await make({ event_name: 'Play', plan: plan.json, prices: { Stalls: { amount: 900, currency: 'CHF' } } });
  assert.equal(again.status, 201, again.body.toString());
  assert.equal(again.json.plan.hash, made.json.plan.hash);
});

test('a change is live at once, and what is left out stays', async () => {
  // red when: PATCH sets defaults for members that it does not name
  const show = await server.show({ max_seats_per_user: 4, payment_attempts: 2 });
  const changed = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { hold_seconds: 30, event_name: 'Another night' } });
  assert.equal(changed.status, 200);
  assert.equal(changed.json.max_seats_per_user, 4);
  assert.equal(changed.json.payment_attempts, 2);
  assert.equal((await server.hold(show, ['A1'])).expires_in_seconds, 30);
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.event_name, 'Another night');
});

test('a price that changes is asked of later reservations only', async () => {
  // red when: a hold's amount is worked out when it is paid
  const show = await server.show();
  const before_change = await server.hold(show, ['A1']);
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { prices: { Standard: { amount: 7000, currency: 'EUR' } } } });
  assert.equal((await server.hold(show, ['A2'], 'bob')).amount, 7000);
  assert.equal((await server.fan('GET', `/api/v1/reservations/${before_change.reservation_id}`)).json.amount, 5000);
});

test('a wrong change is refused with its pointer and changes nothing', async () => {
  // red when: PATCH sets the members before the wrong one
  const show = await server.show();
  const { status, json } = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { hold_seconds: 30, payment_attempts: 0 } });
  assert.equal(status, 422);
  assert.equal(json.pointer, '/payment_attempts');
  assert.equal((await server.admin('GET', `/api/v1/admin/shows/${show}`)).json.hold_seconds, 600);
});

test('a paused sale takes no reservation, lets what is held be paid, and goes on', async () => {
  // red when: pause does not reach sale_is_open(), or stops confirm too
  const show = await server.show();
  const { reservation_id } = await server.hold(show, ['A1']);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/pause`)).json.status, 'PAUSED');
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.status, 'PAUSED');
  const refusal = await server.reserve(show, ['A2'], 'bob');
  assert.equal(refusal.status, 409);
  assert.equal(refusal.json.code, 'sale_not_open');
  assert.equal((await server.confirm(reservation_id)).status, 200);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/resume`)).json.status, 'ON_SALE');
  assert.equal((await server.reserve(show, ['A2'], 'bob')).status, 201);
});

test('a closed sale is closed until it is opened again', async () => {
  // red when: close does not outlast a reservation
  const show = await server.show();
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).json.status, 'CLOSED');
  assert.equal((await server.reserve(show, ['A1'])).json.code, 'sale_not_open');
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/open`)).json.status, 'ON_SALE');
  assert.equal((await server.reserve(show, ['A1'])).status, 201);
});

test('a scheduled sale opens by itself at its time, or by hand before', async () => {
  // red when: on_sale_time is read at the start only
  const soon = await server.show({ on_sale_time: new Date(Date.now() + 700).toISOString() });
  const later = await server.show({ on_sale_time: '2099-01-01T00:00:00Z' });
  assert.equal((await server.reserve(soon, ['A1'])).json.code, 'sale_not_open');
  assert.equal((await server.reserve(later, ['A1'])).json.code, 'sale_not_open');
  await until('the sale is open', async () => (await server.reserve(soon, ['A1'])).status === 201);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${later}/open`)).json.status, 'ON_SALE');
  assert.equal((await server.reserve(later, ['A1'])).status, 201);
});

test('a show whose seats are all gone says SOLD_OUT', async () => {
  // red when: sale_status() does not look at the seats
  const show = await server.show({ rows: 1, seats_per_row: 2, amount: 0 });
  await server.book(show, ['A1', 'A2'], 'ann', null);
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.status, 'SOLD_OUT');
});

test('a show that is paused before its time waits for it again when it is resumed', async () => {
  // red when: resume opens whatever was paused
  const show = await server.show({ on_sale_time: '2099-01-01T10:00:00Z' });
  const hand = async (what) => (await server.admin('POST', `/api/v1/admin/shows/${show}/${what}`)).json.status;
  assert.equal(await hand('pause'), 'PAUSED');
  assert.equal(await hand('pause'), 'PAUSED');
  assert.equal(await hand('resume'), 'SCHEDULED');
  assert.equal(await hand('open'), 'ON_SALE');
  assert.equal(await hand('pause'), 'PAUSED');
  assert.equal(await hand('resume'), 'ON_SALE');
  assert.equal(await hand('close'), 'CLOSED');
  assert.equal(await hand('resume'), 'CLOSED');
});

test('a pause takes no body, and any that is sent is ignored', async () => {
  // red when: the content type of a body that nobody reads is refused
  const show = await server.show();
  const { status } = await server.admin('POST', `/api/v1/admin/shows/${show}/pause`, { body: '', type: 'application/x-www-form-urlencoded' });
  assert.equal(status, 200);
});

test('two changes at once both count', async () => {
  // red when: a change starts from the terms before the one that is still being written
  const show = await server.show();
  for (let i = 0; i < 8; i++) {
    await server.admin('POST', `/api/v1/admin/shows/${show}/open`);
    const answers = await Promise.all([
      server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { event_name: `Night ${i}` } }),
      server.admin('POST', `/api/v1/admin/shows/${show}/pause`),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}`);
    assert.deepEqual([json.event_name, json.status], [`Night ${i}`, 'PAUSED']);
  }
});

test('the currency stays while seats are held, and can be changed before the sale', async () => {
  // red when: a hold's amount is asked for in another currency than it was told in
  const yen = { body: { prices: { Standard: { amount: 900, currency: 'JPY' } } } };
  const show = await server.show({ on_sale_time: '2099-01-01T00:00:00Z' });
  const path = `/api/v1/admin/shows/${show}`;
  assert.equal((await server.admin('PATCH', path, yen)).json.prices.Standard.currency, 'JPY');
  await server.admin('POST', `${path}/open`);
  const { reservation_id, currency } = await server.hold(show, ['A1']);
  assert.equal(currency, 'JPY');
  const euro = { body: { prices: { Standard: { amount: 5000, currency: 'EUR' } } } };
  for (const hand of ['open', 'pause']) {
    await server.admin('POST', `${path}/${hand}`);
    const refused = await server.admin('PATCH', path, euro);
    assert.deepEqual([refused.status, refused.json.pointer], [422, '/prices'], hand);
  }
  const { json } = await server.confirm(reservation_id);
  assert.equal((await server.booking(json.booking_id)).json.currency, 'JPY');
});

/* The waiting room as fans and the operator see it: joining, the status, turns, passes, the drip, and what happens when
 * seats run out and come back. */
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, bearer, sleep, until } from './harness.mjs';
import { read_ticket } from './queue_record.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const SLOW = { rate_per_minute: 1 }; // nobody is called for a minute
const from_now = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();

async function refused(call, status, code) {
  const answer = await call;
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.body.toString());
  return answer.json;
}
const admin_post = (show, verb) => server.admin('POST', `/api/v1/admin/shows/${show}/${verb}`);
async function change(show, waiting_room) {
  const { status, json, body } = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room } });
  assert.equal(status, 200, body.toString());
  return json;
}
const serving = (show, at_least) => until(`${at_least} are called`, async () => (await server.queue(show)).serving >= at_least);
const stats = async (show) => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json.queue;

/* ---- joining ---- */

test('fans get the places 1, 2, 3 in the order in which they join', async () => {
  // red when: the counter starts elsewhere, or skips
  const show = await server.queue_show({ waiting_room: SLOW });
  for (const [i, user] of ['ann', 'bob', 'cy'].entries()) {
    const { position, ahead, status, place, is_new } = await server.place(show, user);
    assert.deepEqual({ position, ahead, status, place, is_new }, { position: i + 1, ahead: i, status: 'ON_SALE', place: 'waiting', is_new: true });
  }
});

test('joining again gives the same place, and the place of each show is its own', async () => {
  // red when: a user is not recognized, or is recognized across shows
  const show = await server.queue_show({ waiting_room: SLOW });
  const other = await server.queue_show({ waiting_room: SLOW });
  const first = await server.place(show, 'ann');
  await server.place(show, 'bob');
  const again = await server.place(show, 'ann');
  assert.deepEqual([again.position, again.is_new], [1, false]);
  assert.equal(read_ticket(again.queue_ticket).number, read_ticket(first.queue_ticket).number);
  assert.equal((await server.place(other, 'bob')).position, 1);
});

test('users are told apart by every byte of their id', async () => {
  // red when: ids are trimmed, folded or cut before they are looked up
  const show = await server.queue_show({ waiting_room: SLOW });
  const users = ['ann', 'Ann', 'ann ', ' ann', 'ann\u0001', 'ånn', 'a\u030ann', 'x'.repeat(127), 'x'.repeat(128), 'é'.repeat(64)];
  for (const [i, user] of users.entries()) assert.equal((await server.place(show, user)).position, i + 1, JSON.stringify(user));
  for (const [i, user] of users.entries()) assert.equal((await server.place(show, user)).position, i + 1, JSON.stringify(user));
});

for (const [name, user_id] of [['missing', undefined], ['empty', ''], ['too long', 'x'.repeat(129)], ['too long in bytes', 'é'.repeat(65)], ['a number', 5], ['null', null], ['an array', ['ann']]]) {
  test(`joining with a user_id that is ${name} is refused`, async () => {
    // red when: user_id is not checked before a place is given out
    const show = await server.queue_show({ waiting_room: SLOW });
    const json = await refused(server.fan('POST', `/api/v1/shows/${show}/queue`, { body: { user_id } }), 422, 'invalid_field');
    assert.equal(json.pointer, '/user_id');
    assert.equal((await server.queue(show)).issued, 0);
  });
}

test('a join with an Idempotency-Key is answered again byte for byte', async () => {
  // red when: join is not among the calls whose answers are kept
  const show = await server.queue_show({ waiting_room: SLOW });
  const headers = { 'Idempotency-Key': 'join-of-ann-1' };
  const first = await server.join(show, 'ann', {}, headers);
  assert.equal(first.status, 201);
  await server.place(show, 'bob');
  const again = await server.join(show, 'ann', {}, headers);
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.body.toString()], [201, 'true', first.body.toString()]);
  await refused(server.join(show, 'ann', { proof: { challenge: 'x', nonce: 'y' } }, headers), 422, 'idempotency_key_reused');
});

test('a show without a waiting room has no queue, and needs no pass', async () => {
  // red when: enabled is not looked at
  const show = await server.show();
  await refused(server.join(show), 404, 'not_found');
  await refused(server.fan('GET', `/api/v1/shows/${show}/queue`), 404, 'not_found');
  await refused(server.fan('GET', `/api/v1/shows/${show}/queue/record`), 404, 'not_found');
  await refused(server.claim(show, 'q1.AAAA'), 404, 'not_found');
  await refused(server.leave(show, 'q1.AAAA'), 404, 'not_found');
  await refused(server.check_pass(show, 'a.b.c'), 404, 'not_found');
  assert.equal((await server.reserve(show, ['A1'])).status, 201);
  assert.equal(await stats(show), null);
});

test('an unknown show is 404 on every call of the queue', async () => {
  // red when: a handler sees the call before its show is found
  const show = '00000000-0000-4000-8000-000000000000';
  await refused(server.join(show), 404, 'show_not_found');
  for (const path of ['', '/record', '/check', '/live']) await refused(server.fan('GET', `/api/v1/shows/${show}/queue${path}`), 404, 'show_not_found');
  await refused(server.claim(show, 'q1.AAAA'), 404, 'show_not_found');
  await refused(server.leave(show, 'q1.AAAA'), 404, 'show_not_found');
});

/* ---- the status ---- */

test('the status is the same few numbers for everyone, and an edge cache may keep it', async () => {
  // red when: the status has something personal in it, or no ETag
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 7, max_active: 11, claim_seconds: 13 } });
  for (const user of ['ann', 'bob']) await server.place(show, user);
  const path = `/api/v1/shows/${show}/queue`;
  const { json, headers } = await server.fan('GET', path);
  assert.deepEqual([json.status, json.issued, json.waiting, json.serving, json.active], ['ON_SALE', 2, 2, 0, 0]);
  assert.deepEqual([json.rate_per_minute, json.pace_per_minute, json.max_active, json.claim_seconds], [7, 7, 11, 13]);
  assert.deepEqual([json.seats_left, json.seats_held, json.proof_of_work], [40, 0, null]);
  assert.match(headers.get('cache-control'), /\bpublic\b.*\bmax-age=1\b/);
  assert.equal(headers.get('set-cookie'), null);
  const same = await server.fan('GET', path, { headers: { 'If-None-Match': headers.get('etag') } });
  assert.equal(same.status, 304);
  await server.place(show, 'cy');
  const changed = await until('it is another document', async () => {
    const answer = await server.fan('GET', path, { headers: { 'If-None-Match': headers.get('etag') } });
    return answer.status !== 304 && answer;
  });
  assert.deepEqual([changed.status, changed.json.issued], [200, 3]);
});

test('the status counts the seats that are left and those that may come back', async () => {
  // red when: held and sold seats are taken for each other
  const show = await server.queue_show({ amount: 0 });
  const { pass } = await server.enter(show, 'ann');
  assert.equal((await server.reserve(show, ['A1', 'A2', 'A3'], 'ann', bearer(pass))).status, 201);
  await until('three are held', async () => { const { seats_left, seats_held } = await server.queue(show); return seats_left === 37 && seats_held === 3; });
});

/* ---- turns ---- */

test('a turn that has not come is 425 with what a fan needs to wait', async () => {
  // red when: anyone with a ticket goes in
  const show = await server.queue_show({ waiting_room: SLOW });
  await server.place(show, 'ann');
  const { queue_ticket } = await server.place(show, 'bob');
  const json = await refused(server.claim(show, queue_ticket), 425, 'not_your_turn');
  assert.equal(json.position, 2);
  assert.ok(json.serving < 2 && json.retry_after_seconds >= 1);
  assert.equal((await server.place(show, 'bob')).place, 'waiting');
});

test('who is called goes in, and gets the same pass again while it lasts', async () => {
  // red when: a second claim takes a second place in the room, or mints a second pass
  const show = await server.queue_show();
  const { queue_ticket } = await server.place(show, 'ann');
  await serving(show, 1);
  assert.equal((await server.place(show, 'ann')).place, 'called');
  const first = await server.turn(show, queue_ticket);
  const again = await server.claim(show, queue_ticket);
  assert.deepEqual([first.status, again.status, again.json.pass, again.json.expires_at], [200, 200, first.json.pass, first.json.expires_at]);
  assert.ok(first.json.expires_in_seconds > 890 && first.json.expires_in_seconds <= 900);
  const { place, is_new } = await server.place(show, 'ann');
  assert.deepEqual({ place, is_new }, { place: 'inside', is_new: false });
  assert.deepEqual([(await server.queue(show)).active, (await stats(show)).admitted], [1, 1]);
});

test('a turn that is not claimed is missed, goes to the next, and its fan may join again at the end', async () => {
  // red when: a called place is kept for good
  const show = await server.queue_show({ waiting_room: { max_active: 1, claim_seconds: 1 } });
  const sleepers = [];
  for (const user of ['one', 'two', 'three']) sleepers.push(await server.place(show, user));
  const next = await server.place(show, 'next');
  const claimed = await server.turn(show, next.queue_ticket);
  assert.equal(claimed.status, 200, 'the next one is called though nobody before them came');
  await server.leave_with_pass(show, claimed.json.pass);
  await until('their windows are over', async () => (await stats(show)).missed === 3);
  for (const [i, { queue_ticket }] of sleepers.entries()) {
    await refused(server.claim(show, queue_ticket), 410, 'turn_missed');
    const again = await server.place(show, ['one', 'two', 'three'][i]);
    assert.deepEqual([again.position, again.is_new], [5 + i, true]);
    assert.ok(read_ticket(again.queue_ticket).number > read_ticket(next.queue_ticket).number);
    await refused(server.claim(show, queue_ticket), 410, 'turn_missed');
  }
});

test('no more are inside than max_active, and the next goes in when one leaves', async () => {
  // red when: the claim does not look at the room
  const show = await server.queue_show({ waiting_room: { max_active: 2 } });
  const inside = [await server.enter(show, 'ann'), await server.enter(show, 'bob')];
  const { queue_ticket } = await server.place(show, 'cy');
  assert.equal((await server.claim(show, queue_ticket)).status, 425);
  await sleep(400);
  assert.equal((await server.claim(show, queue_ticket)).status, 425);
  assert.equal((await server.queue(show)).active, 2);
  assert.equal((await server.leave_with_pass(show, inside[1].pass)).status, 204);
  assert.equal((await server.turn(show, queue_ticket)).status, 200);
  assert.equal((await server.queue(show)).active, 2);
});

test('at the door the lowest place goes first, and its time to claim stands still', async () => {
  // red when: the window runs while the room is full, or whoever asks first goes in
  const show = await server.queue_show({ waiting_room: { max_active: 3, claim_seconds: 2 } });
  const ann = await server.place(show, 'ann');
  const bob = await server.place(show, 'bob');
  const cy = await server.place(show, 'cy');
  await serving(show, 3);
  const inside = await server.turn(show, ann.queue_ticket);
  assert.equal(inside.status, 200);
  await change(show, { max_active: 1 });
  for (const fan of [cy, bob]) {
    const json = await refused(server.claim(show, fan.queue_ticket), 425, 'at_the_door');
    assert.deepEqual([json.position, json.serving], [fan.position, 3]);
    assert.ok(json.retry_after_seconds >= 1);
  }
  assert.equal((await server.place(show, 'bob')).place, 'at_the_door');
  for (let i = 0; i < 6; i++) {
    await sleep(500);
    for (const fan of [cy, bob]) await refused(server.claim(show, fan.queue_ticket), 425, 'at_the_door');
  }
  assert.equal((await server.leave_with_pass(show, inside.json.pass)).status, 204);
  await refused(server.claim(show, cy.queue_ticket), 425, 'at_the_door');
  const second = await server.turn(show, bob.queue_ticket);
  assert.equal(second.status, 200);
  assert.equal((await server.leave_with_pass(show, second.json.pass)).status, 204);
  assert.equal((await server.turn(show, cy.queue_ticket)).status, 200);
});

test('the drip lets in no more than its rate, though nobody came for a while', async () => {
  // red when: a claim takes no token, or the bucket saves up more than a second's worth
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 240 } });
  const early = await server.enter(show, 'early');
  assert.ok(early.pass);
  await sleep(3000);
  const begun = Date.now();
  const places = await Promise.all(Array.from({ length: 30 }, (_, i) => server.place(show, `fan-${i}`)));
  let entered = 0;
  while (Date.now() - begun < 1500) {
    const answers = await Promise.all(places.map(({ queue_ticket }) => server.claim(show, queue_ticket)));
    entered = answers.filter(({ status }) => status === 200).length;
    const bound = (240 * (Date.now() - begun)) / 60_000 + 4;
    assert.ok(entered <= bound, `${entered} are inside; ${bound} may be`);
  }
  assert.ok(entered > 0);
});

/* ---- leaving ---- */

test('a place that is left is given up for good, and costs nobody time', async () => {
  // red when: a left place is still called, or leaving twice is another thing than once
  const show = await server.queue_show({ waiting_room: { max_active: 1, claim_seconds: 600 } });
  const inside = await server.enter(show, 'inside');
  const ann = await server.place(show, 'ann');
  const bob = await server.place(show, 'bob');
  for (let i = 0; i < 2; i++) assert.equal((await server.leave(show, ann.queue_ticket)).status, 204);
  await refused(server.claim(show, ann.queue_ticket), 410, 'turn_missed');
  assert.equal((await server.leave_with_pass(show, inside.pass)).status, 204);
  assert.equal((await server.turn(show, bob.queue_ticket)).status, 200, 'bob need not wait for ann\'s ten minutes');
  const again = await server.place(show, 'ann');
  assert.deepEqual([again.position, again.is_new], [4, true]);
  assert.equal((await stats(show)).left, 1);
});

test('a pass that is given up ends at once; so does one whose queue ticket leaves', async () => {
  // red when: a pass is good until its exp whatever happened
  const show = await server.queue_show();
  const ann = await server.enter(show, 'ann');
  assert.equal((await server.check_pass(show, ann.pass)).status, 204);
  for (let i = 0; i < 2; i++) assert.equal((await server.leave_with_pass(show, ann.pass)).status, 204);
  const bob = await server.enter(show, 'bob');
  assert.equal((await server.leave(show, bob.queue_ticket)).status, 204);
  for (const [user, { pass, queue_ticket }] of [['ann', ann], ['bob', bob]]) {
    await refused(server.check_pass(show, pass), 401, 'pass_expired');
    await refused(server.reserve(show, ['A1'], user, bearer(pass)), 401, 'pass_expired');
    await refused(server.claim(show, queue_ticket), 410, 'turn_missed');
  }
  assert.equal((await server.queue(show)).active, 0);
});

test('leaving with neither ticket nor pass is refused', async () => {
  // red when: an empty request leaves for somebody
  const show = await server.queue_show();
  await server.enter(show, 'ann');
  const path = `/api/v1/shows/${show}/queue/leave`;
  const { status } = await server.fan('POST', path, { body: {} });
  assert.ok([401, 422].includes(status), String(status));
  await refused(server.fan('POST', path, { body: { queue_ticket: 5 } }), 422, 'invalid_field');
  assert.equal((await server.queue(show)).active, 1);
});

/* ---- passes ---- */

const claims_of = (pass) => JSON.parse(Buffer.from(pass.split('.')[1], 'base64url').toString());

test('a pass is a JWT that anyone can check with the published keys', async () => {
  // red when: a claim is missing, or the key set is not the one that signs
  const show = await server.queue_show();
  const { pass, queue_ticket, expires_at } = await server.enter(show, 'Zoë "the fan"\n');
  const { json, headers } = await server.fan('GET', '/.well-known/jwks.json');
  assert.match(headers.get('cache-control'), /\bpublic\b/);
  const [head, body, signature] = pass.split('.');
  const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString());
  assert.equal(alg, 'EdDSA');
  const key = createPublicKey({ key: json.keys.find((one) => one.kid === kid), format: 'jwk' });
  assert.ok(verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')));
  const { iss, aud, sub, jti, iat, exp } = claims_of(pass);
  assert.deepEqual([iss, aud, sub], ['onsale', show, 'Zoë "the fan"\n']);
  assert.match(jti, /^[0-9a-f]{32}$/);
  assert.equal(parseInt(jti.slice(0, 8), 16), read_ticket(queue_ticket).number);
  assert.equal(exp - iat, 900);
  assert.ok(Math.abs(exp * 1000 - Date.parse(expires_at)) <= 1000);
  assert.ok(json.keys.every((one) => !one.d), 'no private part');
});

test('seats are reserved with a pass only, and only for its user in its show', async () => {
  // red when: reserve does not look at the pass, its sub or its aud
  const show = await server.queue_show();
  const other = await server.queue_show();
  const { pass } = await server.enter(show, 'ann');
  const elsewhere = await server.enter(other, 'ann');
  await refused(server.reserve(show, ['A1'], 'ann'), 401, 'pass_required');
  await refused(server.reserve(show, ['A1'], 'ann', bearer('nonsense')), 401, 'pass_invalid');
  await refused(server.reserve(show, ['A1'], 'ann', { Authorization: 'Basic YTpi' }), 401, 'pass_invalid');
  await refused(server.reserve(show, ['A1'], 'bob', bearer(pass)), 403, 'pass_for_another_user');
  await refused(server.reserve(show, ['A1'], 'ann', bearer(elsewhere.pass)), 403, 'pass_for_another_show');
  assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  const taken = await server.reserve(show, ['A1'], 'ann', bearer(pass));
  assert.equal(taken.status, 201);
  assert.equal((await server.fan('GET', `/api/v1/reservations/${taken.json.reservation_id}`)).status, 200);
});

test('check answers a proxy: the pass as Authorization or as a cookie', async () => {
  // red when: the cookie is read by its beginning, or anything but 204 lets in
  const show = await server.queue_show();
  const other = await server.queue_show();
  const { pass } = await server.enter(show, 'ann');
  const path = `/api/v1/shows/${show}/queue/check`;
  const cookie = (text) => server.fan('GET', path, { headers: { Cookie: text } });
  assert.equal((await server.check_pass(show, pass)).status, 204);
  assert.equal((await cookie(`onsale_pass=${pass}`)).status, 204);
  assert.equal((await cookie(`theme=dark; onsale_pass=${pass}; lang=de`)).status, 204);
  await refused(server.check_pass(show), 401, 'pass_required');
  await refused(cookie('theme=dark'), 401, 'pass_required');
  await refused(cookie(`not_onsale_pass=${pass}`), 401, 'pass_required');
  await refused(cookie('onsale_pass=nonsense'), 401, 'pass_invalid');
  await refused(server.check_pass(other, pass), 403, 'pass_for_another_show');
  const { headers } = await server.check_pass(show);
  assert.match(headers.get('www-authenticate'), /^Bearer/);
});

test('a pass that has ended is refused, its turn is used, and its place in the room is free', async () => {
  // red when: the end of a pass is not looked at, or frees nothing
  const show = await server.queue_show({ waiting_room: { max_active: 1, pass_seconds: 1 } });
  const { pass, queue_ticket } = await server.enter(show, 'ann');
  const next = await server.place(show, 'bob');
  assert.equal((await server.turn(show, next.queue_ticket)).status, 200);
  await refused(server.check_pass(show, pass), 401, 'pass_expired');
  await refused(server.reserve(show, ['A1'], 'ann', bearer(pass)), 401, 'pass_expired');
  await refused(server.claim(show, queue_ticket), 410, 'turn_missed');
});

test('a confirmed booking ends the pass and lets the next one in', async () => {
  // red when: buyers stay inside until their time is over
  const show = await server.queue_show({ amount: 0, waiting_room: { max_active: 1 } });
  const { pass } = await server.enter(show, 'ann');
  const next = await server.place(show, 'bob');
  const taken = await server.reserve(show, ['A1'], 'ann', bearer(pass));
  assert.equal((await server.confirm(taken.json.reservation_id, null)).status, 200);
  await until('the pass has ended', async () => (await server.check_pass(show, pass)).status === 401);
  await refused(server.reserve(show, ['A2'], 'ann', bearer(pass)), 401, 'pass_expired');
  assert.equal((await server.turn(show, next.queue_ticket)).status, 200);
});

test('a checkout under way goes on when its pass ends', async () => {
  // red when: confirm asks for a pass
  const show = await server.queue_show({ waiting_room: { pass_seconds: 1 } });
  const { pass } = await server.enter(show, 'ann');
  const taken = await server.reserve(show, ['A1'], 'ann', bearer(pass));
  assert.equal(taken.status, 201);
  await until('the pass has ended', async () => (await server.check_pass(show, pass)).status === 401);
  assert.equal((await server.confirm(taken.json.reservation_id)).status, 200);
});

/* ---- the show's state ---- */

test('before the pre-queue and after the sale nobody joins', async () => {
  // red when: the state of the sale is not looked at
  const early = await server.queue_show({ on_sale_time: from_now(86_400), waiting_room: { pre_queue_seconds: 60 } });
  assert.equal((await server.fan('GET', `/api/v1/shows/${early}`)).json.status, 'SCHEDULED');
  await refused(server.join(early), 409, 'sale_not_open');
  const late = await server.queue_show({ waiting_room: SLOW });
  const { queue_ticket } = await server.place(late, 'ann');
  await admin_post(late, 'close');
  await refused(server.join(late, 'bob'), 409, 'sale_not_open');
  await refused(server.claim(late, queue_ticket), 409, 'sale_not_open');
  assert.equal((await server.queue(late)).status, 'CLOSED');
});

test('while the sale is paused fans keep their places and nobody goes in or buys', async () => {
  // red when: the claim windows run, or calls go out, while the sale stands still
  const show = await server.queue_show({ waiting_room: { claim_seconds: 1 } });
  const inside = await server.enter(show, 'ann');
  const bob = await server.place(show, 'bob');
  await admin_post(show, 'pause');
  const cy = await server.place(show, 'cy');
  await sleep(1500);
  await refused(server.claim(show, bob.queue_ticket), 409, 'sale_not_open');
  await refused(server.reserve(show, ['A1'], 'ann', bearer(inside.pass)), 409, 'sale_not_open');
  assert.equal((await server.queue(show)).status, 'PAUSED');
  await admin_post(show, 'resume');
  assert.equal((await server.turn(show, bob.queue_ticket)).status, 200);
  assert.equal((await server.turn(show, cy.queue_ticket)).status, 200);
});

test('who comes before the opening keeps their place in order of arrival', async () => {
  // red when: the pre-queue is not a queue
  const show = await server.queue_show({ on_sale_time: from_now(1.5), waiting_room: { pre_queue_seconds: 3600, max_active: 1 } });
  const places = [];
  for (const user of ['ann', 'bob', 'cy']) places.push(await server.place(show, user));
  assert.deepEqual(places.map(({ position, status, place }) => [position, status, place]), [1, 2, 3].map((i) => [i, 'PRE_QUEUE', 'waiting']));
  const { status, serving: called, opens_at } = await server.queue(show);
  assert.deepEqual([status, called], ['PRE_QUEUE', 0]);
  assert.ok(Date.parse(opens_at) > Date.now() - 2000);
  await refused(server.claim(show, places[0].queue_ticket), 409, 'sale_not_open');
  await until('it is open', async () => (await server.queue(show)).status === 'ON_SALE');
  for (const { queue_ticket } of places) {
    const claimed = await server.turn(show, queue_ticket);
    assert.equal(claimed.status, 200);
    assert.equal((await server.leave_with_pass(show, claimed.json.pass)).status, 204);
  }
});

/* ---- sold out and returns ---- */

test('while all seats are held or sold nobody is called; when one comes back the next in line goes in', async () => {
  // red when: admission does not stop while held + sold = capacity
  const show = await server.queue_show({ rows: 1, seats_per_row: 2, amount: 0, hold_seconds: 600 });
  const ann = await server.enter(show, 'ann');
  const taken = await server.reserve(show, ['A1', 'A2'], 'ann', bearer(ann.pass));
  assert.equal(taken.status, 201);
  await until('none is left', async () => (await server.queue(show)).seats_left === 0);
  await sleep(300);
  const bob = await server.place(show, 'bob');
  const cy = await server.place(show, 'cy');
  await sleep(500);
  assert.equal((await server.claim(show, bob.queue_ticket)).status, 425);
  assert.equal((await server.queue(show)).serving, 1);
  assert.equal((await server.fan('DELETE', `/api/v1/reservations/${taken.json.reservation_id}`)).status, 204);
  assert.equal((await server.turn(show, bob.queue_ticket)).status, 200);
  assert.equal((await server.turn(show, cy.queue_ticket)).status, 200);
});

test('when all is sold the waiting are told at once, and are let in when a booking is cancelled', async () => {
  // red when: sold_out costs the place, or returns are told to nobody
  const show = await server.queue_show({ rows: 1, seats_per_row: 2, waiting_room: { max_active: 1 } });
  const ann = await server.enter(show, 'ann');
  const bob = await server.place(show, 'bob');
  const taken = await server.reserve(show, ['A1', 'A2'], 'ann', bearer(ann.pass));
  const { json: booked } = await server.confirm(taken.json.reservation_id);
  await until('it is sold out', async () => (await server.queue(show)).status === 'SOLD_OUT');
  await refused(server.claim(show, bob.queue_ticket), 409, 'sold_out');
  assert.deepEqual([(await server.queue(show)).seats_left, (await server.place(show, 'bob')).position], [0, 2]);
  await server.settled(booked.booking_id, 'CAPTURED');
  assert.ok([200, 202].includes((await server.admin('POST', `/api/v1/admin/bookings/${booked.booking_id}/refund`, { body: { reason: 'ill' } })).status));
  const claimed = await until('bob is let in', async () => {
    const answer = await server.claim(show, bob.queue_ticket);
    return answer.status === 200 && answer.json;
  });
  assert.equal((await server.reserve(show, ['A1'], 'bob', bearer(claimed.pass))).status, 201);
});

/* ---- settings ---- */

test('a waiting room that is only switched on has the settings that are documented', async () => {
  // red when: a default changes and the contract does not
  const show = await server.show({ waiting_room: { enabled: true } });
  const wanted = {
    enabled: true, rate_per_minute: 5000, max_active: 10000, claim_seconds: 120, pass_seconds: 900, pre_queue_seconds: 900, pre_queue_order: 'arrival',
    proof_of_work_bits: 0, beacon: null, beacon_value: null,
  };
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}`);
  assert.deepEqual(json.waiting_room, { ...wanted, adaptive: { enabled: true, confirm_ms: 3000, most_percent: 10 } });
  assert.deepEqual((await server.fan('GET', `/api/v1/shows/${show}`)).json.waiting_room, wanted);
});

const wrong_settings = [
  ['no object', 5, ''], ['a list', [], ''],
  ['enabled', 'yes', '/enabled'], ['enabled', null, '/enabled'], ['enabled', 1, '/enabled'],
  ...['rate_per_minute', 'max_active', 'claim_seconds', 'pass_seconds'].flatMap((name) => [0, -1, 0.5, '5', null, 1e9, 9007199254740993, true].map((value) => [name, value, `/${name}`])),
  ['rate_per_minute', 6_000_001, '/rate_per_minute'], ['max_active', 131_073, '/max_active'], ['claim_seconds', 86_401, '/claim_seconds'],
  ['pre_queue_seconds', -1, '/pre_queue_seconds'], ['pre_queue_seconds', 604_801, '/pre_queue_seconds'],
  ['pre_queue_order', 'random', '/pre_queue_order'], ['pre_queue_order', 1, '/pre_queue_order'], ['pre_queue_order', null, '/pre_queue_order'],
  ['proof_of_work_bits', -1, '/proof_of_work_bits'], ['proof_of_work_bits', 31, '/proof_of_work_bits'],
  ['beacon', '', '/beacon'], ['beacon', 'x'.repeat(201), '/beacon'], ['beacon', 5, '/beacon'], ['beacon_value', 'a value of no beacon', '/beacon_value'],
  ['adaptive', true, '/adaptive'], ['adaptive', { enabled: 1 }, '/adaptive/enabled'], ['adaptive', { confirm_ms: 0 }, '/adaptive/confirm_ms'],
  ['adaptive', { most_percent: 0 }, '/adaptive/most_percent'], ['adaptive', { most_percent: 101 }, '/adaptive/most_percent'],
];
test('settings of zero, below it, absurd, or of another kind are refused by name, and change nothing', async () => {
  // red when: a limit is off by one, or a refused change is half made
  const show = await server.queue_show();
  const before = (await server.admin('GET', `/api/v1/admin/shows/${show}`)).json.waiting_room;
  for (const [name, value, pointer] of wrong_settings) {
    const waiting_room = pointer === '' ? value : { claim_seconds: 77, [name]: value };
    const json = await refused(server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room } }), 422, 'invalid_field');
    assert.equal(json.pointer, `/waiting_room${pointer}`, JSON.stringify({ name, value }));
    const made = await server.admin('POST', '/api/v1/admin/shows', { body: { event_name: 'x', plan: { sections: [{ name: '', rows: 1, seats_per_row: 2, category: 'S' }], prices: { S: { amount: 1, currency: 'EUR' } } }, waiting_room } });
    assert.deepEqual([made.status, made.json.code], [422, 'invalid_field'], JSON.stringify({ name, value }));
  }
  assert.deepEqual((await server.admin('GET', `/api/v1/admin/shows/${show}`)).json.waiting_room, before);
});

test('settings at their edges are taken', async () => {
  // red when: a limit is off by one
  const show = await server.queue_show();
  for (const edge of [
    { rate_per_minute: 1, max_active: 1, claim_seconds: 1, pass_seconds: 1, pre_queue_seconds: 0, proof_of_work_bits: 0, adaptive: { confirm_ms: 1, most_percent: 1 } },
    { rate_per_minute: 6_000_000, max_active: 131_072, claim_seconds: 86_400, pass_seconds: 86_400, pre_queue_seconds: 604_800, proof_of_work_bits: 30, adaptive: { most_percent: 100, enabled: false } },
  ]) {
    const { waiting_room } = await change(show, edge);
    for (const [name, value] of Object.entries(edge)) assert.deepEqual(name === 'adaptive' ? { ...waiting_room.adaptive, ...value } : value, waiting_room[name], name);
  }
});

test('the operator opens the tap while the sale runs', async () => {
  // red when: a changed rate waits for a restart
  const show = await server.queue_show({ waiting_room: SLOW });
  const { queue_ticket } = await server.place(show, 'ann');
  await refused(server.claim(show, queue_ticket), 425, 'not_your_turn');
  await change(show, { rate_per_minute: 6_000_000 });
  assert.equal((await server.turn(show, queue_ticket)).status, 200);
  const { rate_per_minute, pace_per_minute } = await server.queue(show);
  assert.deepEqual([rate_per_minute, pace_per_minute], [6_000_000, 6_000_000]);
});

test('the waiting room is switched off and on again, and the places are still there', async () => {
  // red when: enabled is read at start only, or switching off forgets the queue
  const show = await server.queue_show({ waiting_room: SLOW });
  await server.place(show, 'ann');
  const bob = await server.place(show, 'bob');
  await refused(server.reserve(show, ['A1'], 'dee'), 401, 'pass_required');
  await change(show, { enabled: false });
  assert.equal((await server.reserve(show, ['A1'], 'dee')).status, 201);
  await refused(server.join(show, 'cy'), 404, 'not_found');
  assert.deepEqual((await server.fan('GET', `/api/v1/shows/${show}`)).json.waiting_room, { enabled: false });
  await change(show, { enabled: true });
  await refused(server.reserve(show, ['A2'], 'dee'), 401, 'pass_required');
  const again = await server.place(show, 'bob');
  assert.deepEqual([again.position, again.is_new], [2, false]);
  assert.equal(read_ticket(again.queue_ticket).number, read_ticket(bob.queue_ticket).number);
});

test('a show that had none gets a waiting room while it is on sale', async () => {
  // red when: the room is made with its show only
  const show = await server.show();
  await change(show, { enabled: true, rate_per_minute: 6_000_000 });
  await refused(server.reserve(show, ['A1'], 'ann'), 401, 'pass_required');
  const { pass } = await server.enter(show, 'ann');
  assert.equal((await server.reserve(show, ['A1'], 'ann', bearer(pass))).status, 201);
});

test('the order of the pre-queue and its beacon stand once it has begun', async () => {
  // red when: the operator can choose the order when it is known who has come
  const show = await server.queue_show({ on_sale_time: from_now(3600), waiting_room: { pre_queue_seconds: 7200, pre_queue_order: 'shuffle', beacon: 'the lottery of Saturday' } });
  await server.place(show, 'ann');
  const patch = (waiting_room) => server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room } });
  await refused(patch({ pre_queue_order: 'arrival' }), 409, 'conflict');
  await refused(patch({ beacon: 'another' }), 409, 'conflict');
  await refused(patch({ beacon: null }), 409, 'conflict');
  assert.equal((await patch({ pre_queue_order: 'shuffle', rate_per_minute: 9 })).status, 200);
  const later = await server.queue_show({ on_sale_time: from_now(36_000), waiting_room: { pre_queue_seconds: 60 } });
  assert.equal((await server.admin('PATCH', `/api/v1/admin/shows/${later}`, { body: { waiting_room: { pre_queue_order: 'shuffle', beacon: 'b' } } })).status, 200);
});

/* ---- adaptive pace ---- */

test('the pace slows while confirming is slow, and recovers by itself', async () => {
  // red when: nobody looks at the booking path, or the factor only ever falls
  const show = await server.queue_show({ rows: 5, waiting_room: { adaptive: { confirm_ms: 1, most_percent: 1 } } });
  const factor = async () => (await stats(show)).factor;
  const { pass } = await server.enter(show, 'ann');
  const holds = await Promise.all(Array.from({ length: 12 }, (_, i) => server.reserve(show, [`A${i + 1}`], 'ann', bearer(pass))));
  const slow = holds.map(({ json }) => server.confirm(json.reservation_id, 'tok_slow_50'));
  for (const { status } of await Promise.all(slow)) assert.equal(status, 200);
  const low = await until('the factor has fallen', async () => { const now = await factor(); return now < 1 && now; });
  const { rate_per_minute, pace_per_minute } = await server.queue(show);
  assert.ok(pace_per_minute < rate_per_minute);
  await until('it rises again', async () => (await factor()) > low);
});

/* ---- guards ---- */

function leading_zero_bits(bytes) {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? bytes.length * 8 : first * 8 + Math.clz32(bytes[first]) - 24;
}

function prove({ challenge, bits }, user) {
  for (let nonce = 0; ; nonce++)
    if (leading_zero_bits(createHash('sha256').update(`${challenge}.${user}.${nonce}`).digest()) >= bits) return { challenge, nonce: String(nonce) };
}

test('where a proof of work is asked for, nobody joins without their own', async () => {
  // red when: the proof is not checked, or one is good for every user
  const show = await server.queue_show({ waiting_room: { ...SLOW, proof_of_work_bits: 12 } });
  const { challenge, bits } = await refused(server.join(show, 'ann'), 403, 'proof_required');
  assert.equal(bits, 12);
  assert.deepEqual((await server.queue(show)).proof_of_work, { challenge, bits });
  const proof = prove({ challenge, bits }, 'ann');
  for (const wrong of [{ ...proof, nonce: 'x' }, { ...proof, nonce: '' }, { ...proof, challenge: challenge.slice(0, -1) }, { ...proof, challenge: `${challenge}0` },
    { ...proof, challenge: challenge.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }, { challenge: '', nonce: '' }]) {
    const answer = await server.join(show, 'ann', { proof: wrong });
    assert.ok((answer.status === 403 && answer.json.code === 'proof_required') || (answer.status === 422 && answer.json.code === 'invalid_field'), answer.body.toString());
  }
  for (const wrong of [5, 'x', [], { challenge: 5, nonce: 'x' }, { challenge, nonce: 7 }]) {
    const answer = await server.join(show, 'ann', { proof: wrong });
    assert.ok([403, 422].includes(answer.status), answer.body.toString());
  }
  await refused(server.join(show, 'bob', { proof }), 403, 'proof_required');
  assert.equal((await server.place(show, 'ann', { proof })).position, 1);
  assert.equal((await server.place(show, 'ann', { proof })).position, 1);
  assert.equal((await server.queue(show)).issued, 1);
});

test('a proof for one show is none for another', async () => {
  // red when: the challenge is the same everywhere
  const waiting_room = { ...SLOW, proof_of_work_bits: 4 };
  const shows = [await server.queue_show({ waiting_room }), await server.queue_show({ waiting_room })];
  const proof = prove((await server.queue(shows[0])).proof_of_work, 'ann');
  await refused(server.join(shows[1], 'ann', { proof }), 403, 'proof_required');
  assert.equal((await server.join(shows[0], 'ann', { proof })).status, 201);
});

test('the operator sees how the queue stands', async () => {
  // red when: a counter misses a way a place ends
  const show = await server.queue_show({ waiting_room: { max_active: 2, claim_seconds: 1 } });
  const ann = await server.enter(show, 'ann');
  await server.leave_with_pass(show, ann.pass);
  await server.enter(show, 'bob');
  await server.enter(show, 'cy');
  const dee = await server.place(show, 'dee');
  await server.place(show, 'eve');
  await server.leave(show, dee.queue_ticket);
  const { issued, waiting, active, admitted, missed, left, watching } = await stats(show);
  assert.deepEqual({ issued, waiting, active, admitted, missed, left, watching }, { issued: 5, waiting: 1, active: 2, admitted: 3, missed: 0, left: 1, watching: 0 });
  const { show_share, factor, pace_per_minute } = await stats(show);
  assert.ok(show_share > 0 && show_share <= 1 && factor === 1 && pace_per_minute === 6_000_000);
});

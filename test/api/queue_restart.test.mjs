/* The waiting room through kill -9: places, passes and bounds are the same after it as before. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, bearer, sleep, until } from './harness.mjs';
import { check_record, check_ticket, positions_of, read_record, read_ticket } from './queue_record.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const number_of = ({ queue_ticket }) => read_ticket(queue_ticket).number;
async function closed_record(show) {
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  return read_record(await until('the whole record is published', async () => {
    const { json } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return json.chain && json;
  }));
}

test('places, passes, turns that were used and places that were left are the same after kill -9', async () => {
  // red when: a state of a place is kept in memory only
  const show = await server.queue_show({ amount: 0, waiting_room: { max_active: 3 } });
  const inside = await server.enter(show, 'inside');
  const gone = await server.enter(show, 'gone');
  await server.leave_with_pass(show, gone.pass);
  const buyer = await server.enter(show, 'buyer');
  const taken = await server.reserve(show, ['A1'], 'buyer', bearer(buyer.pass));
  assert.equal((await server.confirm(taken.json.reservation_id, null)).status, 200);
  await server.enter(show, 'second');
  await server.enter(show, 'third');
  const waiting = await server.place(show, 'waiting');
  const left = await server.place(show, 'left');
  await server.leave(show, left.queue_ticket);
  await until('the buyer has left', async () => (await server.check_pass(show, buyer.pass)).status === 401);

  await server.restart();
  assert.equal((await server.check_pass(show, inside.pass)).status, 204);
  assert.equal((await server.claim(show, inside.queue_ticket)).json.pass, inside.pass);
  assert.equal((await server.reserve(show, ['A2'], 'inside', bearer(inside.pass))).status, 201);
  for (const { pass, queue_ticket } of [gone, buyer]) {
    assert.equal((await server.check_pass(show, pass)).json.code, 'pass_expired');
    assert.equal((await server.claim(show, queue_ticket)).json.code, 'turn_missed');
  }
  assert.equal((await server.claim(show, left.queue_ticket)).json.code, 'turn_missed');
  const again = await server.place(show, 'waiting');
  assert.deepEqual([again.position, again.is_new, number_of(again)], [waiting.position, false, number_of(waiting)]);
  assert.equal((await server.claim(show, waiting.queue_ticket)).status, 425, 'the room is as full as before');
  const { active, issued } = await server.queue(show);
  assert.deepEqual([active, issued], [3, 7]);
  assert.equal((await server.place(show, 'new')).position, 8);
  await server.leave_with_pass(show, inside.pass);
  assert.equal((await server.turn(show, waiting.queue_ticket)).status, 200);
  check_record(await closed_record(show));
});

test('a missed turn stays missed, and a window goes on where it was', async () => {
  // red when: the windows' clock begins anew at each start
  const show = await server.queue_show({ waiting_room: { max_active: 2, claim_seconds: 2 } });
  const sleeper = await server.place(show, 'sleeper');
  await until('the turn is over', async () => (await server.claim(show, sleeper.queue_ticket)).status !== 425 || sleep(0));
  const first = await server.claim(show, sleeper.queue_ticket);
  assert.equal(first.status, 200);
  await server.leave_with_pass(show, first.json.pass);
  const late = await server.place(show, 'late');
  await until('late has missed it', async () => (await server.place(show, 'late')).is_new);
  await server.restart();
  assert.equal((await server.claim(show, late.queue_ticket)).json.code, 'turn_missed');
});

test('a server killed in the middle of a crowd loses nobody who was answered, and gives no place twice', async () => {
  // red when: a join is answered before it is recorded, or numbers are given out again after a start
  const terms = { rate_per_minute: 1200, max_active: 25, claim_seconds: 60 };
  const show = await server.queue_show({ waiting_room: terms });
  const places = new Map(); // user → what was answered
  const passes = new Map();
  let joined = 0;
  for (let round = 0; round < 3; round++) {
    let killed = false;
    const fan = async (i) => {
      while (!killed) {
        const user = `fan-${round}-${i}-${joined++}`;
        try {
          const { status, json } = await server.join(show, user);
          if (status !== 201) continue;
          places.set(user, json);
          const older = [...places.keys()].filter((one) => !passes.has(one))[0];
          const claimed = await server.claim(show, places.get(older).queue_ticket);
          if (claimed.status === 200) passes.set(older, claimed.json.pass);
        } catch (fault) {
          if (fault.code === 'ERR_ASSERTION') throw fault;
          await sleep(5);
        }
      }
    };
    const crowd = Promise.all(Array.from({ length: 24 }, (_, i) => fan(i)));
    await sleep(500 + round * 150);
    server.child.kill('SIGKILL');
    killed = true;
    await crowd;
    await server.restart();
    const highest = Math.max(...[...places.values()].map(({ position }) => position));
    const fresh = await server.place(show, `after-${round}`);
    assert.ok(fresh.is_new && fresh.position > highest, `${fresh.position} after ${highest}`);
    places.set(`after-${round}`, fresh);
  }
  const seen = new Map();
  for (const [user, { position, queue_ticket }] of places) {
    assert.ok(!seen.has(position), `${user} and ${seen.get(position)} have place ${position}`);
    seen.set(position, user);
    const again = await server.place(show, user);
    assert.deepEqual([again.position, again.is_new, number_of(again)], [position, false, number_of({ queue_ticket })], user);
  }
  for (const [user, pass] of passes) assert.equal((await server.check_pass(show, pass)).status, 204, user);
  assert.ok(places.size > 50 && passes.size > 0, `${places.size} places, ${passes.size} passes`);

  const record = await closed_record(show);
  const found = check_record(record);
  assert.ok(found.admitted >= passes.size && found.most_inside <= terms.max_active);
  const positions = positions_of(record);
  for (const { position, queue_ticket } of places.values()) {
    const { number } = check_ticket(record, queue_ticket);
    assert.equal(positions[number], position);
  }
});

test('rate and room are the same bounds across starts, however quickly they follow', async () => {
  // red when: each start fills the bucket, or forgets who is inside
  const show = await server.queue_show({ waiting_room: { max_active: 50 } });
  const fans = await Promise.all(Array.from({ length: 40 }, (_, i) => server.place(show, `fan-${i}`)));
  await until('all are called', async () => (await server.queue(show)).serving === 40);
  // All may come now, and only the claim's own bounds hold them up.
  const terms = { rate_per_minute: 240, max_active: 17 };
  const { status } = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room: terms } });
  assert.equal(status, 200);
  const begun = Date.now();
  let inside = 0;
  for (let round = 0; round < 5; round++) {
    for (const end = Date.now() + 350; Date.now() < end;) {
      const answers = await Promise.all(fans.map(({ queue_ticket }) => server.claim(show, queue_ticket)));
      inside = answers.filter((answer) => answer.status === 200).length;
      const bound = Math.min((240 * (Date.now() - begun)) / 60_000 + 4, 17);
      assert.ok(inside <= bound, `${inside} are inside; ${bound} may be`);
    }
    await server.restart();
    assert.equal((await server.queue(show)).active, inside);
  }
  assert.ok(inside > 4, `${inside} are inside`);
  const found = check_record(await closed_record(show));
  assert.ok(found.admitted >= inside && found.most_inside <= 17);
});

test('a stop and a start lose nothing either', async () => {
  // red when: the record is not closed before the process ends
  const show = await server.queue_show({ waiting_room: { max_active: 1 } });
  const inside = await server.enter(show, 'ann');
  const waiting = await server.place(show, 'bob');
  server.child.kill('SIGTERM');
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  server.exit = undefined;
  await server.spawn();
  assert.equal((await server.check_pass(show, inside.pass)).status, 204);
  assert.equal((await server.place(show, 'bob')).position, 2);
  assert.equal((await server.place(show, 'cy')).position, 3, 'a clean stop skips no position');
  await server.leave_with_pass(show, inside.pass);
  assert.equal((await server.turn(show, waiting.queue_ticket)).status, 200);
});

test('a pass that ended while the server was down is over, and its place in the room is free', async () => {
  // red when: passes are given their whole time again
  const show = await server.queue_show({ waiting_room: { max_active: 1, pass_seconds: 1 } });
  const inside = await server.enter(show, 'ann');
  const next = await server.place(show, 'bob');
  await server.kill();
  await sleep(1200);
  server.exit = undefined;
  await server.spawn();
  assert.equal((await server.check_pass(show, inside.pass)).json.code, 'pass_expired');
  assert.equal((await server.claim(show, inside.queue_ticket)).json.code, 'turn_missed');
  assert.equal((await server.turn(show, next.queue_ticket)).status, 200);
});

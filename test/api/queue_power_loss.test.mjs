/* The waiting room through power losses, which take what was not on disk yet: no number and no position is given twice,
 * what fans were told of a shuffled order stays, and who has a ticket has a place. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, bearer, exchange, sleep, until } from './harness.mjs';
import { cut_to_what_was_synced, lose_power, on_disk, queue_files, read_mark, start_again, verified_record, without_sandbox } from './queue_crash.mjs';
import { check_ticket, read_ticket } from './queue_record.mjs';

let server;
before(async () => { server = await Server.start(without_sandbox); });
after(() => server.stop());

const number_of = ({ queue_ticket }) => read_ticket(queue_ticket).number;
const gathering = (waiting_room = {}) => server.queue_show({
  rows: 10, seats_per_row: 20, amount: 0, on_sale_time: new Date(Date.now() + 600_000).toISOString(),
  waiting_room: { pre_queue_seconds: 3600, ...waiting_room },
});
const open = async (show) => assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/open`)).status, 200);
const opened = (show) => until('it is open', async () => (await server.queue(show)).status === 'ON_SALE');
const names = (count, name = 'fan') => Array.from({ length: count }, (_, i) => `${name}-${i}`);

/* user → place; one after another, so that numbers are in the order of the names. Who is told that nobody is taken in
 * for the moment (a slow disk has not yet heard how far numbers may go) asks again, as fans do. */
async function join_all(show, users) {
  const places = new Map();
  for (const user of users) {
    const joined = await until('somebody is taken in', async () => {
      const answer = await server.join(show, user);
      return answer.status !== 503 && answer;
    });
    assert.equal(joined.status, 201, joined.body.toString());
    places.set(user, joined.json);
  }
  return places;
}

/* A crowd of which some places are on disk and others are not, and then the power fails. */
async function half_lost(show) {
  const kept = await join_all(show, names(5, 'kept'));
  await on_disk(server, show, kept.size);
  const lost = await join_all(show, names(15, 'lost'));
  await server.kill();
  const { numbers } = cut_to_what_was_synced(server, show);
  assert.ok(numbers >= kept.size && numbers < 20, `${numbers} of 20 places are on disk`);
  return { kept, lost };
}

/* Nobody who comes now gets what somebody else was given. */
async function numbers_go_on_above(show, places, name) {
  const highest = Math.max(...[...places.values()].map(number_of));
  const fresh = await join_all(show, names(5, name));
  for (const [user, place] of fresh) assert.ok(place.is_new && number_of(place) > highest, `${user} has number ${number_of(place)}, and ${highest} was given out`);
  assert.equal(new Set([...fresh.values()].map(number_of)).size, fresh.size);
  return fresh;
}

test('after a power loss numbers go on above all that were given out, and old tickets bring the places back', async () => {
  // red when: numbers go on behind the last one that the record has, or a number that the record lost is taken for a forged one
  const show = await gathering();
  const { kept, lost } = await half_lost(show);
  await start_again(server);
  await numbers_go_on_above(show, new Map([...kept, ...lost]), 'fresh');
  for (const [user, place] of kept) {
    const again = await server.place(show, user);
    assert.deepEqual([number_of(again), again.position, again.is_new], [number_of(place), place.position, false], user);
  }
  const [gone, ...rest] = [...lost];
  assert.equal((await server.leave(show, gone[1].queue_ticket)).status, 204);
  for (const [user, { queue_ticket }] of rest) assert.equal((await server.claim(show, queue_ticket)).json.code, 'sale_not_open', user);
  for (const [user, place] of rest) {
    const again = await server.place(show, user);
    assert.deepEqual([number_of(again), again.position, again.is_new], [number_of(place), place.position, false], `${user}, who came back with the ticket`);
  }
  await open(show);
  for (const [user, { queue_ticket }] of [...kept, ...rest]) assert.equal((await server.turn(show, queue_ticket)).status, 200, user);
  assert.equal((await server.claim(show, gone[1].queue_ticket)).json.code, 'turn_missed');
  await verified_record(server, show, { has_lost: true });
});

test('kill -9 at any moment of the start after a power loss makes no number be given twice', async () => {
  // red when: a start marks the record as whole before it has recorded which numbers may be missing
  const show = await gathering();
  const { kept, lost } = await half_lost(show);
  const places = new Map([...kept, ...lost]);
  const files = queue_files(server, show);
  for (const file of files) copyFileSync(file, `${file}.lossy`);
  const mark = JSON.stringify(read_mark(server, show));
  const whole_ms = server.ready_ms;
  let fresh;
  for (let round = 0; round < 6; round++) {
    await server.kill();
    for (const file of files) copyFileSync(`${file}.lossy`, file);
    server.exit = undefined;
    await server.spawn({ ready: false });
    if (round === 0) { // in the very moment in which the mark is written anew
      for (const end = Date.now() + 2000; JSON.stringify(read_mark(server, show)) === mark && Date.now() < end;);
    } else {
      await sleep((whole_ms * round) / 5);
    }
    await server.kill();
    await start_again(server);
    fresh = await numbers_go_on_above(show, places, `fresh-${round}`);
  }
  const [, [user, { queue_ticket }]] = [...lost];
  assert.equal((await server.leave(show, queue_ticket)).status, 204, user);
  await server.restart();
  await numbers_go_on_above(show, fresh, 'last');
  await open(show);
  await opened(show);
  await verified_record(server, show, { has_lost: true });
});

test('a queue whose files were taken away goes on above its numbers, and old tickets bring the places back', async () => {
  // red when: a record that was just made is taken for a whole one
  const show = await gathering();
  const places = await join_all(show, ['ann', 'bob', 'cy']);
  await server.kill();
  const away = join(server.data, 'away');
  mkdirSync(away);
  for (const file of queue_files(server, show)) renameSync(file, join(away, file.slice(file.lastIndexOf('/') + 1)));
  await start_again(server);
  const fresh = await numbers_go_on_above(show, places, 'fresh');
  await server.restart(); // at once: nothing of it is on disk
  await numbers_go_on_above(show, fresh, 'later');
  await open(show);
  for (const [user, { queue_ticket }] of places) assert.equal((await server.turn(show, queue_ticket)).status, 200, user);
  for (const [user, place] of fresh) assert.equal(number_of(await server.place(show, user)), number_of(place), user);
  await verified_record(server, show, { has_lost: true });
});

test('a queue whose files are damaged costs its own show only, and is there again with them', async () => {
  // red when: one room that cannot be read keeps the server from starting, or is begun anew over the old one
  const show = await gathering();
  const other = await gathering();
  const { queue_ticket } = await server.place(show, 'ann');
  const mine = await server.place(other, 'ann');
  await server.kill();
  const [, secrets] = queue_files(server, show);
  renameSync(secrets, `${secrets}.away`);
  await start_again(server);
  const refused = await server.join(show, 'bob');
  assert.deepEqual([refused.status, refused.json.code], [503, 'overloaded']);
  assert.equal(number_of(await server.place(other, 'ann')), number_of(mine));
  await server.kill();
  renameSync(`${secrets}.away`, secrets);
  await start_again(server);
  const again = await server.place(show, 'ann');
  assert.deepEqual([number_of(again), again.is_new], [number_of({ queue_ticket }), false]);
});

test('a power loss before a shuffled opening loses no place, and the order that is then made stays', async () => {
  // red when: the order is made over the numbers in the record only, or anew at the next start
  const show = await gathering({ pre_queue_order: 'shuffle', max_active: 4 });
  const { kept, lost } = await half_lost(show);
  await start_again(server);
  const places = new Map([...kept, ...lost]);
  for (const { queue_ticket } of lost.values()) assert.equal((await server.claim(show, queue_ticket)).json.code, 'sale_not_open');
  for (const [user, place] of places) {
    const again = await server.place(show, user);
    assert.deepEqual([number_of(again), again.position], [number_of(place), null], user);
  }
  for (const [user, place] of await numbers_go_on_above(show, places, 'fresh')) places.set(user, place);
  await open(show);
  await opened(show);
  const told = new Map();
  for (const user of places.keys()) told.set(user, (await server.place(show, user)).position);
  assert.equal(new Set(told.values()).size, places.size, 'each position is one fan\'s');
  const in_order = [...told].sort((a, b) => a[1] - b[1]).map(([user]) => user);
  const passes = new Map();
  for (const user of in_order.slice(0, 4)) passes.set(user, (await server.turn(show, places.get(user).queue_ticket)).json.pass);
  assert.equal((await server.claim(show, places.get(in_order[5]).queue_ticket)).status, 425);

  await lose_power(server, [show]);
  for (let start = 0; start < 3; start++) {
    if (start) await server.restart();
    await opened(show);
    for (const { queue_ticket } of places.values()) await server.claim(show, queue_ticket); // who has a ticket shows it first
    for (const [user, position] of told) assert.equal((await server.place(show, user)).position, position, `${user} after start ${start}`);
    for (const [user, pass] of passes) assert.equal((await server.check_pass(show, pass)).status, 204, user);
    assert.equal((await server.queue(show)).active, 4);
  }
  await verified_record(server, show, { has_lost: true });
});

/* Six clients ask for places, new ones and old ones, until one of them is told a position: in that moment the server is
 * dead. Notes what was told until then. */
async function ask_until_told(show, places) {
  const users = [...places.keys()];
  let is_dead = false;
  const ask = async (late) => {
    for (let i = 0; !is_dead; i++) {
      const user = late ? `${late}-${i}` : users[i % users.length];
      const body = JSON.stringify({ user_id: user });
      const { json } = await exchange(server.fans, 'POST', `/api/v1/shows/${show}/queue`, { headers: { 'Content-Type': 'application/json' }, body, agent: server.agent }).catch(() => ({}));
      if (!json?.position) continue;
      if (!is_dead) server.child.kill('SIGKILL');
      is_dead = true;
      places.set(user, json);
    }
  };
  await Promise.all([ask(), ...names(5, 'late').map(ask)]);
}

test('a power loss in the very moment of a shuffled opening takes back no position that was told', async () => {
  // red when: the order, or a place behind those who are shuffled, is told before it is on disk (not at every run: a sync is short)
  const shows = new Map(); // show → user → place
  for (let i = 0; i < 4; i++) {
    const show = await gathering({ pre_queue_order: 'shuffle' });
    shows.set(show, await join_all(show, names(12)));
    await on_disk(server, show, 12);
  }
  const keep_what_was_told = async () => {
    for (const [show, places] of shows) {
      await open(show);
      await opened(show);
      for (const { queue_ticket } of places.values()) await server.claim(show, queue_ticket); // who has a ticket shows it first
      for (const [user, before_it] of places) {
        const now = await server.place(show, user);
        assert.deepEqual([number_of(now), now.position], [number_of(before_it), before_it.position ?? now.position], user);
        places.set(user, now);
      }
      assert.equal(new Set([...places.values()].map(({ position }) => position)).size, places.size, 'each position is one fan\'s');
    }
  };
  for (const [show, places] of shows) {
    open(show).catch(() => {});
    await ask_until_told(show, places);
    await lose_power(server, [...shows.keys()]);
  }
  await keep_what_was_told();
  await server.restart();
  await keep_what_was_told();
  for (const show of shows.keys()) await verified_record(server, show, { has_lost: true });
});

test('who is to be shuffled is the same after a power loss, from when a place behind them was told', async () => {
  // red when: a start freezes anew who will be shuffled, while the beacon has not spoken yet
  const show = await gathering({ pre_queue_order: 'shuffle', beacon: 'the lottery' });
  const places = await join_all(show, names(10, 'early'));
  await on_disk(server, show, places.size);
  await open(show);
  await until('who comes now is told a place behind', async () => {
    const user = `late-${places.size}`;
    places.set(user, await server.place(show, user));
    return places.get(user).position;
  });
  await lose_power(server, [show]);
  for (const { queue_ticket } of places.values()) await server.claim(show, queue_ticket); // who has a ticket shows it first
  await server.place(show, 'later');
  await server.restart();
  for (const { queue_ticket } of places.values()) await server.claim(show, queue_ticket);
  await until('the beacon may speak', async () => (await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { waiting_room: { beacon_value: '6 aus 49' } } })).status === 200);
  await opened(show);
  const told = new Map();
  for (const user of places.keys()) told.set(user, (await server.place(show, user)).position);
  const { json: { frozen } } = await verified_record(server, show, { has_lost: true });
  assert.ok(frozen >= 10 && frozen < places.size, `${frozen} of ${places.size} were shuffled`);
  for (const [user, before_it] of places) {
    const number = number_of(before_it);
    assert.ok(before_it.position === null || before_it.position > frozen, `${user} was told ${before_it.position}`);
    if (number > frozen) assert.equal(told.get(user), before_it.position ?? number, user);
    else assert.ok(told.get(user) <= frozen, `${user} is ${told.get(user)} of ${frozen}`);
  }
});

test('who was inside when the power failed is inside, and passes that had ended stay over', async () => {
  // red when: the ledger's admissions are not laid over a record that has lost them, or are not written into it again
  const show = await server.queue_show({ amount: 0, waiting_room: { max_active: 3 } });
  const early = await server.place(show, 'early');
  await on_disk(server, show, 1);
  const inside = await server.turn(show, early.queue_ticket);
  const gone = await server.enter(show, 'gone');
  assert.equal((await server.leave_with_pass(show, gone.pass)).status, 204);
  const buyer = await server.enter(show, 'buyer');
  const taken = await server.reserve(show, ['A1'], 'buyer', bearer(buyer.pass));
  assert.equal((await server.confirm(taken.json.reservation_id, null)).status, 200);
  await until('the buyer has left', async () => (await server.check_pass(show, buyer.pass)).status === 401);
  const second = await server.enter(show, 'second');
  const waiting = await server.place(show, 'waiting');
  const [mark] = await lose_power(server, [show]);
  assert.ok(mark.numbers < 5, 'some of it was lost');

  for (let start = 0; start < 2; start++) {
    if (start) await server.restart();
    assert.equal((await server.check_pass(show, inside.json.pass)).status, 204);
    assert.equal((await server.claim(show, second.queue_ticket)).json.pass, second.pass, 'the same pass, though the record had lost it');
    for (const { pass, queue_ticket } of [gone, buyer]) {
      assert.equal((await server.check_pass(show, pass)).json.code, 'pass_expired');
      assert.equal((await server.claim(show, queue_ticket)).json.code, 'turn_missed');
    }
    assert.equal((await server.queue(show)).active, 2);
  }
  assert.equal((await server.turn(show, waiting.queue_ticket)).status, 200, 'there is a place inside for one more');
  const record = await verified_record(server, show, { has_lost: true });
  check_ticket(record, early.queue_ticket);
  const admitted = record.events.filter(({ kind }) => kind === 'A').map(({ number }) => number);
  assert.deepEqual(admitted, [early, gone, buyer, second, waiting].map(number_of), 'the record has them all again');
});

test('a record that was published whole is still good after a power loss', async () => {
  // red when: a start after a power loss cuts off what was on disk, or a closed sale's record cannot go on
  const show = await server.queue_show();
  await server.enter(show, 'ann');
  await server.place(show, 'bob');
  const published = await verified_record(server, show);
  await until('all of it is on disk', () => read_mark(server, show).length >= published.bytes.length);
  await lose_power(server, [show]);
  const record = await verified_record(server, show, { has_lost: true });
  assert.ok(record.bytes.subarray(0, published.bytes.length).equals(published.bytes), 'it begins with what was published');
});

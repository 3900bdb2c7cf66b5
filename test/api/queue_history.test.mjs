/* Many fans at once: what they saw of the queue, with the times at which they saw it, is held to the promises by
 * queue_history.mjs; and that checker is held to histories that are known to be wrong. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, bearer, sleep, until } from './harness.mjs';
import { faults_of_history } from './queue_history.mjs';
import { check_record, check_ticket, positions_of, read_record, read_ticket } from './queue_record.mjs';

/* ---- the checker ---- */

const terms = { rate_per_minute: 60, max_active: 2, claim_seconds: 60 };
const join = (user, number, sent_ms, more = {}) => ({ kind: 'join', user, number, position: number, sent_ms, answered_ms: sent_ms + 5, is_new: true, ...more });
const claim = (user, number, sent_ms, outcome, more = {}) => ({
  kind: 'claim', user, number, position: number, sent_ms, answered_ms: sent_ms + 5, outcome, ...(outcome === 'pass' ? { pass: `pass of ${user}`, expires_ms: sent_ms + 100_000 } : {}), ...more,
});
const end = (user, number, sent_ms) => ({ kind: 'end', user, number, sent_ms, answered_ms: sent_ms + 5 });

test('the checker finds nothing wrong with a correct history', () => {
  // red when: the checker cries wolf
  const calls = [
    join('ann', 1, 0), join('bob', 2, 10), join('cy', 3, 12), join('dee', 4, 20), join('ann', 1, 30, { is_new: false }),
    claim('ann', 1, 1000, 'pass'), claim('ann', 1, 1001, 'pass'), claim('bob', 2, 1500, 'not_your_turn'),
    claim('bob', 2, 2000, 'pass'), claim('cy', 3, 3000, 'at_the_door'), end('ann', 1, 4000), claim('cy', 3, 4100, 'pass'),
    end('bob', 2, 5000), claim('dee', 4, 5100, 'pass'), join('ann', 5, 6000), claim('ann', 1, 6100, 'turn_missed'),
  ];
  assert.deepEqual(faults_of_history(calls, terms), []);
});

test('the checker lets calls that overlap in time happen in either order', () => {
  // red when: it compares sending times only
  const calls = [join('ann', 2, 0, { answered_ms: 100 }), join('bob', 1, 50, { answered_ms: 60 })];
  assert.deepEqual(faults_of_history(calls, terms), []);
  const entering = [join('ann', 1, 0), join('bob', 2, 10), claim('ann', 1, 1000, 'pass', { answered_ms: 2100 }), claim('bob', 2, 2000, 'pass')];
  assert.deepEqual(faults_of_history(entering, terms), []);
});

test('the checker lets somebody go in from behind where there is a place for both', () => {
  // red when: being at the door is taken for being next
  const calls = [join('ann', 1, 0), join('bob', 2, 10), claim('ann', 1, 1000, 'at_the_door'), claim('bob', 2, 1100, 'pass'), claim('ann', 1, 2500, 'pass')];
  assert.deepEqual(faults_of_history(calls, terms), []);
});

const basis = [join('ann', 1, 0), join('bob', 2, 10), join('cy', 3, 20)];
for (const [what, calls, said] of [
  ['a later join in front of an earlier one', [join('ann', 2, 0), join('bob', 1, 10)], /ann got place 2 before bob sent/],
  ['a later join in front, seen only by a third', [join('ann', 1, 0), join('bob', 3, 10), join('cy', 4, 12, { answered_ms: 90 }), join('dee', 2, 20)], /bob got place 3 before dee sent/],
  ['one place for two users', [join('ann', 1, 0), join('bob', 1, 10)], /place 1 is ann's and bob's/],
  ['two places for one user', [join('ann', 1, 0), join('ann', 2, 10)], /ann has the places 1 and 2/],
  ['a place that moves', [join('ann', 1, 0), join('ann', 1, 10, { is_new: false, position: 7 })], /ann's place 1 was 1 and then 7/],
  ['two passes for one place', [...basis, claim('ann', 1, 1000, 'pass'), claim('ann', 1, 1100, 'pass', { pass: 'another' })], /place 1 got two passes/],
  ['one pass for two places', [...basis, claim('ann', 1, 1000, 'pass'), claim('bob', 2, 3000, 'pass', { pass: 'pass of ann' })], /places 2 and 1 got one pass/],
  ['a pass after leaving', [...basis, end('ann', 1, 1000), claim('ann', 1, 2000, 'pass')], /place 1 got a pass after it was given up/],
  ['a pass that had ended', [...basis, claim('ann', 1, 1000, 'pass', { expires_ms: 900 })], /place 1 got a pass after it had ended/],
  ['three let in in a moment', [...basis, claim('ann', 1, 1000, 'pass', { expires_ms: 1001 }), claim('bob', 2, 1010, 'pass', { expires_ms: 1011 }), claim('cy', 3, 1020, 'pass', { expires_ms: 1021 })], /are let in within/],
  ['one more inside than may be', [...basis, claim('ann', 1, 1000, 'pass'), claim('bob', 2, 3000, 'pass'), claim('cy', 3, 5000, 'pass')], /3 are inside/],
  ['a turn that comes after a later one', [...basis, claim('bob', 2, 1000, 'pass'), claim('ann', 1, 2000, 'not_your_turn')], /ann at 1 was told to wait after bob/],
  ['one who is passed over at the door', [...basis, claim('ann', 1, 1000, 'at_the_door'), claim('bob', 2, 1100, 'pass'), claim('ann', 1, 1500, 'at_the_door')], /bob at 2 went in past ann at 1/],
]) {
  test(`the checker finds ${what}`, () => {
    // red when: that part of the checker is blind
    const faults = faults_of_history(calls, terms);
    assert.ok(faults.some((fault) => said.test(fault)), `found: ${faults.join('; ') || 'nothing'}`);
  });
}

/* ---- the server ---- */

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

/* Keeps what was called, when, and what came of it. */
class Diary {
  constructor(show) {
    this.show = show;
    this.calls = [];
    this.tickets = new Map(); // number → ticket
  }

  async timed(call) {
    const sent_ms = Date.now();
    const answer = await call();
    return { answer, sent_ms, answered_ms: Date.now() + 1 };
  }

  async join(user) {
    const { answer, ...times } = await this.timed(() => server.join(this.show, user));
    assert.equal(answer.status, 201, answer.body.toString());
    const { queue_ticket, position, is_new } = answer.json;
    const { number } = read_ticket(queue_ticket);
    this.tickets.set(number, queue_ticket);
    this.calls.push({ kind: 'join', user, number, position, is_new, ...times });
    return { user, number, position, queue_ticket };
  }

  async claim({ user, number, position, queue_ticket }) {
    const { answer, ...times } = await this.timed(() => server.claim(this.show, queue_ticket));
    const outcome = answer.status === 200 ? 'pass' : answer.json.code;
    assert.ok(['pass', 'not_your_turn', 'at_the_door', 'turn_missed'].includes(outcome), answer.body.toString());
    const call = { kind: 'claim', user, number, position, outcome, ...times };
    if (outcome === 'pass') Object.assign(call, { pass: answer.json.pass, expires_ms: Date.parse(answer.json.expires_at) });
    this.calls.push(call);
    return call;
  }

  async end({ user, number }, act) {
    const { answer, ...times } = await this.timed(act);
    this.calls.push({ kind: 'end', user, number, ...times });
    return answer;
  }
}

/* One fan's evening: joins (twice, now and then), asks until it is their turn, and books, leaves, or stays a while. */
async function one_fan(diary, user, i, ends) {
  await sleep((i * 37) % 600);
  const place = await diary.join(user);
  if (i % 5 === 0) assert.equal((await diary.join(user)).number, place.number);
  if (i % 11 === 10) {
    assert.equal((await diary.end(place, () => server.leave(diary.show, place.queue_ticket))).status, 204);
    return;
  }
  for (;;) {
    const { outcome, pass } = await diary.claim(place);
    if (outcome === 'turn_missed') return;
    if (outcome !== 'pass') {
      assert.ok(Date.now() < ends, `${user} at ${place.position} is let in at last`);
      await sleep(100 + ((i * 13) % 100));
      continue;
    }
    if (i % 7 === 0) assert.equal((await diary.claim(place)).pass, pass);
    await sleep((i * 17) % 150);
    if (i % 3 === 0) {
      const taken = await server.reserve(diary.show, { best_available: { quantity: 1 } }, user, bearer(pass));
      assert.equal(taken.status, 201, taken.body.toString());
      assert.equal((await diary.end(place, () => server.confirm(taken.json.reservation_id, null))).status, 200);
    } else {
      assert.equal((await diary.end(place, () => server.leave_with_pass(diary.show, pass))).status, 204);
    }
    return;
  }
}

async function closed_record(show) {
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  return until('the whole record is published', async () => {
    const { json } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return json.chain && json;
  });
}

test('two hundred and fifty fans at once are served in the order in which they came, within both bounds', async () => {
  // red when: a claim takes no token, the room counts one too few, or positions are given out before the counter has moved
  const terms = { rate_per_minute: 3000, max_active: 12, claim_seconds: 120 };
  const show = await server.queue_show({ rows: 10, seats_per_row: 30, amount: 0, waiting_room: terms });
  const diary = new Diary(show);
  const ends = Date.now() + 40_000;
  await Promise.all(Array.from({ length: 250 }, (_, i) => one_fan(diary, `fan-${i}`, i, ends)));
  assert.deepEqual(faults_of_history(diary.calls, terms), []);
  const entered = new Set(diary.calls.filter((call) => call.outcome === 'pass').map((call) => call.number));
  assert.equal(entered.size, 250 - Math.floor(250 / 11));

  const json = await closed_record(show);
  const record = read_record(json);
  const found = check_record(record);
  assert.deepEqual([found.joined, found.admitted], [250, entered.size]);
  assert.ok(found.most_inside <= terms.max_active);
  for (const text of diary.tickets.values()) check_ticket(record, text);
  const positions = positions_of(record);
  for (const call of diary.calls.filter(({ kind }) => kind === 'join')) assert.equal(call.position, positions[call.number]);
});

test('one user who joins ten thousand times, from many tabs at once, has one place', async () => {
  // red when: joining looks for the place and makes it in two steps
  const show = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  await server.place(show, 'first');
  const seen = new Set();
  let new_ones = 0;
  const tab = async () => {
    for (let i = 0; i < 100; i++) {
      const { position, queue_ticket, is_new } = await server.place(show, 'greedy');
      seen.add(`${position} ${read_ticket(queue_ticket).number}`);
      new_ones += is_new;
    }
  };
  await Promise.all(Array.from({ length: 100 }, tab));
  assert.equal(new_ones, 1);
  assert.deepEqual([...seen], ['2 2']);
  assert.equal((await server.queue(show)).issued, 2);
  assert.equal((await server.place(show, 'last')).position, 3);
});

test('two tabs that claim one turn at the same moment get the same pass, which counts once', async () => {
  // red when: the claim looks at the place and lets it in in two steps
  const show = await server.queue_show({ waiting_room: { max_active: 30 } });
  const places = await Promise.all(Array.from({ length: 10 }, (_, i) => server.place(show, `fan-${i}`)));
  await until('all are called', async () => (await server.queue(show)).serving >= 10);
  for (const { queue_ticket } of places) {
    const answers = await Promise.all(Array.from({ length: 6 }, () => server.claim(show, queue_ticket)));
    const passes = answers.filter(({ status }) => status === 200).map(({ json }) => json.pass);
    assert.ok(passes.length > 0);
    assert.equal(new Set(passes).size, 1);
  }
  assert.equal((await server.queue(show)).active, 10);
});

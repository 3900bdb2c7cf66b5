/* Kills the server with SIGKILL at a random moment while a crowd joins, claims, leaves and books, again and again, and
 * holds the waiting room to its promises: no place is lost, moved or given twice, no turn is used twice, a pass that was
 * given is good, one that was given up is over, and the record proves the order and both bounds across all the starts.
 *
 *     node test/faults/queue_kill.mjs [ROUNDS] [SEED]        ROUNDS 6, SEED from the clock; prints both
 *
 * A round: start on the folder of the rounds before, let clients loose, kill the server (every other time in the very
 * moment in which an answer arrives, with writes to the disk slowed down by strace, where it is allowed to, so that what
 * is said too early is lost), start again, ask every fan's place again. Every third round the show is closed, its record
 * is checked by queue_record.mjs and by `onsale verify --queue`, with every ticket's number, and a new one is opened.
 *
 * Red when: a join is answered before it is recorded, a pass before the ledger has it, or a start forgets who is inside. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bearer, run_onsale, sleep, until } from '../api/harness.mjs';
import { check_record, check_ticket, positions_of, read_record, read_ticket } from '../api/queue_record.mjs';
import { kill_among, random_from, rounds_and_seed, run_rounds, start_again } from './rounds.mjs';

const { rounds, seed } = rounds_and_seed(6);
const CLIENTS = 24;
const ROUNDS_A_SHOW = 3;
const room = { rate_per_minute: 6000, max_active: 150, claim_seconds: 86_400, pass_seconds: 86_400 };

const random = random_from(seed);

/* user → {number, position, queue_ticket, pass, end}: all of it acknowledged; `end` is 'asked' once leaving or paying was
 * sent, 'told' once it was answered. */
let fans = new Map();
const seen = { joined: 0, inside: 0, left: 0, booked: 0, waiting: 0, cut: 0 };

function remember(user, { queue_ticket, position }) {
  const fan = { number: read_ticket(queue_ticket).number, position, queue_ticket };
  fans.set(user, fan);
  seen.joined++;
  return fan;
}

async function give_up(server, show, user, fan) {
  const books = random() < 0.4;
  if (books) {
    const taken = await server.reserve(show, { best_available: { quantity: 1 } }, user, bearer(fan.pass));
    if (taken.status !== 201) return;
    fan.end = 'asked';
    const { status, body } = await server.confirm(taken.json.reservation_id, null);
    assert.equal(status, 200, body.toString());
    seen.booked++;
  } else {
    fan.end = 'asked';
    const answer = fan.pass && random() < 0.5 ? await server.leave_with_pass(show, fan.pass) : await server.leave(show, fan.queue_ticket);
    assert.equal(answer.status, 204, answer.body.toString());
    seen.left++;
  }
  fan.end = 'told';
}

/* Whose turn may be next: the first who wait and whom no other client asks for just now. */
function next_in_line() {
  for (const [user, fan] of fans) {
    if (fan.pass || fan.end || fan.is_asking) continue;
    if (random() < 0.8) return { user, fan };
  }
  return null;
}

async function ask_for(server, show, { user, fan }, dead) {
  const claimed = await server.claim(show, fan.queue_ticket);
  if (claimed.status !== 200) {
    seen.waiting++;
    if (random() < 0.05) await give_up_waiting(server, show, fan);
    return;
  }
  if (dead.at_next_answer) server.child.kill('SIGKILL');
  fan.pass = claimed.json.pass;
  seen.inside++;
  if (random() < 0.7) await give_up(server, show, user, fan);
}

/* One client: a new fan joins, one who waits asks for their turn, and so on. */
async function crowd_on(server, show, name, dead) {
  for (let i = 0; !dead.now; i++) {
    let asking = null;
    try {
      const joined = await server.join(show, `${name}-${i}`);
      if (joined.status === 201) {
        remember(`${name}-${i}`, joined.json);
        if (dead.at_next_answer && random() < 0.2) server.child.kill('SIGKILL');
      }
      for (let asked = 0; asked < 4 && !dead.now; asked++) {
        asking = next_in_line();
        if (!asking) break;
        asking.fan.is_asking = true;
        await ask_for(server, show, asking, dead);
        asking.fan.is_asking = false;
      }
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      seen.cut++;
      await sleep(20);
    }
    if (asking) asking.fan.is_asking = false;
  }
}

async function give_up_waiting(server, show, fan) {
  fan.end = 'asked';
  assert.equal((await server.leave(show, fan.queue_ticket)).status, 204);
  fan.end = 'told';
  seen.left++;
}

async function check_fan(server, show, user, fan) {
  if (fan.end !== 'told') {
    const again = await server.place(show, user);
    const number = read_ticket(again.queue_ticket).number;
    if (fan.end === 'asked' && again.is_new) {
      assert.ok(number > fan.number, `${user} got an older place`);
      remember(user, again);
      return;
    }
    assert.deepEqual([again.is_new, number, again.position], [false, fan.number, fan.position], `${user}'s place`);
    if (fan.pass && !fan.end) {
      assert.equal((await server.check_pass(show, fan.pass)).status, 204, `${user}'s pass`);
      assert.equal((await server.claim(show, fan.queue_ticket)).json.pass, fan.pass, `${user}'s pass, claimed again`);
    }
    return;
  }
  if (fan.pass) assert.equal((await server.check_pass(show, fan.pass)).json?.code, 'pass_expired', `${user} gave the pass up`);
  assert.equal((await server.claim(show, fan.queue_ticket)).json.code, 'turn_missed', `${user} gave the place up`);
}

async function check_fans(server, show, round) {
  const numbers = [...fans.values()].map(({ number }) => number);
  assert.equal(new Set(numbers).size, numbers.length, 'no number twice');
  const { json } = await server.join(show, `after-${round}`);
  assert.ok(json.is_new && json.position > Math.max(0, ...numbers), `a new place is behind all that were given: ${json.position}`);
  remember(`after-${round}`, json);
  const all = [...fans];
  for (let from = 0; from < all.length; from += 64) await Promise.all(all.slice(from, from + 64).map(([user, fan]) => check_fan(server, show, user, fan)));
  const status = await server.queue(show);
  assert.ok(status.active <= room.max_active, `${status.active} are inside`);
}

/* Half of those inside make room for the next round. */
async function some_leave(server, show) {
  for (const fan of fans.values()) {
    if (!fan.pass || fan.end || random() < 0.5) continue;
    assert.equal((await server.leave_with_pass(show, fan.pass)).status, 204);
    fan.end = 'told';
    seen.left++;
  }
}

async function check_closed(server, show, data) {
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  const json = await until('the whole record is published', async () => {
    const answer = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return answer.json.chain && answer.json;
  });
  const record = read_record(json);
  check_record(record);
  const positions = positions_of(record);
  for (const { number, position, queue_ticket } of fans.values()) {
    check_ticket(record, queue_ticket);
    assert.equal(positions[number], position);
  }
  const admitted = new Set(record.events.filter(({ kind }) => kind === 'A').map(({ number }) => number));
  for (const [user, fan] of fans) assert.ok(!fan.pass || admitted.has(fan.number), `${user}'s admission is in the record`);
  const file = join(data, 'record.json');
  writeFileSync(file, JSON.stringify(json));
  const [{ queue_ticket }] = fans.values();
  const { code, stdout, stderr } = await run_onsale(['verify', '--queue', file, '--ticket', queue_ticket]);
  assert.equal(code, 0, `verify --queue: ${stdout}${stderr}`);
  fans = new Map();
}

function new_show(server) {
  return server.queue_show({ waiting_room: room, sections: [{ name: '', rows: 100, seats_per_row: 100, category: 'Standard' }], prices: { Standard: { amount: 0, currency: 'EUR' } } });
}

const kills_at_answer = (round) => round % 2 === 0;

async function one_round(server, show, round) {
  const dead = { now: false };
  const crowd = Array.from({ length: CLIENTS }, (_, i) => crowd_on(server, show, `fan-${round}-${i}`, dead));
  await kill_among(server, crowd, dead, { after: sleep(200 + Math.floor(random() * 900)), at_answer: kills_at_answer(round) });
  await start_again(server);
  await check_fans(server, show, round);
  await some_leave(server, show);
}

let show;
await run_rounds({
  name: 'queue kill',
  rounds,
  seed,
  has_slow_disk: kills_at_answer,
  prepare: async (server) => { show = await new_show(server); },
  round: async (server, round) => {
    await one_round(server, show, round);
    if (round % ROUNDS_A_SHOW === ROUNDS_A_SHOW - 1 || round === rounds - 1) {
      await check_closed(server, show, server.data);
      show = await new_show(server);
    }
  },
  finish: async (server) => {
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    const audit = await run_onsale(['verify', '--data', server.data]);
    assert.equal(audit.code, 0, `verify: ${audit.stdout}${audit.stderr}`);
  },
  said: () => JSON.stringify(seen),
});

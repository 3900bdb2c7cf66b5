/* Kills the server with SIGKILL at a random moment while clients book, again and again, and holds it to its promises:
 * what was acknowledged is there, no seat is sold twice, captured money and bookings agree.
 *
 *     node test/faults/kill_loop.mjs [ROUNDS] [SEED]        ROUNDS 15, SEED from the clock; prints both
 *
 * A round: start on the folder of the rounds before, let clients reserve and confirm with mixed cards, kill the server
 * (every third time its sandbox too; every other time in the very moment in which an acknowledgement arrives, with
 * writes to the disk slowed down by strace, where it is allowed to, so that what is said too early is lost), start
 * again, check all that was ever acknowledged, let every payment come to its end, stop by SIGTERM, and run `onsale
 * verify --payments`.
 *
 * Red when: confirm answers before its commit, a saga's step is taken before it is written, or recovery forgets one. */
import assert from 'node:assert/strict';
import { run_onsale, sleep, until } from '../api/harness.mjs';
import { kill_among, random_from, rounds_and_seed, run_rounds, start_again } from './rounds.mjs';

const { rounds, seed } = rounds_and_seed(15);
const CLIENTS = 24;

const random = random_from(seed);
const pick = (list) => list[Math.floor(random() * list.length)];

const cards = ['tok_visa', 'tok_visa', 'tok_visa', 'pm_card_visa', 'tok_declined', 'tok_slow_300', 'tok_slow_900', 'tok_lost_reply', 'tok_error_once', 'tok_capture_fails_1'];

const acknowledged = new Map(); // booking id → {show, seat_ids}, of every 200 CONFIRMED
const pending = new Set(); // booking ids that were answered 202
const seen = { reserved: 0, confirmed: 0, declined: 0, refused: 0, cut: 0 };

/* One client books until its server dies, free tickets one time in four: no saga mends those. */
async function book_on(server, shows, name, dead) {
  while (!dead.now) {
    try {
      const free = random() < 0.25;
      const show = free ? shows.free : shows.paid;
      const wish = random() < 0.3 ? { seat_ids: [`S${Math.floor(random() * 4)}-${pick('ABCDEFGHIJ'.split(''))}${1 + Math.floor(random() * 50)}`] } : { best_available: { quantity: 1 + Math.floor(random() * 4) } };
      const taken = await server.reserve(show, wish, name);
      if (taken.status !== 201) {
        seen.refused++;
        continue;
      }
      seen.reserved++;
      const key = random() < 0.3 ? { 'Idempotency-Key': `${name}-${random()}` } : {};
      const answer = await server.confirm(taken.json.reservation_id, free ? null : pick(cards), key);
      if (answer.status === 200) {
        if (dead.at_next_answer) server.child.kill('SIGKILL');
        acknowledged.set(answer.json.booking_id, { show, seat_ids: taken.json.seat_ids });
        seen.confirmed++;
      } else if (answer.status === 202) {
        pending.add(answer.json.booking_id);
      } else {
        seen.declined++;
      }
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      seen.cut++;
      await sleep(20);
    }
  }
}

async function check_acknowledged(server) {
  const sold = new Map();
  for (const [booking_id, { show, seat_ids }] of acknowledged) {
    const { status, json } = await server.booking(booking_id);
    assert.equal(status, 200, `an acknowledged booking is gone: ${booking_id}`);
    assert.equal(json.status, 'CONFIRMED', `an acknowledged booking is ${json.status}: ${booking_id} (${json.reason})`);
    assert.deepEqual([...json.seat_ids].sort(), [...seat_ids].sort());
    for (const seat of seat_ids) {
      const place = `${show} ${seat}`;
      assert.ok(!sold.has(place), `${place} is sold twice: ${booking_id} and ${sold.get(place)}`);
      sold.set(place, booking_id);
    }
  }
}

async function all_settled(server, shows) {
  return until('every payment is at its end', async () => {
    const open = Number((await server.call(server.operator, 'GET', '/metrics')).body.toString().match(/^onsale_sagas_open (\d+)$/m)[1]);
    if (open > 0) return false;
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${shows.paid}/stats`);
    return json.bookings.pending === 0;
  }, 90_000);
}

function kill_children(server) {
  for (const pid of server.children()) process.kill(pid, 'SIGKILL');
}

function kills_at_answer(round) {
  return round % 3 !== 2 && round % 2 === 0;
}

async function one_round(server, shows, round) {
  const dead = { now: false };
  const clients = Array.from({ length: CLIENTS }, (_, i) => book_on(server, shows, `fan-${round}-${i}`, dead));
  await kill_among(server, clients, dead, {
    after: sleep(300 + Math.floor(random() * 1500)),
    at_answer: kills_at_answer(round),
    before_kill: () => round % 3 === 2 && kill_children(server),
  });
  await start_again(server);
  await check_acknowledged(server);
  await all_settled(server, shows);
  await check_acknowledged(server);
  server.child.kill('SIGTERM');
  assert.deepEqual(await server.ended, { code: 0, signal: null });
  const audit = await run_onsale(['verify', '--data', server.data, '--payments']);
  assert.equal(audit.code, 0, `verify: ${audit.stdout}${audit.stderr}`);
}

/* New shows when one of the old ones is nearly gone. */
async function shows_for(server, shows) {
  for (const show of Object.values(shows)) {
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/stats`);
    if (json.available < json.capacity / 3) shows = {};
  }
  if (shows.paid) return shows;
  const sections = Array.from({ length: 4 }, (_, i) => ({ name: `S${i}`, rows: 10, seats_per_row: 50, category: 'Standard' }));
  const price = (amount) => ({ Standard: { amount, currency: 'EUR' } });
  return { paid: await server.show({ sections, prices: price(5000) }), free: await server.show({ sections, prices: price(0) }) };
}

let shows = {};
await run_rounds({
  name: 'kill loop',
  rounds,
  seed,
  has_slow_disk: kills_at_answer,
  prepare: async (server) => { shows = await shows_for(server, shows); },
  round: async (server, round) => {
    shows = await shows_for(server, shows);
    await one_round(server, shows, round);
  },
  said: () => `${acknowledged.size} acknowledged, ${JSON.stringify(seen)}`,
});

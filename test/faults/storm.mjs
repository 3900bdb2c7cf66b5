/* The storm: thousands of checkouts, each tenth with each of the gateway's faults, while the server is killed every few
 * seconds, and every third time the gateway with it. When it is over and all has settled, promises 1 to 3 hold
 * (promises.mjs) and the counts are printed.
 *
 *     node test/faults/storm.mjs [CHECKOUTS] [RATE] [SEED]   CHECKOUTS 10000, RATE 0, SEED from the clock; prints all
 *
 * The faults are those of the tokens. With a RATE, say 0.1, so many of all the gateway's calls meet each of its faults
 * besides (`onsale sandbox --fault`): of ten calls one is as it should be. All settles once that is over.
 *
 * Fans want the same seats, ask again when they were cut off, with the same Idempotency-Key, and believe every answer
 * they get; the operator gives some bookings back, wholly or in part, while it storms. The last line is "N passed, N
 * failed": one a promise.
 *
 * Red when: anything is told, taken or given back before it is written, or a start forgets or guesses. */
import assert from 'node:assert/strict';
import { Sandbox, Server, sleep } from '../api/harness.mjs';
import { WHOLE, look_at, nothing_told, settled, verify_stopped } from './promises.mjs';
import { random_from } from './rounds.mjs';

const checkouts = Number(process.argv[2] ?? 10_000);
const rate = Number(process.argv[3] ?? 0);
const seed = Number(process.argv[4] ?? Date.now() % 2 ** 31);
const FANS = 96;
const SETTLES_WITHIN_MS = 120_000;

const random = random_from(seed);
const up_to = (n) => Math.floor(random() * n);

/* A tenth each; the rest is approved at once. */
const faults = ['tok_declined', () => `tok_slow_${100 + up_to(2900)}`, 'tok_lost_reply', 'tok_error_once', 'tok_hang', () => `tok_capture_fails_${1 + up_to(2)}`];

const counts = { checkouts: 0, confirmed: 0, pending: 0, declined: 0, refused: 0, cut: 0, unavailable: 0, unsure: 0, given_back: 0, server_killed: 0, gateway_killed: 0 };
const with_token = {};
const told = nothing_told();
const own = []; // bookings that the operator may give back: {booking_id, seat_ids}

function pick_token() {
  const fault = faults[Math.floor(random() * 10)] ?? 'tok_visa';
  const token = typeof fault === 'function' ? fault() : fault;
  const kind = token.replace(/_\d+$/, '_N');
  with_token[kind] = (with_token[kind] ?? 0) + 1;
  return token;
}

/* ---- the world ---- */

class Storm {
  async open() {
    const rates = ['lost_reply', 'error', 'error_after', 'slow', 'hang', 'decline', 'capture_fails', 'busy', 'cut'].map((kind) => `${kind}=${rate}`);
    this.gateway = await Sandbox.start({ args: rate ? ['--fault', rates.join(','), '--fault-seed', String(seed)] : [] });
    this.server = await Server.start({ ...this.gateway.for_server(), args: ['--gateway-seconds', '1', '--limits', 'off'] });
    /* Two seats a checkout, so that there are some to the end. */
    this.rows = Math.min(200, Math.ceil(checkouts / 50));
    const shows = Math.ceil((2 * checkouts) / (this.rows * 50));
    this.shows = await this.make_shows(shows, 5000);
    this.free = await this.make_shows(Math.ceil(shows / 5), 0);
    this.all_shows = [...this.shows, ...this.free];
    this.is_over = false;
  }

  async make_shows(count, amount) {
    const made = [];
    while (made.length < count) made.push(await this.server.show({ rows: this.rows, seats_per_row: 50, amount }));
    return made;
  }

  /* A seat of the plan, often one that everybody wants; rows are A … Z, AA … */
  seat() {
    const row = random() < 0.3 ? 0 : up_to(this.rows);
    const letters = row < 26 ? String.fromCharCode(65 + row) : String.fromCharCode(64 + Math.floor(row / 26), 65 + (row % 26));
    return `${letters}${1 + up_to(50)}`;
  }

  async up() {
    while (this.is_down) await this.is_down;
  }

  async kill() {
    const takes_gateway = counts.server_killed % 3 === 2;
    let come_back;
    this.is_down = new Promise((done) => { come_back = done; });
    counts.server_killed++;
    const killed = this.server.kill();
    if (takes_gateway) {
      counts.gateway_killed++;
      await this.gateway.kill();
      await this.gateway.spawn();
    }
    await killed;
    this.server.exit = undefined;
    await this.server.spawn();
    this.is_down = null;
    come_back();
  }
}

/* ---- who is in it ---- */

/* What a fan makes of an answer to confirm; true when it is one to stop at. */
function believe({ seat_ids }, is_free, { status, json }) {
  if (status === 200) {
    counts.confirmed++;
    if (!is_free && !told.confirmed.has(json.booking_id) && own.length < 1000) own.push({ booking_id: json.booking_id, seat_ids });
    told.confirmed.set(json.booking_id, { seat_ids });
  } else if (status === 202) {
    counts.pending++;
  } else if (status === 402) {
    counts.declined++;
  } else if (status === 503) {
    counts.unavailable++;
    return false;
  } else {
    assert.ok([404, 409, 410].includes(status), `confirm: ${status} ${JSON.stringify(json)}`);
    counts.refused++;
  }
  return true;
}

/* Reserves and confirms; asks again when cut off, as long as it is not sure. */
async function check_out(storm, name) {
  const is_free = random() < 0.1; // no saga mends what is said too early of those
  const shows = is_free ? storm.free : storm.shows;
  const show = shows[up_to(shows.length)];
  const wish = random() < 0.6 ? { seat_ids: [storm.seat()] } : { best_available: { quantity: 1 + up_to(3) } };
  const taken = await storm.server.reserve(show, wish, name);
  if (taken.status !== 201) {
    assert.equal(taken.json.code, 'seat_unavailable', JSON.stringify(taken.json));
    return;
  }
  counts.checkouts++;
  const token = is_free ? null : pick_token();
  const key = random() < 0.5 ? { 'Idempotency-Key': `${name}-${random()}` } : {};
  for (let i = 0; i < 20; i++) {
    try {
      if (believe(taken.json, is_free, await storm.server.confirm(taken.json.reservation_id, token, key))) return;
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      counts.cut++;
    }
    await sleep(50);
    await storm.up();
  }
  counts.unsure++;
}

async function fan(storm, name) {
  for (let i = 0; counts.checkouts < checkouts; i++) {
    try {
      await check_out(storm, `${name}-${i}`);
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      counts.cut++;
      await sleep(20);
      await storm.up();
    }
  }
}

async function give_back(storm, { booking_id, seat_ids }) {
  const part = seat_ids.length > 1 && random() < 0.5 ? [seat_ids[0]] : undefined;
  for (const gone of part ?? [WHOLE]) told.may_be_gone.add(`${booking_id} ${gone}`);
  const { status, body } = await storm.server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'the storm', seat_ids: part } });
  if (status === 200) {
    counts.given_back++;
    told.refunded.set(booking_id, 5000 * (part ?? seat_ids).length);
  } else {
    assert.ok([202, 409, 503].includes(status), `refund: ${status} ${body}`);
  }
}

/* Gives back one in ten of what was sold. */
async function operator(storm) {
  for (let next = 0; !storm.is_over;) {
    await sleep(20);
    await storm.up();
    if (next >= told.confirmed.size / 10 || !own.length) continue;
    const [booking] = own.splice(up_to(own.length), 1);
    next++;
    try {
      await give_back(storm, booking);
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      counts.cut++;
    }
  }
}

async function killer(storm) {
  while (!storm.is_over) {
    for (const end = Date.now() + 2000 + up_to(2000); Date.now() < end && !storm.is_over;) await sleep(50);
    if (!storm.is_over) await storm.kill();
  }
}

/* ---- all of it ---- */

async function blow(storm) {
  const fans = Promise.all(Array.from({ length: FANS }, (_, i) => fan(storm, `fan-${i}`)));
  const others = [operator(storm), killer(storm)];
  await Promise.race([Promise.all([fans, ...others]), fans]);
  storm.is_over = true;
  await Promise.all(others);
  storm.gateway.args = [];
  await storm.gateway.kill();
  await storm.gateway.spawn();
  await storm.kill();
  await settled(storm.server, storm.all_shows, SETTLES_WITHIN_MS);
}

async function main() {
  console.log(`storm: ${checkouts} checkouts, rate ${rate}, seed ${seed}`);
  const storm = new Storm();
  const began = Date.now();
  let passed = 0;
  let failed = 0;
  try {
    await storm.open();
    await blow(storm);
    const found = await look_at(storm.server, storm.gateway, storm.all_shows, told);
    console.log(`storm: in ${Math.round((Date.now() - began) / 1000)} s: ${JSON.stringify(counts)}; by token ${JSON.stringify(with_token)}`);
    console.log(`storm: the ledger and the gateway: ${JSON.stringify(found.counts)}`);
    console.log(`storm: wrong: ${JSON.stringify(found.totals)}`);
    passed = Object.values(found.totals).filter((count) => count === 0).length;
    failed = Object.keys(found.totals).length - passed;
    found.settle();
    await verify_stopped(storm.server, storm.gateway);
    storm.server.check_log();
    passed++;
    await storm.server.stop({ check: false });
    await storm.gateway.stop();
  } catch (fault) {
    failed++;
    console.log(`storm: FAILED with rate ${rate}, seed ${seed}: ${JSON.stringify(counts)}: ${fault.stack}`);
    console.log(`storm: the data is in ${storm.server?.data} and ${storm.gateway?.data}; the log's end:\n${storm.server?.stderr?.split('\n').slice(-15).join('\n')}`);
    storm.server?.child?.kill('SIGKILL');
    storm.gateway?.child?.kill('SIGKILL');
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

await main();

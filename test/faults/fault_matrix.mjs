/* The fault matrix: a crash at each named step of the saga × each of the gateway's faults. After it the server is
 * started again, everything settles, and promises 1 to 3 hold (promises.mjs); what was cut off can be asked for again,
 * and every seat that was not sold can be bought.
 *
 *     node test/faults/fault_matrix.mjs [STEP [TOKEN or FAULT]]      those cells only
 *
 * The server is a build with -Dcrash_points=true (ONSALE_BIN): it kills itself with SIGKILL when it comes to the step
 * (base/crash_point.h). The tables below say by which way a payment is brought there, and which step is not on the way
 * of which fault: a cell that says it is has to die there, one that says it is not ("-") has to live. In every third
 * cell the gateway is killed together with the server. The last line is "N passed, N failed".
 *
 * Red when: a step is taken before it is written, a start forgets a saga or guesses what the gateway did, a key is made
 * anew while in doubt, or somebody adds a state and no row. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox, Server, sleep, until } from '../api/harness.mjs';
import { WHOLE, bookings_of, look_at, nothing_told, settled, verify_stopped } from './promises.mjs';

const AT_ONCE = 6;
const DIES_WITHIN_MS = 30_000;
const tokens = ['tok_visa', 'tok_declined', 'tok_slow_3000', 'tok_lost_reply', 'tok_error_once', 'tok_hang', 'tok_capture_fails_1'];

/* Steps that are reached together are one row. In a cell: the way (below) on which the payment comes to the step.
 * "-": no way of this token does; it is tried on "buy". "?": only where the gateway's chance, to approve a payment that
 * hangs, says so; tried until it does. */
const table = [
  // steps                                                                visa   declined slow   lost   error  hang    capture_fails
  ['writing.OPENED written.OPENED create created',                        'buy    buy      buy    buy    buy    buy     buy'],
  ['writing.CONFIRMING written.CONFIRMING confirm confirmed',             'buy    buy      buy    buy    buy    buy     buy'],
  ['retrieve retrieved',                                                  'cut    cut      buy    buy    buy    buy     buy'],
  ['writing.CAPTURING written.CAPTURING capture captured',                'buy    -        buy    buy    buy    buy?    buy'],
  ['writing.DONE written.DONE',                                           'buy    -        buy    buy    buy    buy?    buy'],
  ['writing.CANCELLING written.CANCELLING cancel cancelled',              'robbed unknown  late   robbed unknown late   robbed'],
  ['writing.CANCELLED written.CANCELLED',                                 'robbed buy      late   robbed unknown late   robbed'],
  ['writing.REFUNDING written.REFUNDING refund refunded',                 'refund -        refund refund refund refund? refund'],
  ['writing.REFUNDED written.REFUNDED',                                   'refund -        refund refund refund refund? refund'],
  ['writing.REVIEW written.REVIEW',                                       'amnesia -       amnesia amnesia amnesia amnesia? amnesia'],
];

/* The faults that come by chance to any call (`onsale sandbox --fault`), at this rate from the last start before the step
 * on, and after the crash until all has settled, or for a while. Whether they let a payment come to the step is chance
 * too: tried until they do. */
const RATE = 0.3;
const UNDER_FAULTS_MS = 3000; // then they stop, and one start more spares the long waits of many tries
const faults = ['lost_reply', 'error', 'error_after', 'slow', 'hang', 'decline', 'capture_fails', 'busy', 'cut'];

/* Steps that are come to by more than one way. After the payment itself its token decides nothing. */
const other_ways = [
  // way, token,           steps
  ['free', null, 'writing.DONE written.DONE'],
  ['cut', 'tok_visa', 'writing.CANCELLING written.CANCELLING cancel cancelled writing.CANCELLED written.CANCELLED'],
  ['part', 'tok_visa', 'writing.REFUNDING written.REFUNDING retrieve retrieved refund refunded writing.DONE written.DONE'],
  ['voided', 'tok_visa', 'retrieve retrieved writing.CANCELLED written.CANCELLED'],
  ['taken', 'tok_visa', 'cancel cancelled retrieve retrieved writing.REFUNDING written.REFUNDING refund refunded writing.REFUNDED written.REFUNDED'],
];

/* How a payment is brought to its step. before(world): nothing is to crash yet but what it says itself; it may leave the
 * server down. act(world): comes to the step, where the next start does not do so by itself. after(world): once it has
 * settled. */
const ways = {
  /* A fan pays. */
  buy: { act: (world) => world.buy() },
  /* The same, and the hold ends while the gateway has not answered. */
  late: { show: { hold_seconds: 1, grace_seconds: 0 }, act: (world) => world.buy(200) },
  /* The same, and it costs nothing. */
  free: { show: { amount: 0 }, act: (world) => world.buy() },
  /* The operator gives back what was sold: all, or a seat. */
  refund: { before: (world) => world.buy_to_the_end(), act: (world) => world.refund() },
  part: { before: (world) => world.buy_to_the_end(), act: (world) => world.refund(['A1']) },
  /* It crashed before the card was charged. */
  cut: { before: (world) => world.die_at('confirm') },
  /* It crashed when the gateway had answered: with a decline or a failure, or before the answer was of use. */
  unknown: { before: (world) => world.die_at('confirmed') },
  /* It crashed likewise, and while it was down the seats were sold to somebody else. */
  robbed: {
    before: async (world) => {
      await world.sell_to_another(['A3', 'A4']);
      await world.die_at('confirmed');
      world.change_ledger(`UPDATE bookings SET seat_ids = '["A3","A4"]' WHERE status = 'PENDING'`);
    },
  },
  /* The bank took its word back while the server was down: the capture is refused for good. */
  voided: {
    before: async (world) => {
      await world.die_at('capture');
      await world.at_gateway('cancel');
      for (const booking_id of world.told.confirmed.keys()) world.told.may_be_gone.add(`${booking_id} ${WHOLE}`);
    },
  },
  /* Somebody captured at the gateway what was being cancelled. */
  taken: {
    before: async (world) => {
      await ways.robbed.before(world);
      await world.die_at('written.CANCELLING', () => {});
      await world.at_gateway('capture');
    },
  },
  /* The gateway fell back to a copy of its state from before the capture, which the ledger is giving back: that is for a
   * human. It remembers again, the human gives the money back there, and says so. */
  amnesia: {
    before: async (world) => {
      await world.die_at('capture');
      await world.copy_gateway();
      await world.start();
      await settled(world.server, [world.show]);
      await world.die_at('written.REFUNDING', () => world.refund());
      await world.swap_gateway();
    },
    after: async (world) => {
      await world.is_listed();
      await world.swap_gateway();
      await world.is_mended();
    },
  },
};

class NotReached extends Error {}

class World {
  static async open(cell) {
    const world = new World();
    world.cell = cell;
    world.token = cell.token;
    world.told = nothing_told();
    world.gateway = await Sandbox.start();
    world.server = await Server.start({ ...world.gateway.for_server(), args: ['--reactors', '1', '--gateway-seconds', '1'] });
    const { server } = world;
    server.is_ready = () => (server.exit ? assert.fail('the server ended') : Server.prototype.is_ready.call(server));
    world.show = await world.server.show({ rows: 1, seats_per_row: 4, ...ways[cell.way].show });
    return world;
  }

  /* ---- what happens ---- */

  /* `after_ms`: the card is looked for so long. */
  async buy(after_ms = 0) {
    this.hold = await this.server.hold(this.show, ['A1', 'A2'], 'ann');
    await sleep(after_ms);
    const { status, json } = await this.server.confirm(this.hold.reservation_id, this.token);
    if (status === 200) this.told.confirmed.set(json.booking_id, { seat_ids: ['A1', 'A2'] });
    return { status, json };
  }

  async buy_to_the_end() {
    await this.buy();
    await settled(this.server, [this.show]);
  }

  async refund(seat_ids) {
    const [{ booking_id, status }] = await bookings_of(this.server, this.show);
    if (status !== 'CONFIRMED') return;
    for (const gone of seat_ids ?? [WHOLE]) this.told.may_be_gone.add(`${booking_id} ${gone}`);
    const answer = await this.server.admin('POST', `/api/v1/admin/bookings/${booking_id}/refund`, { body: { reason: 'fell ill', seat_ids } });
    assert.equal(answer.status, 200, answer.body.toString());
    this.told.refunded.set(booking_id, seat_ids ? 5000 : 10_000);
  }

  async sell_to_another(seat_ids) {
    const { booking_id } = await this.server.book(this.show, seat_ids, 'eve');
    this.told.confirmed.set(booking_id, { seat_ids });
    await settled(this.server, [this.show]);
  }

  /* ---- crashes ---- */

  async start(crash_at) {
    this.server.env = { ...this.gateway.for_server().env, ...(crash_at && { ONSALE_CRASH_POINT: crash_at }) };
    this.server.exit = undefined;
    try {
      await this.server.spawn();
    } catch (fault) {
      const { signal } = await this.server.ended;
      if (!crash_at || signal !== 'SIGKILL' || !/the server ended/.test(fault.message)) throw fault;
    }
  }

  /* Starts the server so that it dies at the step, and has it happen: whether it died. */
  async run_into(step, act) {
    if (this.server.exit === undefined) await this.server.kill();
    await this.start(step);
    try {
      if (!this.server.exit) await act();
      if (!this.server.exit) await settled(this.server, [this.show]);
    } catch (fault) {
      if (fault.code === 'ERR_ASSERTION') throw fault;
      const late = sleep(DIES_WITHIN_MS).then(() => { throw fault; });
      late.catch(() => {});
      await Promise.race([this.server.ended, late]);
    }
    await sleep(0);
    if (!this.server.exit) return false;
    assert.deepEqual(this.server.exit, { code: null, signal: 'SIGKILL' }, this.server.stderr);
    return true;
  }

  async die_at(step, act = () => this.buy()) {
    if (!(await this.run_into(step, act))) throw new NotReached(`the server lived, and was to die at ${step}`);
  }

  change_ledger(sql) {
    const { status, stderr } = spawnSync('sqlite3', [join(this.server.data, 'ledger.sqlite'), sql], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }

  /* ---- the gateway, behind the server's back ---- */

  async at_gateway(action) {
    const intents = await this.gateway.list('payment_intents');
    const { id } = intents.find(({ status }) => status === 'requires_capture');
    const { status, json } = await this.gateway.call(`payment_intents/${id}/${action}`, {});
    assert.equal(status, 200, JSON.stringify(json));
  }

  async is_approved() {
    return (await this.gateway.list('payment_intents')).some(({ status }) => ['requires_capture', 'succeeded'].includes(status));
  }

  /* Keeps its state as it is now beside it; swap_gateway() changes the two. */
  async copy_gateway() {
    await this.gateway.kill();
    cpSync(this.gateway.data, `${this.gateway.data}.other`, { recursive: true });
    await this.gateway.spawn();
  }

  async swap_gateway() {
    const { data } = this.gateway;
    await this.gateway.kill();
    renameSync(data, `${data}.swapped`);
    renameSync(`${data}.other`, data);
    renameSync(`${data}.swapped`, `${data}.other`);
    await this.gateway.spawn();
  }

  /* What needs a human is listed for one. */
  async is_listed() {
    const { json } = await this.server.admin('GET', `/api/v1/admin/shows/${this.show}/bookings?payment_state=REVIEW`);
    assert.deepEqual(json.bookings.map(({ user_id, reason }) => [user_id, reason]), [['ann', 'refund_without_capture']]);
    this.in_review = json.bookings[0].booking_id;
  }

  async is_mended() {
    const { id } = (await this.gateway.intents()).find(({ metadata }) => metadata.booking_id === this.in_review);
    assert.equal((await this.gateway.call('refunds', { payment_intent: id })).status, 200);
    const { status, body } = await this.server.admin('POST', `/api/v1/admin/bookings/${this.in_review}/resume`, { body: { reason: 'given back by hand' } });
    assert.equal(status, 200, body.toString());
    await settled(this.server, [this.show]);
  }

  /* Has it fail by chance from now on, or no more. */
  async fault_gateway(fault) {
    this.gateway.args = fault ? ['--fault', `${fault}=${RATE}`] : [];
    await this.gateway.kill();
    await this.gateway.spawn();
  }

  async settle_under_faults() {
    const is_settled = await settled(this.server, [this.show], UNDER_FAULTS_MS).catch((fault) => assert.match(fault.message, /in vain/));
    await this.fault_gateway(null);
    if (is_settled) return;
    await this.server.kill();
    await this.start();
  }

  async close() {
    this.server.child.kill('SIGKILL');
    await this.server.ended;
    await this.server.stop({ check: false });
    await this.gateway.stop();
    rmSync(`${this.gateway.data}.other`, { recursive: true, force: true });
  }
}

/* ---- a cell ---- */

/* Nobody's seat is kept by what was cut off: the fan can let go, and another buys all that was not sold. */
async function all_can_be_had({ server, show, hold, told, gateway }) {
  if (hold) {
    const released = await server.fan('DELETE', `/api/v1/reservations/${hold.reservation_id}`);
    assert.ok([204, 404, 410].includes(released.status), `letting go of the hold: ${released.body}`);
  }
  const seats = Object.entries(await server.seats(show));
  const free = seats.filter(([, status]) => status === 'AVAILABLE').map(([seat]) => seat);
  assert.deepEqual(seats.filter(([, status]) => status === 'HELD'), [], 'nothing is held');
  if (!free.length) return;
  const { booking_id } = await server.book(show, free, 'carl');
  told.confirmed.set(booking_id, { seat_ids: free });
  await settled(server, [show]);
  (await look_at(server, gateway, [show], told)).settle();
}

/* The fan asks again, having heard nothing: it is the same booking. */
async function asks_again({ server, show, hold, token }) {
  const of_ann = (await bookings_of(server, show)).filter(({ user_id }) => user_id === 'ann');
  assert.ok(of_ann.length <= 1, 'one reservation, one booking');
  if (!hold || of_ann[0]?.status !== 'CONFIRMED') return;
  const { status, json } = await server.confirm(hold.reservation_id, token);
  assert.deepEqual([status, json.booking_id], [200, of_ann[0].booking_id], 'confirming again');
}

/* Chance decided against the step. */
async function is_unlucky(world) {
  if (world.cell.reached === 'by luck') return true;
  return world.cell.reached === 'by chance' && !(await world.is_approved());
}

async function try_cell(cell) {
  const { way, step, reached } = cell;
  const world = await World.open(cell);
  try {
    await ways[way].before?.(world);
    if (cell.fault) await world.fault_gateway(cell.fault);
    const died = await world.run_into(step, ways[way].act ? () => ways[way].act(world) : () => {});
    if (!died && (await is_unlucky(world))) return 'again';
    assert.equal(died, reached !== 'never', died ? 'the server died there' : 'the server lived');
    if (died && cell.gateway_dies) {
      await world.gateway.kill();
      await world.gateway.spawn();
    }
    if (!died) await world.server.kill();
    await world.start();
    if (cell.fault) await world.settle_under_faults();
    await settled(world.server, [world.show]);
    await ways[way].after?.(world);
    (await look_at(world.server, world.gateway, [world.show], world.told)).settle();
    await asks_again(world);
    await all_can_be_had(world);
    await verify_stopped(world.server, world.gateway);
    return died ? 'died' : 'lived';
  } catch (fault) {
    if (fault instanceof NotReached && (await is_unlucky(world))) return 'again';
    fault.message += `; the server's end: ${JSON.stringify(world.server.exit)}, the gateway's: ${JSON.stringify(world.gateway.child.signalCode)}\n${world.server.stderr.split('\n').slice(-12).join('\n')}`;
    throw fault;
  } finally {
    await world.close();
  }
}

/* Chance says no twenty times in a row once in a million runs. */
async function run_cell(cell) {
  for (let i = 0; i < 20; i++) {
    const ended = await try_cell(cell);
    if (ended !== 'again') return ended;
  }
  throw new Error('chance has declined twenty times');
}

/* ---- all of them ---- */

function all_cells() {
  const cells = [];
  for (const [steps, words] of table) {
    const of_tokens = words.split(/ +/);
    assert.equal(of_tokens.length, tokens.length, steps);
    for (const step of steps.split(' ')) {
      for (const [i, word] of of_tokens.entries()) {
        const reached = word === '-' ? 'never' : word.endsWith('?') ? 'by chance' : 'always';
        cells.push({ step, token: tokens[i], way: reached === 'never' ? 'buy' : word.replace('?', ''), reached });
      }
      for (const fault of faults) cells.push({ step, token: tokens[0], fault, way: of_tokens[0], reached: 'by luck' });
    }
  }
  for (const [way, token, steps] of other_ways) for (const step of steps.split(' ')) cells.push({ step, token, way, reached: 'always' });
  for (const [i, cell] of cells.entries()) cell.gateway_dies = i % 3 === 2;
  return cells;
}

/* Every state and every call of the saga has its row. */
function check_table(cells) {
  const source = (path) => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');
  const states = [...source('bookings/saga_states.def').matchAll(/^SAGA_STATE\((\w+)/gm)].map(([, state]) => state);
  assert.ok(states.length > 5);
  const calls = ['create', 'created', 'confirm', 'confirmed', 'capture', 'captured', 'cancel', 'cancelled', 'refund', 'refunded', 'retrieve', 'retrieved'];
  const wanted = [...states.flatMap((state) => [`writing.${state}`, `written.${state}`]), ...calls];
  const steps = new Set(cells.map(({ step }) => step));
  assert.deepEqual([...steps].sort(), wanted.sort(), 'the steps of the table are those of the saga');
}

async function main() {
  const [only_step, only_fault] = process.argv.slice(2);
  const all = all_cells();
  check_table(all);
  const cells = all.filter(({ step, token, fault }) => (!only_step || step === only_step) && (!only_fault || (fault ?? token) === only_fault));
  const ended = { died: 0, lived: 0, failed: 0 };
  const waiting = [...cells];
  const began = Date.now();
  const work = async () => {
    for (let cell; (cell = waiting.shift());) {
      try {
        ended[await run_cell(cell)]++;
      } catch (fault) {
        ended.failed++;
        console.log(`fault matrix: FAILED ${cell.step} ${cell.fault ?? cell.token} by '${cell.way}'${cell.gateway_dies ? ', the gateway killed too' : ''}: ${fault.message}\n${fault.stack}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`fault matrix: ${cells.length} cells: ${ended.died} died at their step and kept the promises, ${ended.lived} never come to it; ${Math.round((Date.now() - began) / 1000)} s`);
  console.log(`${ended.died + ended.lived} passed, ${ended.failed} failed`);
  process.exit(ended.failed ? 1 : 0);
}

await main();

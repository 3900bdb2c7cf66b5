/* A hundred thousand random probes of the Idempotency-Keys, over restarts.
 *
 * A model remembers what each (route, subject, scope, key) was answered: to ask it again has to give the same bytes, to ask
 * it with another body is refused, and every other call, however like it, is a call of its own: a key that differs in a
 * letter's case or by a prefix, another fan's, another show's, another route's. Requests go pipelined over many
 * connections; those of one key stay on one connection, so that every answer is known beforehand. The server is killed
 * or stopped in the midst of it. What it did not answer may have happened or not; what it answered less than half a
 * second before a kill may be forgotten where it is a hold (docs/openapi.yaml says so), and then whole. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { check_answer } from './contract.mjs';
import { Sandbox, Server, bearer } from './harness.mjs';
import { Pipe } from './pipe.mjs';

const PROBES = Number(process.env.ONSALE_PROBES ?? (process.env.ONSALE_SLOW ? 10_000 : 100_000));
const ROUNDS = 8; // a restart after each
const CONNECTIONS = 24; // to each listener
const FANS = 40;
const FORGETTABLE_MS = 700; // the half second that a hold's answer may be forgotten in, and some for us to hear it
const SEED = Number(process.env.ONSALE_SEED ?? Date.now() % 1_000_000);

let gateway;
let server;
before(async () => {
  gateway = await Sandbox.start();
  server = await Server.start(gateway.for_server());
});
after(async () => {
  await server.stop();
  await gateway.stop();
});

/* ---- chance: the same for the same seed, but for what the answers change ---- */

let state = SEED;
function below(limit) {
  state = (state + 0x9e3779b9) | 0;
  let mixed = state ^ (state >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return ((mixed ^ (mixed >>> 15)) >>> 0) % limit;
}
const one_of = (list) => list[below(list.length)];
const hash = (text) => [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7) >>> 0;

/* ---- keys ---- */

const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i));
const random_text = (length) => Array.from({ length }, () => one_of(VISIBLE)).join('');
const fresh_key = () => random_text(one_of([1, 2, 3, 8, 16, 36, 36, 36, 64, 254, 255]));

/* Another key, as like it as can be. */
function near_miss(key) {
  const at = below(key.length);
  const letter = key[at];
  const swapped = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase();
  const made = one_of([
    () => key.slice(0, at) + swapped + key.slice(at + 1),
    () => `"${key}"`,
    () => `'${key}'`,
    () => `${key}${one_of(VISIBLE)}`,
    () => `${one_of(VISIBLE)}${key}`,
    () => key.slice(0, -1),
    () => key.slice(1),
    () => key + key,
    () => `${key},${key}`,
    () => key.replace(/^"|"$/g, ''),
    () => encodeURIComponent(key),
    () => `${key}\\`,
    () => [...key].reverse().join(''),
    () => key.padEnd(255, '0'),
  ])();
  return made.length >= 1 && made.length <= 255 ? made : key;
}

/* Keys that are none: refused, and never remembered. */
const impossible_key = (key) => one_of(['', `${key.slice(0, 20)} x`, `${key.slice(0, 20)}\tx`, key.padEnd(256, 'k'), 'clé', 'ключ', '🔑', `${key.slice(0, 20)}\x7f`, `${key.slice(0, 20)}\xa0`]);

/* ---- the calls that can carry one ---- */

let shows; // {free, paid, other, queue}
const holds = []; // {reservation_id, show, paid}
const places = []; // queue tickets
const booked = []; // booking ids

const reserve = (show, fan, wish) => ({ route: `/api/v1/shows/${show}/seats/reserve`, scope: fan, body: JSON.stringify({ ...wish, user_id: fan }), kind: 'reserve', show });
const wish = () => one_of([
  () => ({ best_available: { quantity: 1 + below(2) } }),
  () => ({ seat_ids: [`${one_of(['A', 'B', 'Z', 'AA'])}${1 + below(240)}`] }),
  () => ({ areas: [{ name: 'Floor', quantity: 1 }] }),
  () => ({ seat_ids: ['A1', 'A1'] }),
  () => ({}),
])();

const makers = {
  reserve: (fan) => reserve(one_of([shows.free, shows.free, shows.free, shows.other, shows.paid]), fan, wish()),
  confirm: () => {
    const hold = holds.length && below(20) ? one_of(holds) : { reservation_id: `r${'0'.repeat(31)}${below(10)}` };
    return { route: '/api/v1/bookings/confirm', scope: hold.reservation_id, body: JSON.stringify({ reservation_id: hold.reservation_id, payment_token: `tok_of_${hold.reservation_id.slice(-8)}` }), kind: 'confirm' };
  },
  join: (fan) => ({ route: `/api/v1/shows/${shows.queue}/queue`, scope: fan, body: JSON.stringify({ user_id: fan }), kind: 'join' }),
  leave: () => (places.length ? one_of(places) : null) && ((ticket) => ({ route: `/api/v1/shows/${shows.queue}/queue/leave`, scope: ticket, body: JSON.stringify({ queue_ticket: ticket }), kind: 'leave' }))(one_of(places)),
  block: () => {
    const show = one_of([shows.free, shows.other]);
    const act = one_of(['block', 'unblock']);
    return { route: `/api/v1/admin/shows/${show}/seats/${act}`, scope: 'operator', body: JSON.stringify({ seat_ids: [`ZZ${1 + below(200)}`] }), kind: 'block', operator: true };
  },
  refund: () => booked.length > 20 && ((booking) => ({ route: `/api/v1/admin/bookings/${booking}/refund`, scope: 'operator', body: JSON.stringify({ reason: one_of(['ill', 'late']) }), kind: 'refund', operator: true }))(one_of(booked)),
};
const KINDS = [...Array(60).fill('reserve'), ...Array(20).fill('confirm'), ...Array(8).fill('join'), ...Array(3).fill('leave'), ...Array(6).fill('block'), ...Array(3).fill('refund')];

function fresh_call() {
  return makers[one_of(KINDS)](`fan-${below(FANS)}`) || makers.reserve(`fan-${below(FANS)}`);
}

let changes = 0;

/* The same call with a body that is not the same bytes. */
function other_body(call) {
  if (below(2)) return { ...call, body: `${call.body} ` };
  return { ...call, body: call.body.replace(/}$/, `,"more_${++changes}":0}`) };
}

/* The same key and body where they are nobody's yet: another fan's, another show's, another route's. */
function elsewhere(call) {
  if (call.kind !== 'reserve') return fresh_call();
  const fan = `fan-${below(FANS)}`;
  const { user_id, ...rest } = JSON.parse(call.body);
  return one_of([
    () => reserve(call.show, fan, rest),
    () => reserve(call.show === shows.free ? shows.other : shows.free, user_id, rest),
    () => makers.join(user_id),
  ])();
}

/* ---- the model ---- */

const model = new Map(); // slot → {call, key, bodies: [Buffer, …], answer, at}
const known = []; // slots that have a kept answer
const given = new Map(); // an id that was given out → the slot that it was given to
const forgotten = []; // reservations whose keys a kill took along
const tally = { first: 0, replayed: 0, refused: 0, impossible: 0, lost: 0, forgotten: 0 };

const slot_of = (call, key) => `${call.route}\n${call.scope}\n${key}`;
const is_replayed = (answer) => /\r\nIdempotency-Replayed: true\r\n/i.test(answer.head);
const is_kept = ({ status, json }) => ![202, 401, 425, 429].includes(status) && status < 500 && !/_in_progress$/.test(json?.code ?? '');
const type_of = (answer) => /\r\nContent-Type: ([^\r]*)/i.exec(answer.head)?.[1];

function parse(answer) {
  if (answer.body.length) answer.json = JSON.parse(answer.body.toString());
  return answer;
}

/* Nobody was told this before. */
function is_first(slot, call, answer, what) {
  assert.ok(!is_replayed(answer), `${what}: a first answer that is called a repeated one: ${answer.body}`);
  parse(answer);
  for (const name of ['reservation_id', ...(call.kind === 'join' ? [] : ['queue_ticket'])]) {
    const id = answer.json?.[name];
    if (!id) continue;
    assert.ok(!given.has(id), `${what}: ${id} was given to ${given.get(id)}`);
    given.set(id, slot);
  }
  if (call.scope.startsWith('fan-') && answer.json?.user_id) assert.equal(answer.json.user_id, call.scope);
  if (answer.json?.reservation_id) holds.push({ reservation_id: answer.json.reservation_id });
  if (answer.json?.queue_ticket) places.push(answer.json.queue_ticket);
  if (call.kind === 'confirm' && answer.status === 200 && below(3) === 0) booked.push(answer.json.booking_id);
}

function remember(slot, call, key, answer) {
  if (!is_kept(answer)) {
    model.delete(slot);
    return;
  }
  const entry = model.get(slot) ?? {};
  Object.assign(entry, { call, key, body: call.body, answer: { status: answer.status, body: Buffer.from(answer.body), type: type_of(answer) }, at: Date.now(), may_be_forgotten: false });
  if (!model.has(slot)) model.set(slot, entry);
  known.push(slot);
}

function is_the_same(first, answer, what) {
  assert.equal(answer.status, first.status, what);
  assert.ok(answer.body.equals(first.body), `${what}: ${answer.body} is not ${first.body}`);
  assert.ok(is_replayed(answer), `${what}: a repeated answer that does not say so`);
  assert.equal(type_of(answer), first.type, what);
}

let checked = 0;
function follow_contract(call, answer) {
  if (checked++ % 8) return;
  const headers = new Headers(answer.head.split('\r\n').slice(1, -1).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
  check_answer('POST', call.route, { status: answer.status, headers, body: answer.body });
}

/* Holds an answer to the model, and the model to the answer. */
function judge(call, key, answer) {
  const slot = slot_of(call, key);
  const what = `${call.route} of ${call.scope} with the key ${JSON.stringify(key)}, seed ${SEED}`;
  const entry = model.get(slot);
  if (!answer) {
    // It was cut off: it happened or not, and whatever was known stays known.
    assert.ok(is_cut, `${what}: no answer`);
    tally.lost++;
    if (!entry) model.set(slot, { call, key, body: call.body, answer: null });
    return;
  }
  follow_contract(call, answer);
  if (entry?.answer && entry.may_be_forgotten && !is_replayed(answer) && !(answer.status === 422 && /_reused/.test(answer.body.toString()))) {
    tally.forgotten++;
    forgotten.push(JSON.parse(entry.answer.body.toString()).reservation_id);
    model.delete(slot);
    is_first(slot, call, answer, what);
    remember(slot, call, key, answer);
  } else if (entry?.answer && entry.body === call.body) {
    tally.replayed++;
    is_the_same(entry.answer, answer, what);
    entry.may_be_forgotten = false;
  } else if (entry?.answer) {
    tally.refused++;
    assert.equal(answer.status, 422, `${what}: another body: ${answer.body}`);
    assert.equal(parse(answer).json.code, 'idempotency_key_reused', what);
    assert.ok(!is_replayed(answer));
  } else if (entry) {
    // The first call was cut off: this is its answer, or there was none.
    if (is_replayed(answer)) {
      assert.equal(entry.body, call.body, `${what}: another body was answered as if it were the first`);
      remember(slot, call, key, parse(answer));
    } else if (answer.status === 422 && parse(answer).json.code === 'idempotency_key_reused') {
      assert.notEqual(entry.body, call.body, what);
    } else {
      model.delete(slot);
      is_first(slot, call, answer, what);
      remember(slot, call, key, answer);
    }
  } else {
    tally.first++;
    assert.ok(!/idempotency_/.test(answer.status >= 400 ? answer.body.toString() : ''), `${what}: nobody has used it: ${answer.body}`);
    is_first(slot, call, answer, what);
    remember(slot, call, key, answer);
  }
}

/* ---- the probes ---- */

function next_probe() {
  const dice = below(100);
  if (known.length < 50 || dice < 22) return { call: fresh_call(), key: fresh_key() };
  const { call, key } = model.get(one_of(known)) ?? { call: fresh_call(), key: fresh_key() };
  if (dice < 62) return { call, key };
  if (dice < 72) return { call: other_body(call), key };
  if (dice < 84) return { call: elsewhere(call), key };
  if (dice < 98) return { call, key: near_miss(key) };
  return { call, key: impossible_key(key), impossible: true };
}

async function probe(pipes, { call, key, impossible }) {
  const side = call.operator ? pipes.operator : pipes.fans;
  const pipe = side[hash(slot_of(call, key)) % side.length];
  const token = call.operator ? `Authorization: ${bearer(server.token).Authorization}\r\n` : '';
  // Spaces around a field's value are not the key's.
  const around = below(10) === 0 ? ['  ', ' \t '] : [' ', ''];
  const headers = `${token}Idempotency-Key:${around[0]}${key}${around[1]}\r\n`;
  if (!impossible) {
    judge(call, key, await pipe.post(call.route, call.body, headers));
    return;
  }
  // What is no field's value in HTTP ends its connection, so each of these has one of its own.
  const alone = await Pipe.open(call.operator ? server.operator : server.fans).catch(() => null);
  const answer = await alone?.post(call.route, call.body, headers);
  alone?.close();
  if (answer) {
    tally.impossible++;
    assert.equal(answer.status, 400, `the key ${JSON.stringify(key)}: ${answer.body}`);
    assert.ok(!is_replayed(answer));
  }
}

const pipes_to = async (base) => Promise.all(Array.from({ length: CONNECTIONS }, () => Pipe.open(base, { most: 16 })));

let is_cut = false;

/* A round of probes; `cut` ends the server after most of them were sent. */
async function round(number, cut) {
  const pipes = { fans: await pipes_to(server.fans), operator: await pipes_to(server.operator) };
  is_cut = false;
  let left = number;
  let ended = null;
  const one_after_the_other = async () => {
    while (left > 0) {
      if (--left === CONNECTIONS * 6) {
        is_cut = true;
        ended = cut();
      }
      await probe(pipes, next_probe());
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS * 12 }, one_after_the_other));
  await ended;
  for (const pipe of [...pipes.fans, ...pipes.operator]) pipe.close();
}

/* Answers of holds that a kill may have taken along; all else that was answered is on disk. */
function doubt_the_last() {
  const since = Date.now() - FORGETTABLE_MS;
  for (const entry of model.values())
    if (entry.answer && entry.at > since && entry.answer.status === 201 && entry.call.kind === 'reserve') entry.may_be_forgotten = true;
}

test(`${PROBES} probes over ${ROUNDS} restarts: a key gives its first answer byte for byte, to nobody else and for nothing else`, async (t) => {
  // red when: anything at all is left out of the stored key, or of what is kept with it
  const sections = [{ name: '', rows: 60, seats_per_row: 240, category: 'Standard' }, { name: 'Floor', capacity: 20_000, category: 'Standard' }];
  const free = { sections, prices: { Standard: { amount: 0, currency: 'EUR' } } };
  shows = { free: await server.show(free), other: await server.show(free), paid: await server.show({ rows: 20, seats_per_row: 50 }), queue: await server.queue_show({ waiting_room: { max_active: 10 } }) };
  for (let i = 0; i < ROUNDS; i++) {
    const kill = i % 2 === 0;
    await round(PROBES / ROUNDS, () => {
      server.child.kill(kill ? 'SIGKILL' : 'SIGTERM');
      return server.ended;
    });
    if (kill) doubt_the_last();
    else assert.deepEqual(server.exit, { code: 0, signal: null });
    server.agent.destroy();
    server.exit = undefined;
    await server.spawn();
  }
  for (const id of forgotten) assert.equal((await server.fan('GET', `/api/v1/reservations/${id}`)).status, 404, 'a hold that is forgotten is forgotten whole');
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(tally)}, ${model.size} keys`);
  assert.ok(tally.replayed > PROBES / 4 && tally.refused > PROBES / 25 && tally.first > PROBES / 10, JSON.stringify(tally));
});

/* Holds a server that has settled, and its gateway (harness.mjs, Sandbox), to promises 1 to 3: no seat is sold twice,
 * captured money ends in a confirmed booking or goes back, what was acknowledged is there. It asks both over their APIs
 * and puts the answers side by side; `onsale verify --payments` is the second opinion, from the files.
 *
 * `told` is what fans and the operator were answered, and what was asked back, with or without an answer: {confirmed:
 * Map(booking_id → {seat_ids}), refunded: Map(booking_id → minor units), may_be_gone: Set("booking_id seat_id")}. */
import assert from 'node:assert/strict';
import { run_onsale, until } from '../api/harness.mjs';

/* In place of a seat: the whole booking may be gone. */
export const WHOLE = 'whole';
export const nothing_told = () => ({ confirmed: new Map(), refunded: new Map(), may_be_gone: new Set() });

async function open_sagas(server) {
  const { body } = await server.call(server.operator, 'GET', '/metrics');
  return Number(body.toString().match(/^onsale_sagas_open (\d+)$/m)[1]);
}

/* Waits until no payment is under way. */
export function settled(server, shows, timeout_ms = 60_000) {
  return until('every payment is at its end', async () => {
    if ((await open_sagas(server)) > 0) return false;
    for (const show of shows) {
      const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/stats`);
      if (json.bookings.pending > 0) return false;
    }
    return true;
  }, timeout_ms);
}

export async function bookings_of(server, show) {
  const all = [];
  for (let after = ''; ;) {
    const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}/bookings?limit=1000${after}`);
    all.push(...json.bookings);
    if (!json.next) return all;
    after = `&after=${json.next}`;
  }
}

/* Booking → the intents that were made for it, each with what was taken by it and given back. */
async function money_of(gateway) {
  const intents = new Map((await gateway.list('payment_intents')).map((intent) => [intent.id, { ...intent, refunded: 0 }]));
  for (const refund of await gateway.list('refunds')) {
    if (refund.status === 'succeeded') intents.get(refund.payment_intent).refunded += refund.amount;
  }
  const of_booking = new Map();
  for (const intent of intents.values()) {
    const { booking_id } = intent.metadata;
    of_booking.set(booking_id, [...(of_booking.get(booking_id) ?? []), intent]);
  }
  return of_booking;
}

/* What was found: counts, and what is wrong by kind. */
class Findings {
  counts = { bookings: 0, confirmed: 0, cancelled: 0, pending: 0, intents: 0, taken: 0, given_back: 0 };
  wrong = { sold_twice: [], captured_unbooked: [], booked_uncaptured: [], left_open: [], forgotten: [], seat_status: [] };

  check(kind, is_right, text) {
    if (!is_right) this.wrong[kind].push(text);
  }

  get totals() {
    return Object.fromEntries(Object.entries(this.wrong).map(([kind, texts]) => [kind, texts.length]));
  }

  settle() {
    const texts = Object.entries(this.wrong).flatMap(([kind, list]) => list.slice(0, 10).map((text) => `${kind}: ${text}`));
    assert.equal(texts.length, 0, `${JSON.stringify(this.totals)}\n${texts.join('\n')}`);
  }
}

function check_money(found, booking, intents) {
  const { booking_id, status, payment_state } = booking;
  const what = `${booking_id} is ${status}, ${payment_state} (${booking.reason})`;
  const taken = intents.filter((intent) => intent.amount_received > 0);
  const kept = taken.reduce((sum, intent) => sum + intent.amount_received - intent.refunded, 0);
  const due = status === 'CONFIRMED' ? booking.amount - booking.refunded : 0;
  found.check('captured_unbooked', kept <= due, `${what}; the gateway keeps ${kept} of it, ${due} are due`);
  found.check('booked_uncaptured', kept >= due, `${what}; the gateway keeps ${kept} of it, ${due} are due`);
  found.check('captured_unbooked', taken.length <= 1, `${what}, and was captured by ${taken.length} intents`);
  for (const intent of taken) found.check('captured_unbooked', intent.id === booking.payment_intent, `${what}, captured by ${intent.id}, which it does not name`);
  for (const intent of intents) found.check('left_open', !['requires_capture', 'processing'].includes(intent.status), `${what}, and ${intent.id} is ${intent.status}`);
  const ends = { CONFIRMED: [booking.amount ? 'CAPTURED' : 'NONE'], CANCELLED: ['NONE', 'VOIDED', 'REFUNDED'] }[status] ?? [];
  found.check('left_open', ends.includes(payment_state), what);
}

function check_told(found, bookings, told) {
  for (const [booking_id, { seat_ids }] of told.confirmed) {
    const booking = bookings.get(booking_id);
    const may_be_gone = (what) => told.may_be_gone.has(`${booking_id} ${what}`);
    found.check('forgotten', booking && (may_be_gone(WHOLE) || booking.status === 'CONFIRMED'), `${booking_id} was acknowledged, and is ${booking?.status} (${booking?.reason})`);
    for (const seat of seat_ids) found.check('forgotten', may_be_gone(seat) || booking?.seat_ids.includes(seat), `${booking_id} was acknowledged with ${seat}, and has ${booking?.seat_ids}`);
    for (const seat of booking?.seat_ids ?? []) found.check('forgotten', seat_ids.includes(seat), `${booking_id} was acknowledged without ${seat}, and has it`);
  }
  for (const [booking_id, amount] of told.refunded) {
    const refunded = bookings.get(booking_id)?.refunded;
    found.check('forgotten', refunded === amount, `the operator was told that ${amount} of ${booking_id} go back: ${refunded}`);
  }
}

async function check_seats(found, server, show, bookings) {
  const sold = new Map();
  for (const { booking_id, status, seat_ids } of bookings) {
    for (const seat of status === 'CONFIRMED' ? seat_ids : []) {
      found.check('sold_twice', !sold.has(seat), `${show} ${seat}: ${booking_id} and ${sold.get(seat)}`);
      sold.set(seat, booking_id);
    }
  }
  for (const [seat, status] of Object.entries(await server.seats(show))) {
    found.check('seat_status', (status === 'BOOKED') === sold.has(seat), `${show} ${seat} is ${status}, and sold in ${sold.get(seat)}`);
  }
}

/* All of it; everything has settled. Call settle() on what it gives. */
export async function look_at(server, gateway, shows, told) {
  const found = new Findings();
  const all = new Map();
  const money = await money_of(gateway);
  for (const show of shows) {
    const bookings = await bookings_of(server, show);
    await check_seats(found, server, show, bookings);
    for (const booking of bookings) {
      all.set(booking.booking_id, booking);
      check_money(found, booking, money.get(booking.booking_id) ?? []);
      found.counts[booking.status.toLowerCase()]++;
    }
  }
  found.counts.bookings = all.size;
  for (const [booking_id, intents] of money) {
    found.counts.intents += intents.length;
    for (const { amount_received, refunded } of intents) {
      found.counts.taken += amount_received;
      found.counts.given_back += refunded;
      found.check('captured_unbooked', all.has(booking_id) || amount_received === 0, `${booking_id} was paid, and is not in the ledger`);
    }
  }
  check_told(found, all, told);
  return found;
}

/* Ends the server, and has its files and the gateway's books compared. */
export async function verify_stopped(server, gateway) {
  server.child.kill('SIGTERM');
  assert.deepEqual(await server.ended, { code: 0, signal: null }, server.stderr);
  const { code, stdout, stderr } = await run_onsale(['verify', '--data', server.data, '--payments'], { env: { ONSALE_PAYMENTS: gateway.base, ONSALE_PAYMENTS_KEY: gateway.secret }, timeout_ms: 600_000 });
  assert.equal(code, 0, `verify: ${stdout}${stderr}`);
}

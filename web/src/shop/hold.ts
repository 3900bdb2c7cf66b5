/* Seats held for the fan: taken, kept over reloads, given back, paid for.
 *
 * One hold a show and device at a time; device.ts remembers it, so every tab sees the same. What the server says decides:
 * a hold that it does not know any more is forgotten here, and its seats are remembered as lost, to be offered again.
 *
 * No answer is no end. The Idempotency-Key of a payment is remembered before the call, so that a reload, another tab or a
 * connection that comes back asks after the same payment and never begins another one; the key of a wish for seats
 * likewise, so that nobody finds their own seats taken by themselves. */
import { ApiProblem, call, fresh_key, get, pause, post, problem_from } from '../base/api';
import { clock_now, clock_set } from '../base/clock';
import { device_add_booking, device_drop_booking, device_remember, device_show, device_user, type HeldSeats } from '../base/device';
import type { Booking, Problem, Reservation, ReservationState } from '../base/types';

export type Wish =
  | { seat_ids: string[] }
  | { best_available: { quantity: number; category?: string } }
  | { areas: { name: string; quantity: number }[] };

/* What is held now, if anything and if its time is not over. */
export function hold_now(show_id: string): HeldSeats | null {
  const held = device_show(show_id).held;
  return held && (held.booking_id || held.confirm_key || held.deadline_ms > clock_now()) ? held : null;
}

/* It was given back, or paid. */
export function hold_forget(show_id: string): void {
  device_remember(show_id, { held: undefined, lost: undefined });
}

/* It is gone, and the fan may want it back. */
function hold_lose(show_id: string): void {
  const seat_ids = device_show(show_id).held?.seat_ids;
  device_remember(show_id, { held: undefined, ...(seat_ids ? { lost: { seat_ids } } : {}) });
}

/* Whether nobody knows yet what came of a call. */
function is_unanswered(problem: Problem): boolean {
  return problem.status === 0 || problem.status === 429 || problem.status >= 500;
}

async function reserve(show_id: string, wish: string, key: string): Promise<HeldSeats> {
  const asked = performance.now();
  const answer = await post<Reservation>(
    `/api/v1/shows/${show_id}/seats/reserve`,
    { ...(JSON.parse(wish) as Wish), user_id: device_user() },
    { pass: device_show(show_id).pass, key },
  );
  const was_now = clock_now();
  /* A kept answer tells the time of then. */
  if (Date.parse(answer.now) > was_now - 30_000) clock_set(Date.parse(answer.now), asked, performance.now());
  return {
    reservation_id: answer.reservation_id,
    seat_ids: answer.seat_ids,
    amount: answer.amount,
    currency: answer.currency,
    deadline_ms: Date.parse(answer.expires_at),
  };
}

/* An earlier wish that nobody answered may have been granted: then its seats are given back. */
async function give_back_unanswered(show_id: string): Promise<void> {
  const taking = device_show(show_id).taking;
  if (!taking) return;
  try {
    const held = await reserve(show_id, taking.wish, taking.key);
    await call('DELETE', `/api/v1/reservations/${held.reservation_id}`);
  } catch (error) {
    if (is_unanswered(problem_from(error))) throw error;
  }
  device_remember(show_id, { taking: undefined });
}

/* Takes all that is wished for, or throws an ApiProblem. What was held before is given back first; if nothing comes of
 * the wish, it is what was lost. */
export async function hold_take(show_id: string, wish: Wish): Promise<HeldSeats> {
  const { held: before, lost: lost_before } = device_show(show_id);
  const lost = before ? { seat_ids: before.seat_ids } : lost_before;
  await hold_release(show_id);
  device_remember(show_id, { lost });
  const text = JSON.stringify(wish);
  if (device_show(show_id).taking?.wish !== text) await give_back_unanswered(show_id);
  for (let time = 0; ; time++) {
    const key = device_show(show_id).taking?.key ?? fresh_key();
    device_remember(show_id, { taking: { key, wish: text } });
    try {
      const held = await reserve(show_id, text, key);
      device_remember(show_id, { taking: undefined });
      /* Granted long ago, and over by now. */
      if (held.deadline_ms <= clock_now() && time === 0) continue;
      device_remember(show_id, { held, lost: undefined });
      return held;
    } catch (error) {
      if (!is_unanswered(problem_from(error))) device_remember(show_id, { taking: undefined });
      throw error;
    }
  }
}

/* The seats are free again. Nothing happens while a payment runs (throws payment_in_progress). */
export async function hold_release(show_id: string): Promise<void> {
  const held = device_show(show_id).held;
  if (!held) return;
  try {
    await call('DELETE', `/api/v1/reservations/${held.reservation_id}`);
  } catch (error) {
    const problem = problem_from(error);
    if (problem.status !== 404 && problem.status !== 410) throw error;
  }
  hold_forget(show_id);
}

/* Time is up. The server keeps an ended hold a while longer, for a payment begun in time; giving it back in its last
 * moment lets the fan have the same seats again at once. */
export async function hold_expire(show_id: string): Promise<void> {
  const held = device_show(show_id).held;
  if (!held || held.confirm_key || held.booking_id) return;
  const lost = { seat_ids: held.seat_ids };
  await hold_release(show_id);
  if (!device_show(show_id).held) device_remember(show_id, { lost });
}

/* Asks the server how the hold stands: its deadline, a payment that this device has forgotten, or that it is gone. */
export async function hold_check(show_id: string, signal?: AbortSignal): Promise<void> {
  const held = device_show(show_id).held;
  if (!held || held.confirm_key || held.booking_id) return;
  const is_still_it = () => {
    const now = device_show(show_id).held;
    return now?.reservation_id === held.reservation_id && !now.confirm_key && !now.booking_id;
  };
  try {
    const state = await get<ReservationState>(`/api/v1/reservations/${held.reservation_id}`, signal ? { signal } : {});
    if (!is_still_it()) return;
    if (state.booking_id && state.status !== 'HELD') device_remember(show_id, { held: { ...held, booking_id: state.booking_id } });
    else device_remember(show_id, { held: { ...held, deadline_ms: Date.parse(state.expires_at), amount: state.amount } });
  } catch (error) {
    const problem = problem_from(error);
    if ((problem.status === 404 || problem.status === 410) && is_still_it()) hold_lose(show_id);
  }
}

export type Paid = { kind: 'paid'; booking_id: string } | { kind: 'pending'; booking_id: string } | { kind: 'refused'; problem: Problem };

/* Pays with the token ('' where nothing is to be paid); asked again (after a reload, say) it goes on with the payment
 * under way. `refused`: the fan is not charged; where problem.attempts_left is above 0 the seats are still held. Throws
 * when nobody can be reached: the payment may or may not have begun, and asking again finds out. */
export async function hold_pay(show_id: string, event_name: string, payment_token: string): Promise<Paid> {
  const before = device_show(show_id).held;
  if (!before) return { kind: 'refused', problem: { status: 410, code: 'reservation_expired', detail: '' } };
  const key = before.confirm_key ?? fresh_key();
  const held: HeldSeats = { ...before, confirm_key: key, payment_token: before.payment_token ?? payment_token };
  device_remember(show_id, { held });
  /* Two tabs may ask after one payment; whoever hears last must not undo what the other one has begun since. */
  const is_still_it = () => device_show(show_id).held?.confirm_key === key;
  try {
    const body = { reservation_id: held.reservation_id, ...(held.payment_token ? { payment_token: held.payment_token } : {}) };
    const answer = await post<{ booking_id: string; status: string }>('/api/v1/bookings/confirm', body, { key });
    device_add_booking({ booking_id: answer.booking_id, show_id, event_name, booked_ms: clock_now() });
    if (answer.status === 'CONFIRMED') {
      if (is_still_it()) hold_forget(show_id);
      return { kind: 'paid', booking_id: answer.booking_id };
    }
    if (is_still_it()) device_remember(show_id, { held: { ...held, booking_id: answer.booking_id } });
    return { kind: 'pending', booking_id: answer.booking_id };
  } catch (error) {
    const problem = problem_from(error);
    if (!(error instanceof ApiProblem) || is_unanswered(problem) || problem.code === 'payment_in_progress' || problem.code === 'idempotency_in_progress')
      throw error;
    if (is_still_it()) {
      const { confirm_key: _key, payment_token: _token, ...kept } = held;
      const left = problem.code === 'payment_declined' ? (problem.attempts_left ?? 0) : 0;
      if (left > 0) device_remember(show_id, { held: { ...kept, attempts_left: left } });
      else hold_lose(show_id);
    }
    return { kind: 'refused', problem };
  }
}

/* After a payment that came to nothing: are the seats still held, for another card? */
async function hold_return(show_id: string, held: HeldSeats): Promise<boolean> {
  const { confirm_key: _key, payment_token: _token, booking_id: _booking, ...kept } = held;
  try {
    const state = await get<ReservationState>(`/api/v1/reservations/${held.reservation_id}`);
    if (state.status === 'HELD') {
      device_remember(show_id, { held: { ...kept, deadline_ms: Date.parse(state.expires_at) } });
      return true;
    }
  } catch {
    /* Then they are taken for lost; taking them again finds out. */
  }
  hold_lose(show_id);
  return false;
}

/* Follows a payment that takes its time until it has ended, through lost connections too. */
export async function hold_follow(show_id: string, booking_id: string, signal: AbortSignal): Promise<Booking & { still_held: boolean }> {
  for (let wait_ms = 1000; ; wait_ms = Math.min(wait_ms * 1.5, 10_000)) {
    try {
      const booking = await get<Booking>(`/api/v1/bookings/${booking_id}`, { signal });
      if (booking.status !== 'PENDING') {
        const held = device_show(show_id).held;
        const is_ours = held?.booking_id === booking_id;
        if (booking.status === 'CONFIRMED') {
          if (is_ours) hold_forget(show_id);
          return { ...booking, still_held: false };
        }
        device_drop_booking(booking_id);
        return { ...booking, still_held: is_ours ? await hold_return(show_id, held) : false };
      }
    } catch (error) {
      if (signal.aborted || !is_unanswered(problem_from(error))) throw error;
    }
    await pause(wait_ms * (0.8 + Math.random() * 0.4), signal);
  }
}

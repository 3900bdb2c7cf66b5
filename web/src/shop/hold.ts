/* Seats held for the fan: taken, kept over reloads, given back, paid for.
 *
 * One hold a show and device at a time; device.ts remembers it, so every tab sees the same. What the server says decides:
 * a hold that it does not know any more is forgotten here. A payment's Idempotency-Key is remembered before the call, so
 * that a reload or a lost connection asks after the same payment and never begins another one. */
import { ApiProblem, call, fresh_key, get, pause, post, problem_from } from '../base/api';
import { clock_now, clock_set } from '../base/clock';
import { device_add_booking, device_remember, device_show, device_user, type HeldSeats } from '../base/device';
import type { Booking, Problem, Reservation } from '../base/types';

export type Wish =
  | { seat_ids: string[] }
  | { best_available: { quantity: number; category?: string } }
  | { areas: { name: string; quantity: number }[] };

/* What is held now, if anything and if its time is not over. */
export function hold_now(show_id: string): HeldSeats | null {
  const held = device_show(show_id).held;
  return held && (held.booking_id || held.deadline_ms > clock_now()) ? held : null;
}

export function hold_forget(show_id: string): void {
  device_remember(show_id, { held: undefined });
}

/* Takes all that is wished for, or throws an ApiProblem. What was held before is given back first. */
export async function hold_take(show_id: string, wish: Wish): Promise<HeldSeats> {
  await hold_release(show_id);
  const asked = performance.now();
  const answer = await post<Reservation>(
    `/api/v1/shows/${show_id}/seats/reserve`,
    { ...wish, user_id: device_user() },
    { pass: device_show(show_id).pass },
  );
  clock_set(Date.parse(answer.now), asked, performance.now());
  const held: HeldSeats = {
    reservation_id: answer.reservation_id,
    seat_ids: answer.seat_ids,
    amount: answer.amount,
    currency: answer.currency,
    deadline_ms: Date.parse(answer.expires_at),
  };
  device_remember(show_id, { held });
  return held;
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

export type Paid = { kind: 'paid'; booking_id: string } | { kind: 'pending'; booking_id: string } | { kind: 'refused'; problem: Problem };

/* Pays with the token; asked again (after a reload, say) it goes on with the payment under way. `refused`: the fan is not
 * charged; where problem.attempts_left is above 0 the seats are still held. Throws when nobody can be reached: the
 * payment may or may not have begun, and asking again finds out. */
export async function hold_pay(show_id: string, event_name: string, payment_token: string): Promise<Paid> {
  let held = device_show(show_id).held;
  if (!held) return { kind: 'refused', problem: { status: 410, code: 'reservation_expired', detail: '' } };
  held = { ...held, confirm_key: held.confirm_key ?? fresh_key(), payment_token: held.payment_token ?? payment_token };
  device_remember(show_id, { held });
  try {
    const answer = await post<{ booking_id: string; status: string }>(
      '/api/v1/bookings/confirm',
      { reservation_id: held.reservation_id, payment_token: held.payment_token },
      { key: held.confirm_key ?? '' },
    );
    device_add_booking({ booking_id: answer.booking_id, show_id, event_name, booked_ms: clock_now() });
    if (answer.status === 'CONFIRMED') {
      hold_forget(show_id);
      return { kind: 'paid', booking_id: answer.booking_id };
    }
    device_remember(show_id, { held: { ...held, booking_id: answer.booking_id } });
    return { kind: 'pending', booking_id: answer.booking_id };
  } catch (error) {
    const problem = problem_from(error);
    if (!(error instanceof ApiProblem) || problem.status === 0 || problem.status === 429 || problem.status >= 500) throw error;
    if (problem.code === 'payment_in_progress') throw error;
    const { confirm_key: _key, payment_token: _token, ...kept } = held;
    if (problem.code === 'payment_declined' && (problem.attempts_left ?? 0) > 0)
      device_remember(show_id, { held: { ...kept, attempts_left: problem.attempts_left ?? 0 } });
    else hold_forget(show_id);
    return { kind: 'refused', problem };
  }
}

/* Follows a payment that takes its time until it has ended. */
export async function hold_follow(show_id: string, booking_id: string, signal: AbortSignal): Promise<Booking> {
  for (let wait_ms = 1000; ; wait_ms = Math.min(wait_ms * 1.5, 10_000)) {
    const booking = await get<Booking>(`/api/v1/bookings/${booking_id}`, { signal });
    if (booking.status !== 'PENDING') {
      hold_forget(show_id);
      return booking;
    }
    await pause(wait_ms * (0.8 + Math.random() * 0.4), signal);
  }
}

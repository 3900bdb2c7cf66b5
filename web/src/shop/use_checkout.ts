/* The way from held seats to a booking, as one of these:
 *
 *     none     nothing is held, and nothing was
 *     held     the seats are held, and may be paid; `problem` says why the last try was refused
 *     paying   the call is under way
 *     pending  the gateway takes its time; the booking is followed
 *     unsure   no answer came; the same payment is asked after again, by itself
 *     lost     what was held is gone; `problem` says why
 *
 * What the device remembers decides (hold.ts), so a reload, a crash and another tab all come to the same. A payment that
 * another tab began is left to it for a while, then asked after from here, too: it is one payment by its key. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { problem_from } from '../base/api';
import { clock_now } from '../base/clock';
import { connection_lost, connection_watch } from '../base/connection';
import { device_bookings, device_show, type HeldSeats } from '../base/device';
import { useDevice, useNow } from '../base/hooks';
import { go } from '../base/router';
import type { Problem } from '../base/types';
import { hold_check, hold_expire, hold_follow, hold_pay, hold_release, hold_take, type Wish } from './hold';
import { PaymentMethodProblem, type Tokenize } from './payment_method';

const OTHER_TAB_MS = 8000;
const ASK_AGAIN_MS = 4000;
const LAST_MOMENT_MS = 700;
const EXPIRED: Problem = { status: 410, code: 'reservation_expired', detail: '' };

export interface Checkout {
  state: 'none' | 'held' | 'paying' | 'pending' | 'unsure' | 'lost';
  held: HeldSeats | null;
  lost_seat_ids: string[];
  problem: Problem | null;
  form_problem: string | null; /* in the form for the card */
  left_ms: number;
  is_taking: boolean;
  pay: (tokenize: Tokenize) => void;
  ask_now: () => void;
  take: (wish: Wish) => void;
  release: () => void;
}

/* Why a payment that had taken its time came to nothing, as the call would have told it. */
function problem_of_reason(reason: string | null, still_held: boolean): Problem {
  if (reason === 'expired') return EXPIRED;
  if (reason === 'seat_unavailable') return { status: 409, code: 'seat_unavailable', detail: '' };
  return { status: 402, code: 'payment_declined', detail: '', decline_code: reason ?? '', attempts_left: still_held ? 1 : 0 };
}

export function useCheckout(show_id: string, event_name: string): Checkout {
  const memory = useDevice(() => device_show(show_id), show_id);
  const now = useNow();
  const [busy, set_busy] = useState<'paying' | 'taking' | null>(null);
  const [problem, set_problem] = useState<Problem | null>(null);
  const [form_problem, set_form_problem] = useState<string | null>(null);
  const [unanswered, set_unanswered] = useState<{ problem: Problem } | null>(null);
  const running = useRef(false);
  const is_first = useRef(true);
  const held = memory.held ?? null;
  const is_begun = Boolean(held?.confirm_key) && !held?.booking_id;

  const run = async (kind: 'paying' | 'taking', work: () => Promise<void>) => {
    if (running.current) return;
    running.current = true;
    set_busy(kind);
    set_problem(null);
    set_form_problem(null);
    try {
      await work();
    } finally {
      running.current = false;
      set_busy(null);
    }
  };

  const pay = (tokenize: Tokenize) =>
    run('paying', async () => {
      try {
        /* A payment that has begun goes on with its own token. */
        const token = is_begun ? '' : await tokenize();
        const paid = await hold_pay(show_id, event_name, token);
        set_unanswered(null);
        if (paid.kind === 'paid') go(`/bookings/${paid.booking_id}`, true);
        if (paid.kind === 'refused') set_problem(paid.problem);
      } catch (error) {
        if (error instanceof PaymentMethodProblem) set_form_problem(error.message);
        else set_unanswered({ problem: problem_from(error) });
      }
    });

  const go_on = () => void pay(() => Promise.resolve(''));

  /* A payment that has begun and has no answer: at once after a reload, else after a while or with the connection. */
  useEffect(() => {
    if (!is_begun || busy) return;
    const wait_ms = is_first.current ? 0 : unanswered ? Math.max(ASK_AGAIN_MS, (unanswered.problem.retry_after_seconds ?? 0) * 1000) : OTHER_TAB_MS;
    const timer = setTimeout(go_on, wait_ms * (1 + Math.random() * 0.3));
    const end = unanswered ? connection_watch(() => !connection_lost() && go_on()) : () => undefined;
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [is_begun, busy, unanswered, held?.confirm_key]);

  useEffect(() => {
    is_first.current = false;
    const ends = new AbortController();
    const check = () => void (document.hidden || hold_check(show_id, ends.signal));
    check();
    document.addEventListener('visibilitychange', check);
    return () => {
      ends.abort();
      document.removeEventListener('visibilitychange', check);
    };
  }, [show_id]);

  /* What fails here changes nothing: the hold then ends by itself. */
  useEffect(() => {
    if (!held || is_begun || held.booking_id) return;
    const timer = setTimeout(
      () => void (running.current || hold_expire(show_id).catch(() => undefined)),
      Math.max(0, held.deadline_ms - clock_now() - LAST_MOMENT_MS),
    );
    return () => clearTimeout(timer);
  }, [held?.reservation_id, held?.deadline_ms, is_begun, held?.booking_id]);

  const booking_id = held?.booking_id;
  useEffect(() => {
    if (!booking_id) return;
    const ends = new AbortController();
    hold_follow(show_id, booking_id, ends.signal).then(
      (booking) => {
        if (booking.status === 'CONFIRMED') go(`/bookings/${booking_id}`, true);
        else set_problem(problem_of_reason(booking.reason, booking.still_held));
      },
      (error) => ends.signal.aborted || set_problem(problem_from(error)),
    );
    return () => ends.abort();
  }, [booking_id]);

  /* What was held and is not any more, without this tab's doing: paid, lost or given back in another one. */
  const before = useRef<{ held: HeldSeats; known: string[] } | null>(null);
  useEffect(() => {
    const was = before.current;
    const booked = device_bookings().filter((kept) => kept.show_id === show_id);
    before.current = held && { held, known: booked.map((kept) => kept.booking_id) };
    if (!was || held || running.current) return;
    const bought = booked.find(({ booking_id: id }) => id === was.held.booking_id || !was.known.includes(id));
    if (bought) go(`/bookings/${bought.booking_id}`, true);
  }, [held?.reservation_id]);

  const take = (wish: Wish) =>
    void run('taking', async () => {
      try {
        await hold_take(show_id, wish);
      } catch (error) {
        set_problem(problem_from(error));
      }
    });

  const release = () =>
    void run('taking', async () => {
      try {
        await hold_release(show_id);
        before.current = null;
        go(`/shows/${show_id}/seats`);
      } catch (error) {
        set_problem(problem_from(error));
      }
    });

  const left_ms = held ? held.deadline_ms - now : 0;
  const is_open = held !== null && (is_begun || Boolean(held.booking_id) || left_ms > 0);
  const lost_seat_ids = is_open ? [] : (held?.seat_ids ?? memory.lost?.seat_ids ?? []);
  /* An answer that says that it is being worked on leaves no doubt. */
  const is_doubtful = unanswered !== null && !unanswered.problem.code.endsWith('_in_progress');
  const state = (): Checkout['state'] => {
    if (held?.booking_id) return 'pending';
    if (busy === 'paying' || is_begun) return is_doubtful ? 'unsure' : 'paying';
    if (is_open) return 'held';
    return lost_seat_ids.length > 0 || problem ? 'lost' : 'none';
  };
  return {
    state: state(),
    held: is_open ? held : null,
    lost_seat_ids,
    problem,
    form_problem,
    left_ms,
    is_taking: busy === 'taking',
    pay,
    ask_now: go_on,
    take,
    release,
  };
}

/* A booking: its tickets, to be shown, printed and kept; and its end, where the show allows it. The address is the
 * secret that owns it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, post, problem_from } from '../base/api';
import { clock_now } from '../base/clock';
import { device_add_booking, device_bookings } from '../base/device';
import { useDevice, useLoaded } from '../base/hooks';
import { language } from '../base/language';
import type { Booking, Problem, Show, Ticket } from '../base/types';
import { write_date, write_money } from '../base/write';
import { accent_of, accent_set } from '../design/accent';
import { calendar_write, file_save } from '../shop/calendar';
import { ProblemNotice } from '../shop/problem_notice';
import { say_seat } from '../shop/words';
import { say } from '../strings/strings';
import './booking.css';
import { Heading } from './heading';
import { NotLoaded, Skeleton } from './waiting';

const FRESH_MS = 5 * 60_000;
const FOLLOW_MS = 2500;

/* The sheet writes times as the fan's own clock has them at that time. */
function ticket_address(booking: Booking, show: Show | null, seat_id?: string): string {
  const offset = -new Date(show?.start_time ?? Date.now()).getTimezoneOffset();
  const seat = seat_id === undefined ? '' : `&seat=${encodeURIComponent(seat_id)}`;
  return `/api/v1/bookings/${booking.booking_id}/ticket.svg?lang=${language}&utc_offset_minutes=${offset}${seat}`;
}

function TicketCard({ booking, show, seat_id, index, ticket }: { booking: Booking; show: Show | null; seat_id: string; index: number; ticket: Ticket | undefined }) {
  const [times, set_times] = useState(0);
  const [failed, set_failed] = useState(false);
  const seat = say_seat(seat_id, ticket && { section: ticket.section ?? '', row: ticket.row, number: ticket.number });
  return (
    <li class="ticket">
      {failed ? (
        <div class="ticket-failed" role="alert">
          <p>{say('booking_ticket_failed')}</p>
          <button
            type="button"
            class="button button-quiet button-small"
            onClick={() => {
              set_failed(false);
              set_times(times + 1);
            }}
          >
            {say('action_retry')}
          </button>
        </div>
      ) : (
        <img
          key={times}
          src={ticket_address(booking, show, seat_id)}
          alt={say('booking_ticket_of', { number: index + 1, count: booking.seat_ids.length, seat })}
          onError={() => set_failed(true)}
        />
      )}
    </li>
  );
}

function Tools({ booking, show }: { booking: Booking; show: Show | null }) {
  const calendar = () => {
    if (!show?.start_time) return;
    const entry = { uid: `show-${show.show_id}`, starts_ms: Date.parse(show.start_time), title: show.event_name, location: show.plan.name };
    file_save('onsale.ics', 'text/calendar', calendar_write(entry, clock_now()));
  };
  return (
    <div class="row tools">
      <button type="button" class="button button-small" onClick={() => window.print()}>
        {say('booking_print')}
      </button>
      <a class="button button-quiet button-small" href={ticket_address(booking, show)} download="tickets.svg">
        {say('booking_download')}
      </a>
      {show?.start_time && (
        <button type="button" class="button button-quiet button-small" onClick={calendar}>
          {say('booking_calendar')}
        </button>
      )}
    </div>
  );
}

function Secret() {
  const [copied, set_copied] = useState(false);
  const copy = () => {
    navigator.clipboard?.writeText(location.href).then(
      () => set_copied(true),
      () => undefined /* The address bar has it, too. */,
    );
  };
  return (
    <aside class="secret">
      <h2>{say('booking_secret')}</h2>
      <p class="soft">{say('booking_secret_text')}</p>
      {typeof navigator.clipboard !== 'undefined' && (
        <p>
          <button type="button" class="button button-quiet button-small" onClick={copy}>
            {say('booking_copy')}
          </button>{' '}
          <span role="status" class="small secret-copied">
            {copied && say('booking_copied')}
          </span>
        </p>
      )}
    </aside>
  );
}

/* Until when it may be cancelled; null: it may not. */
function cancel_until_ms(booking: Booking, show: Show | null): number | null {
  if (booking.status !== 'CONFIRMED' || booking.payment_state === 'REVIEW' || !show?.cancellation.allowed || !show.start_time) return null;
  const until_ms = Date.parse(show.start_time) - show.cancellation.until_seconds * 1000;
  return until_ms > clock_now() ? until_ms : null;
}

function Cancel({ booking, until_ms, cancelled }: { booking: Booking; until_ms: number; cancelled: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, set_busy] = useState(false);
  const [problem, set_problem] = useState<Problem | null>(null);
  const cancel = async () => {
    set_busy(true);
    set_problem(null);
    try {
      await post(`/api/v1/bookings/${booking.booking_id}/cancel`, {});
      dialog.current?.close();
      cancelled();
    } catch (error) {
      set_problem(problem_from(error));
    }
    set_busy(false);
  };
  const count = booking.seat_ids.length;
  const price = write_money(booking.amount - booking.refunded, booking.currency);
  return (
    <div class="cancel">
      <button type="button" class="button button-quiet button-small" onClick={() => dialog.current?.showModal()}>
        {say('booking_cancel')}
      </button>
      <span class="soft small">{say('booking_cancel_until', { time: write_date(until_ms) })}</span>
      <dialog ref={dialog} class="dialog" aria-labelledby="cancel-title" aria-describedby="cancel-text">
        <h2 id="cancel-title">{say('booking_cancel_ask')}</h2>
        <p id="cancel-text">{booking.amount > 0 ? say('booking_cancel_ask_text', { count, price }) : say('booking_cancel_ask_free', { count })}</p>
        {problem && <ProblemNotice problem={problem} context={{ show_id: booking.show_id }} helps={{ retry: () => void cancel() }} busy={busy} />}
        <p class="dialog-foot">
          <button type="button" class="button" onClick={() => dialog.current?.close()} autoFocus>
            {say('booking_cancel_no')}
          </button>
          <button type="button" class="button button-danger" disabled={busy} onClick={() => void cancel()}>
            {busy ? say('booking_cancelling') : say('booking_cancel_yes')}
          </button>
        </p>
      </dialog>
    </div>
  );
}

function Facts({ booking }: { booking: Booking }) {
  return (
    <dl class="facts">
      {booking.amount > 0 && booking.confirmed_at && (
        <>
          <dt>{say('booking_paid')}</dt>
          <dd class="numbers">{write_money(booking.amount, booking.currency)}</dd>
        </>
      )}
      {booking.refunded > 0 && (
        <>
          <dt>{say('booking_refunded')}</dt>
          <dd class="numbers">{write_money(booking.refunded, booking.currency)}</dd>
        </>
      )}
      {booking.confirmed_at && (
        <>
          <dt>{say('booking_date')}</dt>
          <dd>{write_date(booking.confirmed_at)}</dd>
        </>
      )}
    </dl>
  );
}

function ShowLine({ show }: { show: Show | null }) {
  if (!show) return null;
  return (
    <p class="booking-show">
      <a href={`/shows/${show.show_id}`}>{show.event_name}</a>
      <span class="soft">
        {[show.start_time && write_date(show.start_time), show.plan.name].filter(Boolean).join(' · ')}
      </span>
    </p>
  );
}

function Confirmed({ booking, show, again }: { booking: Booking; show: Show | null; again: () => void }) {
  const { value: tickets } = useLoaded(booking.seat_ids.join('\n'), (signal) =>
    get<Ticket[]>(`/api/v1/bookings/${booking.booking_id}/tickets`, { signal }),
  );
  const kept = useDevice(() => device_bookings().find((other) => other.booking_id === booking.booking_id), booking.booking_id);
  const confirmed_ms = booking.confirmed_at ? Date.parse(booking.confirmed_at) : 0;
  const [is_fresh] = useState(() => Boolean(kept) && clock_now() - confirmed_ms < FRESH_MS);
  const count = booking.seat_ids.length;
  const until_ms = cancel_until_ms(booking, show);
  const text = booking.amount > 0 ? (is_fresh ? 'booking_fresh_text' : 'booking_text') : is_fresh ? 'booking_fresh_free' : 'booking_free';
  return (
    <div class={is_fresh ? 'column column-wide page booking booking-fresh' : 'column column-wide page booking'}>
      <header class="booking-head">
        {is_fresh && (
          <svg class="seal" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
            <circle cx="24" cy="24" r="24" />
            <path d="M14.5 24.8l6.6 6.6 12.6-13.6" pathLength={1} />
          </svg>
        )}
        <Heading title={is_fresh ? say('booking_fresh') : say('booking_title', { count })} />
        <p class="lead">{say(text, { count })}</p>
        <ShowLine show={show} />
        <Tools booking={booking} show={show} />
        {booking.payment_state === 'REVIEW' && <p class="notice">{say('booking_review')}</p>}
      </header>
      <ul class="tickets">
        {booking.seat_ids.map((seat_id, index) => (
          <TicketCard key={seat_id} booking={booking} show={show} seat_id={seat_id} index={index} ticket={tickets?.find((ticket) => ticket.seat_id === seat_id)} />
        ))}
      </ul>
      <footer class="booking-foot">
        <Secret />
        <Facts booking={booking} />
        {until_ms !== null && <Cancel booking={booking} until_ms={until_ms} cancelled={again} />}
      </footer>
    </div>
  );
}

function Unconfirmed({ booking, show }: { booking: Booking; show: Show | null }) {
  const is_pending = booking.status === 'PENDING';
  const was_sold = booking.confirmed_at !== null || booking.refunded > 0;
  const title = is_pending ? say('booking_pending_title') : say(was_sold ? 'booking_cancelled_title' : 'booking_never_title');
  const text = is_pending ? say('booking_pending_text') : say(was_sold ? 'booking_cancelled_text' : 'booking_never_text');
  return (
    <div class="column page stack">
      {is_pending && <span class="waits-sign" aria-hidden="true" />}
      <Heading title={title} />
      <p class="lead" role="status">
        {text}
      </p>
      {was_sold && booking.refunded > 0 && <p>{say('booking_cancelled_refunded', { price: write_money(booking.refunded, booking.currency) })}</p>}
      <ShowLine show={show} />
      <Facts booking={booking} />
    </div>
  );
}

export function BookingPage({ booking_id }: { booking_id: string }) {
  const { value: booking, problem, again } = useLoaded(booking_id, (signal) => get<Booking>(`/api/v1/bookings/${booking_id}`, { signal }));
  const show_id = booking?.show_id ?? '';
  const { value: show, problem: show_problem } = useLoaded(show_id, (signal) =>
    show_id ? get<Show>(`/api/v1/shows/${show_id}`, { signal }) : Promise.resolve(null),
  );
  const status = booking?.status;
  useEffect(() => {
    if (status !== 'PENDING') return;
    const timer = setInterval(again, FOLLOW_MS);
    return () => clearInterval(timer);
  }, [status]);
  const color = show ? accent_of(show.show_id, show.accent_color) : null;
  useEffect(() => accent_set(color), [color]);
  /* Who comes here by the link has the tickets on this device, too, from now on. */
  const event_name = show?.event_name;
  useEffect(() => {
    if (status !== 'CONFIRMED' || !event_name || device_bookings().some((kept) => kept.booking_id === booking_id)) return;
    device_add_booking({ booking_id, show_id, event_name, booked_ms: Date.parse(booking?.confirmed_at ?? '') || clock_now() });
  }, [status, event_name]);
  if (!booking) return problem ? <NotLoaded problem={problem} again={again} /> : <Skeleton shapes={['title', 'line', 'tickets']} />;
  if (!show && !show_problem) return <Skeleton shapes={['title', 'line', 'tickets']} />;
  if (booking.status === 'CONFIRMED') return <Confirmed booking={booking} show={show} again={again} />;
  return <Unconfirmed booking={booking} show={show} />;
}

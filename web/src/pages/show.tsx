/* A show: what it is, and the one thing to do about it now. */
import type { ComponentChildren } from 'preact';
import { clock_now } from '../base/clock';
import { device_bookings, device_show } from '../base/device';
import { useDevice, useNow } from '../base/hooks';
import type { Show } from '../base/types';
import { write_countdown, write_date, write_days_until, write_long_countdown, write_money, write_time } from '../base/write';
import { calendar_write, file_save } from '../shop/calendar';
import { hold_now } from '../shop/hold';
import { Picture } from '../shop/picture';
import { ProblemNotice } from '../shop/problem_notice';
import { StatusChip } from '../shop/status_chip';
import { room_opens_ms, useShow } from '../shop/use_show';
import { VenueMap } from '../shop/venue_map';
import { say_duration } from '../shop/words';
import { say } from '../strings/strings';
import { Heading } from './heading';
import './show.css';
import { NotLoaded, Skeleton } from './waiting';

const DAY_MS = 86_400_000;

function remind(show: Show, opens_ms: number): void {
  const entry = {
    uid: `sale-${show.show_id}`,
    starts_ms: opens_ms,
    minutes: 30,
    title: say('show_remind_name', { name: show.event_name }),
    address: `${location.origin}/shows/${show.show_id}`,
  };
  file_save('onsale.ics', 'text/calendar', calendar_write(entry, clock_now()));
}

/* To the next moment: the waiting room's opening, then the sale's. */
function Countdown({ show }: { show: Show }) {
  const now = useNow();
  const opens_ms = show.on_sale_time ? Date.parse(show.on_sale_time) : null;
  const room_ms = room_opens_ms(show);
  if (opens_ms === null) return <p class="soft">{say('show_note_scheduled_open')}</p>;
  const is_room = room_ms !== null && now < room_ms;
  const until_ms = is_room ? room_ms : opens_ms;
  return (
    <div class="countdown">
      <p class="small soft">{say(is_room ? 'show_room_opens_in' : 'show_opens_in')}</p>
      <p class="countdown-time numbers" role="timer">
        {until_ms - now > DAY_MS ? write_days_until(now, until_ms) : write_long_countdown(until_ms - now)}
      </p>
      <p class="small soft">
        {say('show_opens')}: <time dateTime={show.on_sale_time ?? ''}>{write_date(opens_ms)}</time>
      </p>
    </div>
  );
}

function Primary({ href, children }: { href: string; children: ComponentChildren }) {
  return (
    <a class="button button-wide" href={href}>
      {children}
    </a>
  );
}

/* The one button, and what to know before it is pressed. */
function NextStep({ show }: { show: Show }) {
  const to = `/shows/${show.show_id}`;
  const memory = useDevice(() => device_show(show.show_id), show.show_id);
  const has_room = show.waiting_room.enabled;
  const has_pass = Boolean(memory.pass) && (memory.pass_ends_ms ?? 0) > clock_now();
  switch (show.status) {
    case 'SCHEDULED': {
      const opens_ms = show.on_sale_time ? Date.parse(show.on_sale_time) : null;
      return (
        <>
          <Countdown show={show} />
          {opens_ms !== null && opens_ms > clock_now() && (
            <button type="button" class="button button-quiet button-wide" onClick={() => remind(show, opens_ms)}>
              {say('show_remind')}
            </button>
          )}
          <p class="note">{say('show_note_scheduled')}</p>
        </>
      );
    }
    case 'PRE_QUEUE':
      return (
        <>
          <Countdown show={show} />
          {has_room && <Primary href={`${to}/queue`}>{say('show_enter_room')}</Primary>}
          {has_room && show.on_sale_time && (
            <p class="note">
              {say(show.waiting_room.pre_queue_order === 'shuffle' ? 'show_note_pre_queue_shuffle' : 'show_note_pre_queue_arrival', {
                time: write_time(show.on_sale_time),
              })}
            </p>
          )}
        </>
      );
    case 'ON_SALE':
      if (has_room && !has_pass)
        return (
          <>
            <Primary href={`${to}/queue`}>{say('show_buy')}</Primary>
            <p class="note">{say('show_note_queue')}</p>
          </>
        );
      return (
        <>
          <Primary href={`${to}/seats`}>{say('show_to_seats')}</Primary>
          <p class="note">{has_room ? say('show_note_pass', { time: write_time(memory.pass_ends_ms ?? 0) }) : say('show_note_seats')}</p>
        </>
      );
    case 'PAUSED':
      return (
        <>
          {has_room && memory.queue_ticket && !has_pass ? (
            <Primary href={`${to}/queue`}>{say('action_queue')}</Primary>
          ) : (
            <a class="button button-quiet button-wide" href={`${to}/seats`}>
              {say('show_look')}
            </a>
          )}
          <p class="note">{say('show_note_paused')}</p>
        </>
      );
    case 'SOLD_OUT':
      return (
        <>
          <Primary href={`${to}/seats`}>{say('show_watch')}</Primary>
          <p class="note">{say('show_note_sold_out')}</p>
        </>
      );
    case 'CLOSED':
      return <p class="note">{say('show_note_closed')}</p>;
  }
}

/* What this device has of the show already, with the way on. */
function Yours({ show }: { show: Show }) {
  const now = useNow();
  const held = useDevice(() => hold_now(show.show_id), show.show_id);
  const booking = useDevice(() => device_bookings().find((kept) => kept.show_id === show.show_id), show.show_id);
  if (held)
    return (
      <aside class="yours">
        <div>
          <h2>{held.confirm_key || held.booking_id ? say('show_paying_title') : say('show_held_title', { count: held.seat_ids.length })}</h2>
          {!held.confirm_key && !held.booking_id && <p class="numbers">{say('show_held_text', { time: write_countdown(held.deadline_ms - now) })}</p>}
        </div>
        <a class="button" href={`/shows/${show.show_id}/checkout`}>
          {say('show_go_on')}
        </a>
      </aside>
    );
  if (booking)
    return (
      <aside class="yours">
        <h2>{say('show_booked_title')}</h2>
        <a class="button" href={`/bookings/${booking.booking_id}`}>
          {say('show_to_tickets')}
        </a>
      </aside>
    );
  return null;
}

function Prices({ show }: { show: Show }) {
  const categories = show.categories.filter((category) => category.seats > 0);
  return (
    <section class="show-part">
      <h2>{say('show_prices')}</h2>
      <ul class="prices">
        {categories.map((category) => (
          <li key={category.name} class={category.available > 0 ? 'price' : 'price price-gone'}>
            <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
              <circle cx="5" cy="5" r="5" fill={category.color} />
            </svg>
            <span class="price-name">{category.name}</span>
            <span class="price-left numbers">
              {category.available > 0 ? say('show_price_left', { count: category.available }) : say('show_price_gone')}
            </span>
            <span class="price-amount numbers">{category.amount === 0 ? say('price_free') : write_money(category.amount, category.currency)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Rules({ show }: { show: Show }) {
  const most = show.max_seats_per_user;
  const { allowed, until_seconds } = show.cancellation;
  return (
    <section class="show-part">
      <h2>{say('show_rules')}</h2>
      <dl class="rules">
        <dt>{say('rule_hold')}</dt>
        <dd>{say('rule_hold_text', { time: say_duration(show.hold_seconds) })}</dd>
        <dt>{say('rule_limit')}</dt>
        <dd>{most > 0 ? say('rule_limit_text', { count: most }) : say('rule_limit_order', { count: show.max_seats_per_reservation })}</dd>
        <dt>{say('rule_cancel')}</dt>
        <dd>
          {!allowed && say('rule_cancel_no')}
          {allowed && (until_seconds > 0 ? say('rule_cancel_until', { time: say_duration(until_seconds) }) : say('rule_cancel_yes'))}
        </dd>
      </dl>
    </section>
  );
}

function Queue({ show }: { show: Show }) {
  const { claim_seconds } = show.waiting_room;
  const minutes = claim_seconds / 60;
  return (
    <section class="show-part">
      <h2>{say('show_queue_title')}</h2>
      <ol class="queue-steps">
        <li>{say('show_queue_1')}</li>
        <li>{Number.isInteger(minutes) ? say('show_queue_2', { count: minutes }) : say('show_queue_2_seconds', { count: claim_seconds })}</li>
        <li>{say('show_queue_3')}</li>
      </ol>
      <p>
        <a class="link" href={`/shows/${show.show_id}/record`}>
          {say('show_record')}
        </a>
      </p>
    </section>
  );
}

export function ShowPage({ show_id }: { show_id: string }) {
  const { value: show, problem, again } = useShow(show_id);
  if (!show) return problem ? <NotLoaded problem={problem} again={again} /> : <Skeleton shapes={['hero', 'title', 'line', 'line']} />;
  return (
    <article class="column column-wide page show">
      <Yours show={show} />
      <header class="hero">
        <Picture subject={show.show_id} image={show.image} eager />
        <div class="hero-words">
          <p>
            <StatusChip status={show.status} />
          </p>
          <Heading title={show.event_name} class={show.event_name.length > 60 ? 'long' : undefined} />
          <p class="hero-facts">
            {show.start_time && <time dateTime={show.start_time}>{write_date(show.start_time)}</time>}
            {show.plan.name && <span>{show.plan.name}</span>}
          </p>
          <div class="hero-next" aria-live="polite">
            <NextStep show={show} />
          </div>
        </div>
      </header>
      {problem && problem.code !== 'offline' && <ProblemNotice problem={problem} helps={{ retry: again }} />}
      <div class="show-parts">
        <Prices show={show} />
        <section class={show.waiting_room.enabled ? 'show-part' : 'show-part show-part-high'}>
          <h2>{say('show_venue')}</h2>
          <VenueMap show={show} />
        </section>
        {show.waiting_room.enabled && <Queue show={show} />}
        <Rules show={show} />
      </div>
    </article>
  );
}

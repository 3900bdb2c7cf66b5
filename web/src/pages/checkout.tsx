/* Payment: what is held, for how long, and the way to pay for it. What happens is shop/use_checkout.ts's. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { clock_now } from '../base/clock';
import { device_show } from '../base/device';
import { useLoaded } from '../base/hooks';
import type { Show } from '../base/types';
import { write_countdown, write_date, write_money } from '../base/write';
import type { Wish } from '../shop/hold';
import { PaymentMethod, type Tokenize } from '../shop/payment_method';
import { ProblemNotice } from '../shop/problem_notice';
import { seat_places, type Place } from '../shop/seat_places';
import { useCheckout, type Checkout } from '../shop/use_checkout';
import { useShow } from '../shop/use_show';
import { say_seat } from '../shop/words';
import { say } from '../strings/strings';
import './checkout.css';
import { Heading } from './heading';
import { NotLoaded, Skeleton } from './waiting';

function usePlaces(show: Show, seat_ids: string[]): Map<string, Place> | null {
  const subject = seat_ids.join('\n');
  return useLoaded(subject, (signal) => seat_places(show, subject ? subject.split('\n') : [], signal)).value;
}

/* Told twice, since who cannot see the time must not be told each second. */
function TimeLeft({ left_ms }: { left_ms: number }) {
  const seconds = Math.ceil(left_ms / 1000);
  const told = seconds <= 0 ? '' : seconds <= 30 ? say('pay_left_30') : seconds <= 120 ? say('pay_left_2') : '';
  return (
    <p class={seconds <= 120 ? 'time-left time-left-short' : 'time-left'}>
      <span class="time-left-number numbers" role="timer" aria-live="off">
        {write_countdown(left_ms)}
      </span>{' '}
      <span>{say('pay_left')}</span>
      <span class="visually-hidden" role="status">
        {told}
      </span>
    </p>
  );
}

function Seats({ show, seat_ids, amount, currency, places }: { show: Show; seat_ids: string[]; amount?: number; currency?: string; places: Map<string, Place> | null }) {
  const category = (seat_id: string) => show.categories.find(({ name }) => name === places?.get(seat_id)?.category);
  /* A hold keeps the price that it was taken at: where the list has changed since, only the total is told. */
  const sum = seat_ids.reduce((total, seat_id) => total + (category(seat_id)?.amount ?? NaN), 0);
  return (
    <section class="card basket">
      <h2>{say('pay_your_seats')}</h2>
      <p class="basket-show">
        {show.event_name}
        {show.start_time && <span class="soft small">{write_date(show.start_time)}</span>}
      </p>
      <ul class="basket-seats">
        {seat_ids.map((seat_id) => {
          const of = category(seat_id);
          const place = places?.get(seat_id);
          return (
            <li key={seat_id}>
              <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
                <circle cx="5" cy="5" r="5" fill={of?.color ?? 'transparent'} />
              </svg>
              <span class="basket-seat">
                {say_seat(seat_id, place)}
                {of && of.name !== place?.section && <span class="soft small">{of.name}</span>}
              </span>
              {of && sum === amount && <span class="numbers">{of.amount === 0 ? say('price_free') : write_money(of.amount, of.currency)}</span>}
            </li>
          );
        })}
      </ul>
      {amount !== undefined && currency && (
        <p class="basket-total">
          <span>{say('pay_total')}</span>
          <span class="numbers">{write_money(amount, currency)}</span>
        </p>
      )}
    </section>
  );
}

/* What was lost, wished for again: places of a standing area are as good as each other, and are asked for by number. */
function same_again(seat_ids: string[], places: Map<string, Place> | null): Wish {
  const areas = new Map<string, number>();
  for (const seat_id of seat_ids) {
    const place = places?.get(seat_id);
    if (!place || place.row !== null) return { seat_ids };
    areas.set(place.section, (areas.get(place.section) ?? 0) + 1);
  }
  return { areas: [...areas].map(([name, quantity]) => ({ name, quantity })) };
}

function next_best(seat_ids: string[], places: Map<string, Place> | null): Wish {
  const category = places?.get(seat_ids[0] ?? '')?.category;
  return { best_available: { quantity: seat_ids.length, ...(category ? { category } : {}) } };
}

function Lost({ show, checkout, places }: { show: Show; checkout: Checkout; places: Map<string, Place> | null }) {
  const { lost_seat_ids: seat_ids, problem, is_taking, take } = checkout;
  const memory = device_show(show.show_id);
  const has_pass = show.waiting_room.enabled && (memory.pass_ends_ms ?? 0) > clock_now();
  const same = () => take(same_again(seat_ids, places));
  const best = () => take(next_best(seat_ids, places));
  const told = problem ?? { status: 410, code: 'reservation_expired', detail: '' };
  const is_taken = told.code === 'seat_unavailable' || told.code === 'no_adjacent_seats' || told.code === 'leaves_orphan';
  return (
    <div class="stack">
      <ProblemNotice
        problem={told}
        context={{ show_id: show.show_id, most_seats: show.max_seats_per_user }}
        busy={is_taking}
        helps={seat_ids.length ? { same_seats: same, next_best: best, retry: same } : {}}
      />
      {has_pass && <p class="soft">{say('pay_lost_pass')}</p>}
      <p class="row">
        {is_taken && told.code !== 'seat_unavailable' && (
          <button type="button" class="button button-quiet" disabled={is_taking} onClick={best}>
            {say('pay_next_best')}
          </button>
        )}
        <a class="link" href={`/shows/${show.show_id}/seats`}>
          {say('pay_other_seats')}
        </a>
      </p>
    </div>
  );
}

function Pay({ checkout, amount, currency, problem_id }: { checkout: Checkout; amount: number; currency: string; problem_id: string }) {
  const [tokenize, set_tokenize] = useState<{ run: Tokenize } | null>(null);
  const is_free = amount === 0;
  const is_busy = checkout.state === 'paying' || checkout.is_taking;
  const submit = (event: Event) => {
    event.preventDefault();
    if (is_free) checkout.pay(() => Promise.resolve(''));
    else if (tokenize) checkout.pay(tokenize.run);
  };
  return (
    <form class="card pay" onSubmit={submit}>
      {is_free ? (
        <p>{say('pay_free')}</p>
      ) : (
        <PaymentMethod
          disabled={is_busy}
          described_by={checkout.problem || checkout.form_problem ? problem_id : undefined}
          ready={(run) => set_tokenize(run && { run })}
        />
      )}
      {checkout.form_problem && (
        <p class="notice notice-bad" role="alert" id={problem_id}>
          {checkout.form_problem}
        </p>
      )}
      <button type="submit" class="button button-wide pay-button" disabled={is_busy || (!is_free && !tokenize)} aria-busy={checkout.state === 'paying'}>
        {checkout.state === 'paying' ? say('pay_working') : is_free ? say('pay_button_free') : say('pay_button', { price: write_money(amount, currency) })}
      </button>
      {!is_free && (
        <p class="note" role="status">
          {checkout.state === 'paying' ? say('pay_working_text') : say('pay_once')}
        </p>
      )}
    </form>
  );
}

function Waits({ title, text, ask }: { title: string; text: string; ask?: () => void }) {
  return (
    <div class="card waits" role="status">
      <span class="waits-sign" aria-hidden="true" />
      <h2>{title}</h2>
      <p>{text}</p>
      {ask && (
        <p>
          <button type="button" class="button button-quiet button-small" onClick={ask}>
            {say('pay_unsure_now')}
          </button>
        </p>
      )}
    </div>
  );
}

function CheckoutOf({ show }: { show: Show }) {
  const checkout = useCheckout(show.show_id, show.event_name);
  const { state, held, problem, left_ms } = checkout;
  const seat_ids = held?.seat_ids ?? checkout.lost_seat_ids;
  const places = usePlaces(show, seat_ids);
  const problem_id = useId();
  const can_pay = state === 'held' || state === 'paying';
  /* Who pressed the button at the end of a long page has to see what came of it. */
  const told = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (problem || state === 'pending' || state === 'unsure') told.current?.scrollIntoView({ block: 'center' });
  }, [problem, state]);
  if (state === 'none')
    return (
      <div class="column stack page">
        <Heading title={say('pay_none_title')} />
        <p class="lead">{say('pay_none_text')}</p>
        <p class="row">
          <a class="button" href={`/shows/${show.show_id}/seats`}>
            {say('action_seats')}
          </a>
          <a class="link" href="/tickets">
            {say('nav_tickets')}
          </a>
        </p>
      </div>
    );
  return (
    <div class="column column-wide page checkout">
      <div class="checkout-head">
        <Heading title={say('pay_title')} prefix={state === 'held' ? say('pay_tab_left', { time: write_countdown(left_ms) }) : undefined} />
        {state === 'held' && <TimeLeft left_ms={left_ms} />}
      </div>
      <div class="checkout-parts">
        <div class="checkout-told" ref={told}>
          {state === 'lost' && <Lost show={show} checkout={checkout} places={places} />}
          {state === 'pending' && <Waits title={say('pay_pending_title')} text={say('pay_pending_text')} />}
          {state === 'unsure' && <Waits title={say('pay_unsure_title')} text={say('pay_unsure_text')} ask={checkout.ask_now} />}
          {can_pay && problem && <ProblemNotice problem={problem} id={problem_id} context={{ show_id: show.show_id, most_seats: show.max_seats_per_user }} />}
        </div>
        {seat_ids.length > 0 && (
          <div class="checkout-basket">
            <Seats show={show} seat_ids={seat_ids} places={places} {...(held ? { amount: held.amount, currency: held.currency } : {})} />
            {state === 'held' && (
              <p class="checkout-back">
                <button type="button" class="button-text small" disabled={checkout.is_taking} onClick={checkout.release}>
                  {say('pay_give_back')}
                </button>
              </p>
            )}
          </div>
        )}
        <div class="checkout-pay">
          {can_pay && held && <Pay checkout={checkout} amount={held.amount} currency={held.currency} problem_id={problem_id} />}
        </div>
      </div>
    </div>
  );
}

export function CheckoutPage({ show_id }: { show_id: string }) {
  const { value: show, problem, again } = useShow(show_id);
  if (!show) return problem ? <NotLoaded problem={problem} again={again} /> : <Skeleton shapes={['title', 'pair']} />;
  return <CheckoutOf key={show_id} show={show} />;
}

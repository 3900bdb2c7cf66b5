/* What is chosen or held, what it costs, and the one button; above it, what happened. At the foot of a phone, at the side
 * of a wide window. */
import { useNow } from '../base/hooks';
import { write_countdown, write_money } from '../base/write';
import { explain, type Explanation } from '../shop/problems';
import { say } from '../strings/strings';
import { seat_short, seats_short, write_price } from './names';
import type { Notice, SeatsState } from './seats_state';
import { Sign } from './sign';

function Taken({ state, notice }: { state: SeatsState; notice: Extract<Notice, { kind: 'taken' }> }) {
  const plan = state.plan!;
  const offered = notice.offer?.seats.flatMap((index) => plan.seat(index) ?? []) ?? [];
  const amount = offered.reduce((sum, seat) => sum + (plan.price(seat).amount ?? 0), 0);
  const kept = state.count - (notice.offer?.instead_of.length ?? 0);
  return (
    <>
      <h2>{say('seats_taken', { count: notice.seats.length, seats: seats_short(notice.seats) })}</h2>
      {notice.offer && kept > 0 && <p>{say('seats_taken_kept', { count: kept })}</p>}
      <p class="notice-actions">
        <button type="button" class="button button-small" disabled={state.busy} onClick={state.take_offer}>
          {notice.offer ? say('seats_take_offer', { seats: seats_short(offered), price: write_money(amount, state.currency) }) : say('seats_take_best', { count: notice.count })}
        </button>
      </p>
    </>
  );
}

function ProblemWords({ state, words, retry }: { state: SeatsState; words: Explanation; retry: (() => void) | null }) {
  const { action } = words;
  return (
    <>
      <h2>{words.title}</h2>
      <p>{words.text}</p>
      {action?.help === 'queue' && state.count > 0 && <p>{say('seats_choice_kept')}</p>}
      {action?.help === 'queue' && action.href && (
        <p class="notice-actions">
          <a class="button button-small" href={action.href}>
            {action.label}
          </a>
        </p>
      )}
      {action?.help === 'retry' && retry && (
        <p class="notice-actions">
          <button type="button" class="button button-small" disabled={state.busy} onClick={retry}>
            {action.label}
          </button>
        </p>
      )}
      {action?.help === 'reload' && (
        <p class="notice-actions">
          <button type="button" class="button button-small" onClick={() => location.reload()}>
            {action.label}
          </button>
        </p>
      )}
      {action?.help === 'show' && action.href && (
        <p class="notice-actions">
          <a class="button button-small button-quiet" href={action.href}>
            {action.label}
          </a>
        </p>
      )}
    </>
  );
}

export function NoticeBox({ state }: { state: SeatsState }) {
  const { notice } = state;
  return (
    <div role="alert">
      {notice && (
        <div class="notice seats-notice appears">
          <button type="button" class="notice-close" aria-label={say('seats_close')} onClick={() => state.say(null)}>
            <Sign d="M6 6l12 12M18 6L6 18" />
          </button>
          {notice.kind === 'taken' && <Taken state={state} notice={notice} />}
          {notice.kind === 'problem' && <ProblemWords state={state} words={explain(notice.problem, { show_id: state.show_id, most_seats: state.most })} retry={notice.retry} />}
          {notice.kind === 'too_many' && <h2>{say('seats_too_many', { count: notice.most })}</h2>}
          {notice.kind === 'not_free' && <h2>{say('seats_not_free', { seat: seat_short(notice.seat) })}</h2>}
          {notice.kind === 'holding' && (
            <>
              <h2>{say('seats_holding')}</h2>
              <p class="notice-actions">
                <button type="button" class="button button-small button-quiet" disabled={state.busy} onClick={() => void state.change_seats()}>
                  {say('seats_change')}
                </button>
              </p>
            </>
          )}
        </div>
      )}
    </div>
  );
}

function Held({ state, show_seats }: { state: SeatsState; show_seats: (seats: number[]) => void }) {
  const now = useNow();
  const held = state.held;
  if (!held) return null;
  const count = held.seat_ids.length;
  const paying = Boolean(held.booking_id || held.confirm_key);
  return (
    <>
      <div class="picks-sum">
        <p class="picks-title">
          <span class="picks-check" aria-hidden="true">
            <Sign d="M5 12.5l4.5 4.5L19 7.5" />
          </span>
          <span>
            <span>{say('seats_held', { count })}</span> <span class="numbers picks-time">{paying ? say('seats_paying') : write_countdown(held.deadline_ms - now)}</span>
          </span>
        </p>
        {!paying && (
          <button type="button" class="button-text small picks-change" disabled={state.busy} onClick={() => void state.change_seats()}>
            {say('seats_change')}
          </button>
        )}
      </div>
      {state.mine.length > 0 && (
        <ul class="picks-seats">
          {state.mine.slice(0, 12).map((seat) => (
            <li key={seat.index} class="picks-seat">
              <button type="button" class="picks-show" onClick={() => show_seats([seat.index])}>
                <span class="dot" style={{ '--color': state.plan!.price(seat).color }} aria-hidden="true" />
                <span class="picks-name">{seat_short(seat)}</span>
                <span class="soft numbers">{write_price(state.plan!.price(seat))}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <a class="button button-wide" href={`/shows/${state.show_id}/checkout`}>
        {say('seats_to_payment')} · {write_money(held.amount, held.currency)}
      </a>
    </>
  );
}

export function Basket({ state, show_seats }: { state: SeatsState; show_seats: (seats: number[]) => void }) {
  const plan = state.plan!;
  const { seats, count, amount, show } = state;
  const areas = Object.entries(state.selection.areas);
  const selling = show?.status === 'ON_SALE' || show?.status === 'SOLD_OUT';
  if (state.held)
    return (
      <section class="picks picks-held" aria-label={say('seats_your_choice')}>
        <NoticeBox state={state} />
        <Held state={state} show_seats={show_seats} />
      </section>
    );
  return (
    <section class={count > 0 ? 'picks picks-full' : 'picks'} aria-label={say('seats_your_choice')}>
      <NoticeBox state={state} />
      {count === 0 ? (
        <>
          <p class="picks-hint soft">{state.has_to_queue && selling ? say('seats_look_around') : say('seats_hint')}</p>
          {state.has_to_queue && selling && (
            <a class="button button-wide" href={`/shows/${state.show_id}/queue`}>
              {say('seats_queue_first')}
            </a>
          )}
        </>
      ) : (
        <>
          <div class="picks-sum picks-sum-chosen">
            <p class="picks-title" aria-live="polite">
              {say('seats_chosen', { count })}
            </p>
            <button type="button" class="button-text small" disabled={state.busy} onClick={state.clear}>
              {say('seats_clear')}
            </button>
          </div>
          <ul class="picks-seats">
            {seats.map((seat) => (
              <li key={seat.index} class="picks-seat">
                <button type="button" class="picks-show" onClick={() => show_seats([seat.index])}>
                  <span class="dot" style={{ '--color': plan.price(seat).color }} aria-hidden="true" />
                  <span class="picks-name">{seat_short(seat)}</span>
                  <span class="soft numbers">{write_price(plan.price(seat))}</span>
                </button>
                <button type="button" class="picks-remove" aria-label={say('seats_remove', { seat: seat_short(seat) })} disabled={state.busy} onClick={() => state.toggle(seat.index)}>
                  <Sign d="M7 7l10 10M17 7L7 17" />
                </button>
              </li>
            ))}
            {areas.map(([area, places]) => {
              const place = plan.areas[Number(area)]!;
              return (
                <li key={`area-${area}`} class="picks-seat">
                  <span class="picks-show">
                    <span class="dot" style={{ '--color': plan.prices[place.category]?.color ?? '' }} aria-hidden="true" />
                    <span class="picks-name">
                      {places} × {place.name}
                    </span>
                    <span class="soft numbers">{write_price(plan.prices[place.category] ?? null)}</span>
                  </span>
                  <button type="button" class="picks-remove" aria-label={say('seats_remove', { seat: place.name })} disabled={state.busy} onClick={() => state.set_area(place.index, 0)}>
                    <Sign d="M7 7l10 10M17 7L7 17" />
                  </button>
                </li>
              );
            })}
          </ul>
          {state.has_to_queue ? (
            <a class="button button-wide" href={`/shows/${state.show_id}/queue`}>
              {say('seats_queue_first')}
            </a>
          ) : (
            <button type="button" class="button button-wide" disabled={state.busy || !selling || seats.length < state.selection.seats.length} onClick={() => void state.hold()}>
              {state.busy ? say('seats_busy') : amount === null ? say('seats_hold', { count }) : say('seats_hold_for', { count, price: amount === 0 ? say('price_free') : write_money(amount, state.currency) })}
            </button>
          )}
          {state.has_to_queue && <p class="small soft picks-note">{say('seats_queue_text')}</p>}
        </>
      )}
    </section>
  );
}

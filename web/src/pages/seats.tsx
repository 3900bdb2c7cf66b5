/* Choosing seats: on the map, from a list, or by letting us choose; and what is chosen beside it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useNow } from '../base/hooks';
import { write_countdown, write_date, write_day, write_time } from '../base/write';
import { accent_set } from '../design/accent';
import { Basket } from '../map/basket';
import { Best } from '../map/best';
import type { Thing } from '../map/draw';
import { AVAILABLE, HELD } from '../map/frames';
import { AreaChoice, List } from '../map/list';
import { from_price, seat_in_row, section_name, write_price } from '../map/names';
import { SeatMap, type MapHandle } from '../map/seat_map';
import { Sign } from '../map/sign';
import { SeatsState } from '../map/seats_state';
import { say } from '../strings/strings';
import { Heading } from './heading';
import { NotLoaded, Skeleton } from './waiting';
import '../map/map.css';

const PASS_SHOWN_MS = 180_000;
const ways = ['best', 'map', 'list'] as const;
type Way = (typeof ways)[number];

function way_of_address(): Way {
  const wanted = new URLSearchParams(location.search).get('view');
  return ways.find((way) => way === wanted) ?? 'map';
}

function PassLeft({ state }: { state: SeatsState }) {
  const now = useNow();
  const ends_ms = state.pass_ends_ms;
  if (ends_ms === null || ends_ms - now > PASS_SHOWN_MS || state.held) return null;
  return (
    <p class="chip seats-pass numbers" role="timer">
      {say('seats_pass_left', { time: write_countdown(ends_ms - now) })}
    </p>
  );
}

function Head({ state }: { state: SeatsState }) {
  const show = state.show!;
  const left = state.plan?.total_left() ?? 0;
  return (
    <header class="seats-head">
      {show.image && <img class="seats-picture" src={show.image} alt="" width="56" height="56" decoding="async" />}
      <div class="seats-words">
        <Heading title={show.event_name} class="seats-title" />
        <p class="small soft seats-facts">
          {show.start_time && <time dateTime={show.start_time} title={write_date(show.start_time)}>
              {write_day(show.start_time)}, {write_time(show.start_time)}
            </time>}
          {state.statuses_known && (
            <span class={`live live-${state.live} numbers`}>
              {state.live === 'lost' ? say('seats_reconnecting') : say('seats_left', { count: left })}
              <span class="visually-hidden">{state.live === 'live' ? `, ${say('seats_live')}` : ''}</span>
            </span>
          )}
        </p>
      </div>
      <PassLeft state={state} />
    </header>
  );
}

/* What can be done where nothing can be held. */
function SaleState({ state }: { state: SeatsState }) {
  const show = state.show!;
  const to = `/shows/${show.show_id}`;
  const opens = show.on_sale_time ? write_date(show.on_sale_time) : '';
  const words = {
    ON_SALE: null,
    PAUSED: { text: say('seats_paused'), href: null, label: '' },
    SOLD_OUT: { text: say('seats_sold_out'), href: null, label: '' },
    CLOSED: { text: say('seats_closed'), href: '/', label: say('back_to_shows') },
    SCHEDULED: { text: opens ? say('seats_opens', { time: opens }) : say('seats_not_open'), href: to, label: say('action_show') },
    PRE_QUEUE: {
      text: opens ? say('seats_opens', { time: opens }) : say('seats_not_open'),
      href: show.waiting_room.enabled ? `${to}/queue` : to,
      label: show.waiting_room.enabled ? say('action_queue') : say('action_show'),
    },
  }[show.status];
  if (!words) return null;
  return (
    <div class="seats-state" role="status">
      <p>{words.text}</p>
      {words.href && (
        <a class="button button-small" href={words.href}>
          {words.label}
        </a>
      )}
    </div>
  );
}

export function SeatsPage({ show_id }: { show_id: string }) {
  const [version, set_version] = useState(0);
  const state = useMemo(() => new SeatsState(show_id, () => set_version((count) => count + 1)), [show_id]);
  const map = useRef<MapHandle | null>(null);
  const [way, set_way] = useState<Way>(way_of_address);
  const [only, set_only] = useState<ReadonlySet<number>>(new Set());
  const [area, set_area] = useState<number | null>(null);
  useEffect(() => {
    state.seats_changed = (changes) => map.current?.changed(changes);
    void state.start();
    return () => state.stop();
  }, [state]);
  const color = state.show?.accent_color ?? null;
  useEffect(() => accent_set(color), [color]);

  const { plan, show } = state;
  const marks = useMemo(
    () => ({
      only,
      selected: new Set(state.held ? [] : state.selection.seats),
      mine: new Set(state.mine.map((seat) => seat.index)),
      lost: state.lost,
      from: plan ? (place: Parameters<typeof from_price>[1]) => (state.statuses_known && place.left === 0 ? say('seats_none_left') : from_price(plan, place)) : () => '',
    }),
    [version, only],
  );

  if (state.failed && !plan) return <NotLoaded problem={state.failed} again={() => location.reload()} />;
  if (!show || !plan) return <Skeleton shapes={['title', 'line', 'hero']} />;

  const choose_way = (to: Way) => {
    set_way(to);
    history.replaceState(history.state, '', to === 'map' ? location.pathname : `${location.pathname}?view=${to}`);
  };
  const describe = (thing: Thing): string => {
    if (thing.kind === 'seat') {
      const seat = plan.seat(thing.index);
      if (!seat) return '';
      const status = plan.statuses[thing.index];
      const facts = [seat_in_row(seat), write_price(plan.price(seat)), plan.price(seat).name];
      if (state.mine.some((mine) => mine.index === thing.index)) facts.push(say('seats_is_mine'));
      else if (status === AVAILABLE) facts.push(state.selection.seats.includes(thing.index) ? say('seats_is_chosen') : say('seats_is_free'));
      else facts.push(status === HELD ? say('seats_is_held') : say('seats_is_gone'));
      return facts.filter(Boolean).join(' · ');
    }
    const place = thing.kind === 'section' ? plan.sections[thing.index] : plan.areas[thing.index];
    if (!place) return '';
    return [thing.kind === 'section' ? section_name(place) : place.name, place.left > 0 ? say('seats_left', { count: place.left }) : say('seats_none_left'), from_price(plan, place)].join(' · ');
  };
  const show_seats = (seats: number[]) => {
    if (way !== 'map') choose_way('map');
    setTimeout(() => map.current?.show_seats(seats), way === 'map' ? 0 : 120);
  };
  const toggle_price = (index: number) => {
    const next = new Set(only);
    if (!next.delete(index)) next.add(index);
    set_only(next.size === plan.prices.length ? new Set() : next);
  };
  const picked = area === null ? null : (plan.areas[area] ?? null);
  const unseen = plan.areas.filter((place) => !place.outline);
  /* Who has the best chosen for them has one button, and on a phone it takes the bar's place. */
  const is_idle = way === 'best' && !state.held && !state.notice && !state.has_to_queue && state.count === 0;

  return (
    <div class={`seats seats-way-${way}`}>
      <Head state={state} />
      <div class="seats-main">
        <SaleState state={state} />
        <div class="seats-tools">
          <div class="segments" role="group" aria-label={say('seats_how')}>
            {ways.map((other) => (
              <button key={other} type="button" class="segment" aria-pressed={way === other} onClick={() => choose_way(other)}>
                {say(`seats_way_${other}`)}
              </button>
            ))}
          </div>
          {way !== 'best' && (
            <ul class="legend" aria-label={say('seats_prices')}>
              {plan.prices
                .filter((price) => price.amount !== null)
                .map((price) => (
                  <li key={price.index}>
                    <button type="button" class={only.size > 0 && !only.has(price.index) ? 'price-chip price-chip-off' : 'price-chip'} aria-pressed={only.has(price.index)} onClick={() => toggle_price(price.index)}>
                      <span class="dot" style={{ '--color': price.color }} aria-hidden="true" />
                      <span class="price-chip-name">{price.name}</span>
                      <span class="numbers price-chip-amount">{write_price(price)}</span>
                    </button>
                  </li>
                ))}
            </ul>
          )}
        </div>
        {way === 'map' && (
          <div class="seats-map">
            <SeatMap plan={plan} marks={marks} statuses_known={state.statuses_known} handle={map} describe={describe} on_seat={state.toggle} on_area={set_area} />
            {(picked || unseen.length > 0) && (
              <div class="map-areas">
                {picked && (
                  <div class="map-area appears">
                    <AreaChoice state={state} area={picked} />
                    <button type="button" class="map-close" aria-label={say('seats_close')} onClick={() => set_area(null)}>
                      <Sign d="M6 6l12 12M18 6L6 18" />
                    </button>
                  </div>
                )}
                {unseen.filter((place) => place !== picked).map((place) => (
                  <div key={place.index} class="map-area">
                    <AreaChoice state={state} area={place} />
                  </div>
                ))}
              </div>
            )}
          </div>
        )}
        {way === 'best' && <Best state={state} />}
        {way === 'list' && <List state={state} only={only} />}
      </div>
      <aside class={is_idle ? 'seats-side seats-side-idle' : 'seats-side'}>
        <Basket state={state} show_seats={show_seats} />
      </aside>
    </div>
  );
}

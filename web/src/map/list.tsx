/* The same choice without a picture: sections, in them rows, in them seats, as headings and buttons.
 *
 * A screen reader walks headings and buttons as everywhere else; each seat is a toggle that says row, number, price and
 * whether it is to be had. With the keyboard a row is one stop, and the arrows go along it and between rows. Taken seats
 * are only seen; one that goes while it is shown stays where it is, as a button that says so. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { say } from '../strings/strings';
import { AVAILABLE, BOOKED } from './frames';
import { from_price, section_name, write_price } from './names';
import type { Area, Row, Seats, Section } from './plan';
import type { SeatsState } from './seats_state';
import { Sign } from './sign';
import { Stepper } from './stepper';

const ROWS_AT_ONCE = 40;

function SeatRow({ state, section, seats, row }: { state: SeatsState; section: Section; seats: Seats; row: Row }) {
  const plan = state.plan!;
  const shown = useRef(new Set<number>());
  const [stop, set_stop] = useState(-1);
  const chosen = new Set(state.selection.seats);
  const mine = new Set(state.mine.map((seat) => seat.index));
  const indices = Array.from({ length: row.seats }, (_, i) => row.first + i);
  const free = indices.filter((index) => plan.statuses[index] === AVAILABLE);
  for (const index of free) shown.current.add(index);
  const buttons = indices.filter((index) => shown.current.has(index) || mine.has(index));
  const focusable = buttons.includes(stop) ? stop : (buttons[0] ?? -1);
  const key = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const along = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (along !== 0) {
      const next = buttons[buttons.indexOf(Number(target.dataset.seat)) + along];
      if (next !== undefined) target.parentElement?.querySelector<HTMLElement>(`[data-seat="${next}"]`)?.focus();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const rows = [...(target.closest('.list-rows')?.querySelectorAll<HTMLElement>('.list-seats') ?? [])].filter((other) => other.querySelector('button'));
      const other = rows[rows.indexOf(target.parentElement as HTMLElement) + (event.key === 'ArrowDown' ? 1 : -1)];
      const left = target.offsetLeft;
      const nearest = [...(other?.querySelectorAll<HTMLElement>('button') ?? [])].sort((a, b) => Math.abs(a.offsetLeft - left) - Math.abs(b.offsetLeft - left))[0];
      nearest?.focus();
    } else return;
    event.preventDefault();
  };
  return (
    <li class="list-row">
      <h3 class="list-row-name">
        {row.label ? say('seats_row', { row: row.label }) : say('seats_unnamed_row')}
        <span class="visually-hidden">, {free.length > 0 ? say('seats_left', { count: free.length }) : say('seats_none_left')}</span>
      </h3>
      <div class="list-seats" onKeyDown={key}>
        {indices.map((index) => {
          const at = index - section.first;
          const price = plan.prices[seats.categories[at]!]!;
          const status = plan.statuses[index]!;
          const number = seats.numbers[at]!;
          const gap = seats.gaps[at] ? ' list-gap' : '';
          if (!shown.current.has(index) && !mine.has(index)) return <span key={index} class={`list-taken${status === BOOKED ? '' : ' list-held'}${gap}`} aria-hidden="true" />;
          const is_mine = mine.has(index);
          const is_free = status === AVAILABLE || is_mine;
          const words = say(is_mine ? 'seats_seat_mine' : is_free ? 'seats_seat_free' : 'seats_seat_gone', { row: row.label, number, price: write_price(price), name: price.name });
          return (
            <button
              key={index}
              type="button"
              class={`list-seat${is_mine ? ' list-mine' : ''}${is_free ? '' : ' list-gone'}${gap}`}
              style={{ '--color': price.color }}
              data-seat={index}
              tabIndex={index === focusable ? 0 : -1}
              aria-label={words}
              aria-pressed={chosen.has(index) || is_mine}
              aria-disabled={!is_free || undefined}
              title={words}
              onFocus={() => set_stop(index)}
              onClick={() => is_free && state.toggle(index)}
            >
              {is_mine ? '✓' : number}
            </button>
          );
        })}
      </div>
    </li>
  );
}

function SectionRows({ state, section, free_only }: { state: SeatsState; section: Section; free_only: boolean }) {
  const with_seats = useRef(new Set<number>()); /* rows that had seats left: they stay where they are */
  const [rows_shown, set_rows] = useState(ROWS_AT_ONCE);
  const [failed, set_failed] = useState(false);
  const load = () => {
    set_failed(false);
    state.plan?.seats(section.index).catch(() => set_failed(true));
  };
  useEffect(load, [section.index]);
  const seats = section.seats_known;
  if (failed)
    return (
      <p class="list-note" role="alert">
        {say('seats_not_loaded')}{' '}
        <button type="button" class="button-text" onClick={load}>
          {say('action_retry')}
        </button>
      </p>
    );
  if (!seats) return <p class="list-note soft">{say('loading')}</p>;
  const { statuses } = state.plan!;
  const mine = new Set(state.mine.map((seat) => seat.index));
  const rows = seats.rows.filter((row) => {
    for (let index = row.first; index < row.first + row.seats; index++) if (statuses[index] === AVAILABLE || mine.has(index)) with_seats.current.add(row.first);
    return !free_only || with_seats.current.has(row.first);
  });
  return (
    <>
      {rows.length === 0 && <p class="list-note soft">{say('seats_none_left')}</p>}
      <ul class="list-rows">
        {rows.slice(0, rows_shown).map((row) => (
          <SeatRow key={row.first} state={state} section={section} seats={seats} row={row} />
        ))}
      </ul>
      {rows.length > rows_shown && (
        <button type="button" class="button button-quiet button-small" onClick={() => set_rows(rows_shown + ROWS_AT_ONCE)}>
          {say('seats_more_rows')}
        </button>
      )}
    </>
  );
}

export function AreaChoice({ state, area }: { state: SeatsState; area: Area }) {
  const plan = state.plan!;
  const chosen = state.selection.areas[area.index] ?? 0;
  const others = state.count - chosen;
  return (
    <div class="area">
      <div class="area-words">
        <h2 class="area-name">
          <span class="dot" style={{ '--color': plan.prices[area.category]?.color ?? '' }} aria-hidden="true" />
          {area.name}
        </h2>
        <p class="small soft numbers">
          {say('seats_standing')} · {from_price(plan, area)} · {area.left > 0 ? say('seats_left', { count: area.left }) : say('seats_none_left')}
        </p>
      </div>
      <Stepper value={chosen} least={0} most={Math.min(area.left, state.most - others)} label={say('seats_places_in', { name: area.name })} change={(count) => state.set_area(area.index, count)} />
    </div>
  );
}

export function List({ state, only }: { state: SeatsState; only: ReadonlySet<number> }) {
  const plan = state.plan!;
  const [open, set_open] = useState<number | null>(null);
  const [free_only, set_free_only] = useState(true);
  const wanted = (categories: readonly number[]) => only.size === 0 || categories.some((category) => only.has(category));
  const sections = plan.sections.filter((section) => wanted(section.categories) && (!free_only || section.left > 0 || open === section.index));
  const areas = plan.areas.filter((area) => wanted([area.category]));
  return (
    <div class="list">
      <label class="list-free">
        <input type="checkbox" checked={free_only} onChange={() => set_free_only(!free_only)} />
        {say('seats_free_only')}
      </label>
      {areas.length > 0 && (
        <section class="list-areas" aria-label={say('seats_standing')}>
          {areas.map((area) => (
            <AreaChoice key={area.index} state={state} area={area} />
          ))}
        </section>
      )}
      {sections.length === 0 && areas.length === 0 && <p class="soft">{say('seats_nothing')}</p>}
      <ul class="list-sections">
        {sections.map((section) => (
          <li key={section.index} class="list-section">
            <h2 class="list-heading">
              <button type="button" class="list-open" aria-expanded={open === section.index} onClick={() => set_open(open === section.index ? null : section.index)}>
                <span class="list-dots" aria-hidden="true">
                  {section.categories.slice(0, 3).map((category) => (
                    <span key={category} class="dot" style={{ '--color': plan.prices[category]?.color ?? '' }} />
                  ))}
                </span>
                <span class="list-name">{section_name(section)}</span>
                <span class="list-facts small numbers">
                  {section.left > 0 ? say('seats_left', { count: section.left }) : say('seats_none_left')} · {from_price(plan, section)}
                </span>
                <Sign d="M6 9l6 6 6-6" />
              </button>
            </h2>
            {open === section.index && <SectionRows state={state} section={section} free_only={free_only} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

/* What seats and prices are called. A plan's names are texts, as long as they like: where they stand may cut them. */
import { write_money } from '../base/write';
import { say } from '../strings/strings';
import type { Area, Plan, Price, Seat, Section } from './plan';

export const write_price = (price: Price | null): string => (price?.amount == null ? '' : price.amount === 0 ? say('price_free') : write_money(price.amount, price.currency));

/* 112 · C8: for lists and buttons. */
export function seat_short(seat: Seat): string {
  if (seat.row === '' && seat.number === '') return seat.section || seat.seat_id;
  const numbered = /\d$/.test(seat.row) ? `${seat.row}-${seat.number}` : `${seat.row}${seat.number}`;
  return seat.section ? `${seat.section} · ${numbered}` : numbered;
}

/* Several of one section and row: 112 · C8, C9. */
export function seats_short(seats: readonly Seat[]): string {
  let section: string | null = null;
  const written = seats.map((seat) => {
    const same = seat.section === section;
    section = seat.section;
    return seat_short(same && seat.number !== '' ? { ...seat, section: '' } : seat);
  });
  return written.length > 6 ? `${written.slice(0, 5).join(', ')} …` : written.join(', ');
}

export function seat_in_row(seat: Seat): string {
  return say('seats_row_seat', { row: seat.row, number: seat.number });
}

export function section_name(section: Section | Area): string {
  return section.name === '' ? say('seats_unnamed') : say('seats_section', { name: section.name });
}

export function from_price(plan: Plan, place: Section | Area): string {
  const categories = 'category' in place ? [place.category] : place.categories;
  const price = write_price(plan.least_amount(categories));
  return price && categories.length > 1 ? say('seats_from', { price }) : price;
}

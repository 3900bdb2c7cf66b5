/* How long something is, in words, and what a seat is called. */
import { say } from '../strings/strings';
import type { Place } from './seat_places';

/* In the largest unit that says it exactly; else in minutes or hours, rounded up. */
export function say_duration(seconds: number): string {
  if (seconds % 86_400 === 0 && seconds > 0) return say('days', { count: seconds / 86_400 });
  if (seconds % 3600 === 0 && seconds > 0) return say('hours', { count: seconds / 3600 });
  if (seconds < 120 && seconds % 60) return say('seconds', { count: seconds });
  if (seconds > 48 * 3600) return say('hours', { count: Math.ceil(seconds / 3600) });
  return say('minutes', { count: Math.ceil(seconds / 60) });
}

/* "Stalls · Row A · Seat 5"; where the plan says nothing about it, its id. */
export function say_seat(seat_id: string, place: Pick<Place, 'section' | 'row' | 'number'> | null | undefined): string {
  if (!place) return seat_id;
  const parts = [place.section, place.row && say('seat_row', { row: place.row }), place.number && say('seat_number', { number: place.number })];
  return parts.filter(Boolean).join(' · ') || seat_id;
}

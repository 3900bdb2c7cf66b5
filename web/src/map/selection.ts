/* What the fan has chosen and nobody holds yet: seats by their place in the plan, and how many places of each area.
 *
 * Kept for this tab (sessionStorage) under the plan's hash, so that a reload, the back button and a trip through the
 * queue find it again. The rules of the show are kept here, since a refusal at the end would come too late. */
import type { Show } from '../base/types';

export interface Selection {
  seats: readonly number[]; /* in plan order, in the order chosen */
  areas: Readonly<Record<number, number>>; /* by the area's index */
}

export const nothing: Selection = { seats: [], areas: {} };

export const selection_count = (selection: Selection): number => Object.values(selection.areas).reduce((sum, count) => sum + count, selection.seats.length);

/* How many one person may take at once. */
export function most_seats(show: Pick<Show, 'max_seats_per_reservation' | 'max_seats_per_user'>): number {
  const limits = [show.max_seats_per_reservation, show.max_seats_per_user].filter((limit) => limit > 0);
  return limits.length ? Math.min(...limits) : 100;
}

/* Null: that would be too many. */
export function selection_toggle(selection: Selection, seat: number, most: number): Selection | null {
  if (selection.seats.includes(seat)) return { ...selection, seats: selection.seats.filter((other) => other !== seat) };
  return selection_count(selection) < most ? { ...selection, seats: [...selection.seats, seat] } : null;
}

export function selection_set_area(selection: Selection, area: number, count: number, most: number): Selection | null {
  const { [area]: before = 0, ...others } = selection.areas;
  if (count > before && selection_count(selection) - before + count > most) return null;
  return { ...selection, areas: count > 0 ? { ...others, [area]: count } : others };
}

export function selection_without(selection: Selection, seats: Iterable<number>): Selection {
  const gone = new Set(seats);
  return selection.seats.some((seat) => gone.has(seat)) ? { ...selection, seats: selection.seats.filter((seat) => !gone.has(seat)) } : selection;
}

const name_of = (show_id: string) => `onsale.selection.${show_id}`;

export function selection_keep(show_id: string, hash: string, selection: Selection): void {
  try {
    if (selection_count(selection) === 0) sessionStorage.removeItem(name_of(show_id));
    else sessionStorage.setItem(name_of(show_id), JSON.stringify({ hash, ...selection }));
  } catch {
    /* Refused: it lasts as long as the page. */
  }
}

/* What another program or another plan left there is nothing. */
export function selection_kept(show_id: string, hash: string, seats: number, areas: number): Selection {
  try {
    const kept = JSON.parse(sessionStorage.getItem(name_of(show_id)) ?? 'null');
    if (kept?.hash !== hash || !Array.isArray(kept.seats)) return nothing;
    const known = kept.seats.filter((seat: unknown) => Number.isInteger(seat) && (seat as number) >= 0 && (seat as number) < seats);
    const counts = Object.entries(kept.areas ?? {}).filter(([area, count]) => Number(area) < areas && Number.isInteger(count) && (count as number) > 0);
    return { seats: [...new Set<number>(known)].slice(0, 100), areas: Object.fromEntries(counts) as Record<number, number> };
  } catch {
    return nothing;
  }
}

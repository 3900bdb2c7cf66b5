/* Where seats are, and what they cost: section, row, number and category, from the parts of the plan that have them.
 *
 * A plan may be large, and its parts never change: a section is loaded when one of the seats may be in it, those whose
 * name begins the seat's id first. */
import { get } from '../base/api';
import type { PlanOverview, PlanSectionRows, Show } from '../base/types';

const MOST_PARTS = 60; /* a seat that is in none of these keeps its id for a name */

export interface Place {
  section: string;
  row: string | null;
  number: string | null;
  category: string;
}

const overviews = new Map<string, Promise<PlanOverview>>();

function part_of<T>(show: Show, part: string | number, signal?: AbortSignal): Promise<T> {
  return get<T>(`/api/v1/shows/${show.show_id}/plan?part=${part}&hash=${show.plan.hash}`, signal ? { signal } : {});
}

export function plan_overview(show: Show): Promise<PlanOverview> {
  const known = overviews.get(show.plan.hash);
  if (known) return known;
  const loading = part_of<PlanOverview>(show, 'overview');
  overviews.set(show.plan.hash, loading);
  loading.catch(() => overviews.delete(show.plan.hash));
  return loading;
}

export async function seat_places(show: Show, seat_ids: string[], signal?: AbortSignal): Promise<Map<string, Place>> {
  const overview = await plan_overview(show);
  const wanted = new Set(seat_ids);
  const found = new Map<string, Place>();
  for (const seat_id of seat_ids) {
    const area = overview.areas.find(({ name }) => seat_id.startsWith(`${name}-`) && /^\d+$/.test(seat_id.slice(name.length + 1)));
    if (!area) continue;
    found.set(seat_id, { section: area.name, row: null, number: null, category: overview.categories[area.category]?.name ?? '' });
    wanted.delete(seat_id);
  }
  const order = overview.sections
    .map(({ name }, part) => ({ part, is_likely: seat_ids.some((seat_id) => seat_id.startsWith(`${name}-`)) }))
    .sort((a, b) => Number(b.is_likely) - Number(a.is_likely));
  for (const { part } of order.slice(0, MOST_PARTS)) {
    if (wanted.size === 0) break;
    const section = await part_of<PlanSectionRows>(show, part, signal);
    for (const row of section.rows) {
      for (const [seat_id, number, , , category] of row.seats) {
        if (!wanted.delete(seat_id)) continue;
        found.set(seat_id, { section: section.name, row: row.label, number, category: overview.categories[category]?.name ?? '' });
      }
    }
  }
  return found;
}

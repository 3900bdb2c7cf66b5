/* The venue from above, small: the outlines of its sections in their categories' colours. To look at, not to choose on. */
import { useEffect, useState } from 'preact/hooks';
import type { PlanOverview, Point, Show } from '../base/types';
import { say } from '../strings/strings';
import { plan_overview } from './seat_places';

const points = (outline: Point[]) => outline.map(([x, y]) => `${x},${y}`).join(' ');

export function VenueMap({ show }: { show: Show }) {
  const [overview, set] = useState<PlanOverview | null>(null);
  useEffect(() => {
    let is_wanted = true;
    plan_overview(show).then(
      (plan) => is_wanted && set(plan),
      () => undefined /* The page is complete without it. */,
    );
    return () => {
      is_wanted = false;
    };
  }, [show.plan.hash]);
  const [left, top, right, bottom] = overview?.box ?? [0, 0, 16, 10];
  const margin = (right - left) * 0.02;
  const color = (category: number | undefined) => (category === undefined ? undefined : overview?.categories[category]?.color);
  return (
    <svg
      class="venue"
      viewBox={`${left - margin} ${top - margin} ${right - left + 2 * margin} ${bottom - top + 2 * margin}`}
      role="img"
      aria-label={say('show_venue_map', { name: show.plan.name })}
    >
      {overview?.areas.map((area) => area.outline && <polygon key={area.first} points={points(area.outline)} fill={color(area.category)} />)}
      {overview?.sections.map((section) => (
        <polygon
          key={section.first}
          points={points(section.outline)}
          fill={color(section.categories[0])}
          {...(section.outline.length < 3 ? { class: 'venue-line', stroke: color(section.categories[0]) } : {})}
        />
      ))}
    </svg>
  );
}

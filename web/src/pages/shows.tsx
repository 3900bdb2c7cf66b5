/* All shows: those that sell first, then those that will, then those that did; by their date. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../base/api';
import { useLoaded } from '../base/hooks';
import type { SaleStatus, Show, ShowBrief } from '../base/types';
import { write_day, write_money, write_time } from '../base/write';
import { accent_of, accent_set, accent_style } from '../design/accent';
import { Picture } from '../shop/picture';
import { StatusChip } from '../shop/status_chip';
import { say } from '../strings/strings';
import { Heading } from './heading';
import './shows.css';
import { NotLoaded, Skeleton } from './waiting';

const rank: Record<SaleStatus, number> = { ON_SALE: 0, PRE_QUEUE: 0, PAUSED: 0, SCHEDULED: 0, SOLD_OUT: 1, CLOSED: 2 };

function sorted(shows: ShowBrief[]): ShowBrief[] {
  const time = (show: ShowBrief) => (show.start_time ? Date.parse(show.start_time) : Infinity);
  return [...shows].sort((a, b) => rank[a.status] - rank[b.status] || (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0));
}

export function price_from(show: Show): string {
  const cheapest = show.categories.filter((category) => category.seats > 0).sort((a, b) => a.amount - b.amount)[0];
  if (!cheapest) return '';
  return cheapest.amount === 0 ? say('price_free') : say('price_from', { price: write_money(cheapest.amount, cheapest.currency) });
}

/* What the list does not say of a show is asked for when its card comes near. */
function Card({ brief }: { brief: ShowBrief }) {
  const place = useRef<HTMLLIElement>(null);
  const [is_near, set_near] = useState(false);
  const [show, set_show] = useState<Show | null>(null);
  useEffect(() => {
    if (!place.current || is_near) return;
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && set_near(true), { rootMargin: '300px' });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!is_near) return;
    const ends = new AbortController();
    get<Show>(`/api/v1/shows/${brief.show_id}`, { signal: ends.signal }).then(set_show, () => undefined);
    return () => ends.abort();
  }, [is_near, brief]);
  const status = show?.status ?? brief.status;
  return (
    <li ref={place} class="show-card" style={show ? accent_style(accent_of(show.show_id, show.accent_color)) : undefined}>
      <a class="show-card-link" href={`/shows/${brief.show_id}`}>
        {show ? <Picture subject={brief.show_id} image={show.image} /> : <div class="picture picture-none" />}
        <div class="show-card-words">
          <h2>{brief.event_name}</h2>
          <p class="show-card-when">
            {brief.start_time && (
              <time dateTime={brief.start_time}>
                {write_day(brief.start_time)}, {write_time(brief.start_time)}
              </time>
            )}
            {show?.plan.name && <span>{show.plan.name}</span>}
          </p>
          <p class="show-card-foot">
            <StatusChip status={status} />
            {(status === 'SCHEDULED' || status === 'PRE_QUEUE') && brief.on_sale_time ? (
              <span class="soft small">{say('on_sale_at', { time: `${write_day(brief.on_sale_time)}, ${write_time(brief.on_sale_time)}` })}</span>
            ) : (
              <span class="show-card-price">{show && price_from(show)}</span>
            )}
          </p>
        </div>
      </a>
    </li>
  );
}

export function ShowsPage() {
  const { value: shows, problem, again } = useLoaded('shows', (signal) => get<ShowBrief[]>('/api/v1/shows', { signal }));
  useEffect(() => accent_set(null), []);
  if (!shows) return problem ? <NotLoaded problem={problem} again={again} /> : <Skeleton shapes={['title', 'cards']} />;
  return (
    <div class="column column-wide page shows">
      <div class="shows-head">
        <Heading title={say('shows_title')} />
        <p class="lead">{say(shows.length === 0 ? 'shows_none' : 'shows_lead')}</p>
      </div>
      <ul class="show-cards">
        {sorted(shows).map((brief) => (
          <Card key={brief.show_id} brief={brief} />
        ))}
      </ul>
    </div>
  );
}

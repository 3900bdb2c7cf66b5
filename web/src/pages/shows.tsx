import { useEffect, useState } from 'preact/hooks';
import { get } from '../base/api';
import type { ShowBrief } from '../base/types';
import { write_date } from '../base/write';
import { say } from '../strings/strings';

export function ShowsPage() {
  const [shows, set] = useState<ShowBrief[] | null>(null);
  useEffect(() => void get<ShowBrief[]>('/api/v1/shows').then(set), []);
  return (
    <div class="column stack">
      <h1>{say('shows_title')}</h1>
      {shows?.length === 0 && <p>{say('shows_none')}</p>}
      <ul class="stack">
        {shows?.map((show) => (
          <li key={show.show_id}>
            <a href={`/shows/${show.show_id}`}>{show.event_name}</a> {show.start_time && write_date(show.start_time)}
          </li>
        ))}
      </ul>
    </div>
  );
}

/* A show, kept fresh while somebody looks.
 *
 * Asked for every quarter of a minute, a fifth more or less by chance, so that a crowd spreads; and just after the
 * moments at which it changes by itself, within three seconds of them. */
import { useEffect } from 'preact/hooks';
import { get } from '../base/api';
import { clock_now } from '../base/clock';
import { useLoaded, type Loaded } from '../base/hooks';
import type { Show } from '../base/types';
import { accent_of, accent_set } from '../design/accent';

const STEP_MS = 15_000;
const SPREAD_MS = 3000;

/* When fans may gather before the opening; null: there is no such time. */
export function room_opens_ms(show: Show): number | null {
  const room = show.waiting_room;
  return show.on_sale_time && room.enabled && room.pre_queue_seconds > 0 ? Date.parse(show.on_sale_time) - room.pre_queue_seconds * 1000 : null;
}

function next_look_ms(show: Show): number {
  const now = clock_now();
  const moments = [room_opens_ms(show), show.on_sale_time ? Date.parse(show.on_sale_time) : null];
  const soon = moments.filter((moment): moment is number => moment !== null && moment > now).map((moment) => moment - now + Math.random() * SPREAD_MS);
  return Math.min(STEP_MS * (0.8 + Math.random() * 0.4), ...soon);
}

export function useShow(show_id: string): Loaded<Show> {
  const loaded = useLoaded(show_id, (signal) => get<Show>(`/api/v1/shows/${show_id}`, { signal }));
  const { value: show, problem, again } = loaded;
  useEffect(() => {
    if (!show && !problem) return;
    if (!show && problem?.code === 'show_not_found') return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      if (!document.hidden) again();
    };
    timer = setTimeout(look, show ? next_look_ms(show) : STEP_MS);
    const seen = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      timer = setTimeout(look, Math.random() * 500);
    };
    document.addEventListener('visibilitychange', seen);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [show, problem]);
  const color = show ? accent_of(show_id, show.accent_color) : null;
  useEffect(() => accent_set(color), [color]);
  return loaded;
}

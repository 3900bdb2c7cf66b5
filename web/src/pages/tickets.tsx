/* The bookings that this device knows of. */
import { useEffect } from 'preact/hooks';
import { get } from '../base/api';
import { device_bookings, type BookingMemory } from '../base/device';
import { useDevice, useLoaded } from '../base/hooks';
import type { Booking, Show } from '../base/types';
import { write_day, write_time } from '../base/write';
import { accent_of, accent_set, accent_style } from '../design/accent';
import { Picture } from '../shop/picture';
import { say } from '../strings/strings';
import { Heading } from './heading';
import './shows.css';

function Entry({ kept }: { kept: BookingMemory }) {
  const { value } = useLoaded(kept.booking_id, async (signal) => {
    /* Each may be had without the other: a show that is over may be gone. */
    const failed = (error: unknown) => {
      if (signal.aborted) throw error;
      return null;
    };
    const [booking, show] = await Promise.all([
      get<Booking>(`/api/v1/bookings/${kept.booking_id}`, { signal }).catch(failed),
      get<Show>(`/api/v1/shows/${kept.show_id}`, { signal }).catch(failed),
    ]);
    return { booking, show };
  });
  const status = value?.booking?.status;
  const start_time = value?.show?.start_time;
  return (
    <li class="show-card show-card-flat" style={value?.show ? accent_style(accent_of(value?.show.show_id, value?.show.accent_color)) : undefined}>
      <a class="show-card-link" href={`/bookings/${kept.booking_id}`}>
        {value?.show ? <Picture subject={kept.show_id} image={value.show.image} /> : <div class="picture picture-none" />}
        <div class="show-card-words">
          <h2>{value?.show?.event_name ?? kept.event_name}</h2>
          <p class="show-card-when">
            {start_time && (
              <time dateTime={start_time}>
                {write_day(start_time)}, {write_time(start_time)}
              </time>
            )}
            {value?.booking && <span>{say('seat_count', { count: value.booking.seat_ids.length })}</span>}
          </p>
          <p class="show-card-foot">
            {status && (
              <span class={`chip status-chip status-chip-${status.toLowerCase()}`}>
                {say(status === 'CONFIRMED' ? 'tickets_confirmed' : status === 'PENDING' ? 'tickets_pending' : 'tickets_cancelled')}
              </span>
            )}
          </p>
        </div>
      </a>
    </li>
  );
}

export function TicketsPage() {
  const bookings = useDevice(device_bookings, 'bookings');
  useEffect(() => accent_set(null), []);
  return (
    <div class="column page shows">
      <div class="shows-head">
        <Heading title={say('tickets_title')} />
        {bookings.length === 0 && (
          <>
            <p class="lead">{say('tickets_none')}</p>
            <p class="soft">{say('tickets_none_text')}</p>
            <p>
              <a class="button" href="/">
                {say('tickets_to_shows')}
              </a>
            </p>
          </>
        )}
      </div>
      <ul class="ticket-list">
        {bookings.map((kept) => (
          <Entry key={kept.booking_id} kept={kept} />
        ))}
      </ul>
    </div>
  );
}

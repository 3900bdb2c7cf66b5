import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { device_add_booking, device_bookings, device_drop_booking, device_remember, device_show, device_user, device_watch } from '../src/base/device';

beforeEach(() => localStorage.clear());
afterEach(() => vi.restoreAllMocks());

describe('the device', () => {
  it('knows_the_fan_again', () => {
    /* Red when the id is not kept: each reload would be somebody else, without a place in line. */
    const user = device_user();
    expect(user).toMatch(/^fan-[0-9a-f]{32}$/);
    expect(device_user()).toBe(user);
  });

  it('reads_what_other_programs_wrote_there_as_nothing', () => {
    /* Red when what is read is trusted: a page would break at once and for good. */
    localStorage.setItem('onsale.user', '"a b"');
    localStorage.setItem('onsale.show.s', '[1');
    localStorage.setItem('onsale.bookings', '{"length":1}');
    expect(device_user()).toMatch(/^fan-/);
    expect(device_show('s')).toEqual({});
    expect(device_bookings()).toEqual([]);
  });

  it('forgets_a_member_and_keeps_the_others', () => {
    /* Red when remembering replaces a show's memory whole: a pass would be lost with a hold. */
    device_remember('s', { pass: 'p', position: 3 });
    device_remember('s', { position: undefined });
    expect(device_show('s')).toEqual({ pass: 'p' });
  });

  it('remembers_for_this_visit_where_storage_is_refused', () => {
    /* Red when a refusal of the storage is not caught, or not made up for. */
    vi.spyOn(window, 'localStorage', 'get').mockImplementation(() => {
      throw new Error('refused');
    });
    device_remember('private', { pass: 'p' });
    expect(device_show('private')).toEqual({ pass: 'p' });
  });

  it('tells_who_watches_what_this_tab_and_another_one_change', () => {
    /* Red when only one of the two is heard: two tabs would show different things. */
    let times = 0;
    const end = device_watch(() => times++);
    device_remember('s', { pass: 'p' });
    window.dispatchEvent(new StorageEvent('storage', { key: 'onsale.show.s' }));
    window.dispatchEvent(new StorageEvent('storage', { key: 'something.else' }));
    end();
    device_remember('s', { pass: 'q' });
    expect(times).toBe(2);
  });

  it('lists_a_booking_once_the_newest_first', () => {
    /* Red when a booking that is told twice is listed twice. */
    const booking = (booking_id: string) => ({ booking_id, show_id: 's', event_name: 'E', booked_ms: 1 });
    for (const id of ['b1', 'b2', 'b1']) device_add_booking(booking(id));
    expect(device_bookings().map(({ booking_id }) => booking_id)).toEqual(['b1', 'b2']);
    device_drop_booking('b1');
    expect(device_bookings().map(({ booking_id }) => booking_id)).toEqual(['b2']);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clock_now } from '../src/base/clock';
import { device_bookings, device_remember, device_show } from '../src/base/device';
import { hold_check, hold_expire, hold_follow, hold_now, hold_pay, hold_take } from '../src/shop/hold';
import { asked, shop_answers, time_is_short, type Answer } from './world';

const SHOW = 'show-1';
const declined = (attempts_left: number): Answer => ({ status: 402, body: { code: 'payment_declined', status: 402, detail: '', attempts_left } });
const confirmed: Answer = { status: 200, body: { booking_id: 'b1', status: 'CONFIRMED' } };
const reserved = (id: string, seat_ids: string[], seconds = 600): Answer => ({
  status: 201,
  body: {
    reservation_id: id,
    seat_ids,
    amount: 5000,
    currency: 'EUR',
    expires_in_seconds: seconds,
    now: new Date(clock_now()).toISOString(),
    expires_at: new Date(clock_now() + seconds * 1000).toISOString(),
  },
});

function hold_something(): void {
  device_remember(SHOW, { held: { reservation_id: 'r1', seat_ids: ['A1', 'A2'], amount: 5000, currency: 'EUR', deadline_ms: clock_now() + 60_000 } });
}

beforeEach(() => {
  localStorage.clear();
  time_is_short();
});
afterEach(() => vi.unstubAllGlobals());

describe('taking', () => {
  it('remembers_what_is_held_and_forgets_what_was_lost', async () => {
    /* Red when hold_take keeps `lost`: the page would offer seats that the fan holds. */
    device_remember(SHOW, { lost: { seat_ids: ['A1'] } });
    shop_answers(reserved('r1', ['A1']));
    await hold_take(SHOW, { seat_ids: ['A1'] });
    expect(hold_now(SHOW)?.seat_ids).toEqual(['A1']);
    expect(device_show(SHOW).lost).toBeUndefined();
    expect(device_show(SHOW).taking).toBeUndefined();
  });

  it('asks_for_the_same_again_with_the_same_key_when_no_answer_came', async () => {
    /* Red when the key is not remembered before the call: the second wish would find its own seats taken. */
    shop_answers('lost', 'lost', 'lost', 'lost');
    await expect(hold_take(SHOW, { seat_ids: ['A1'] })).rejects.toThrow();
    const first = asked.map(({ key }) => key);
    expect(new Set(first).size).toBe(1);
    shop_answers(reserved('r1', ['A1']));
    await hold_take(SHOW, { seat_ids: ['A1'] });
    expect(asked[0]?.key).toBe(first[0]);
  });

  it('gives_back_what_an_unanswered_wish_may_have_got_before_it_wishes_for_something_else', async () => {
    /* Red when the unanswered wish is dropped: its seats would stay held for nobody. */
    shop_answers('lost', 'lost', 'lost', 'lost');
    await expect(hold_take(SHOW, { seat_ids: ['A1'] })).rejects.toThrow();
    const key = asked[0]?.key;
    shop_answers(reserved('r1', ['A1']), { status: 204 }, reserved('r2', ['B1']));
    await hold_take(SHOW, { seat_ids: ['B1'] });
    expect(asked.map(({ method, path }) => `${method} ${path.split('/').slice(3).join('/')}`)).toEqual([
      'POST shows/show-1/seats/reserve',
      'DELETE reservations/r1',
      'POST shows/show-1/seats/reserve',
    ]);
    expect(asked[0]?.key).toBe(key);
    expect(asked[2]?.key).not.toBe(key);
    expect(hold_now(SHOW)?.reservation_id).toBe('r2');
  });

  it('takes_a_wish_that_failed_for_what_was_lost', async () => {
    /* Red when giving the old seats back forgets them: nothing could be offered any more. */
    hold_something();
    shop_answers({ status: 204 }, { status: 409, body: { code: 'seat_unavailable', status: 409, detail: '' } });
    await expect(hold_take(SHOW, { seat_ids: ['B1'] })).rejects.toThrow();
    expect(device_show(SHOW)).toMatchObject({ lost: { seat_ids: ['A1', 'A2'] } });
    expect(device_show(SHOW).held).toBeUndefined();
  });
});

describe('paying', () => {
  it('goes_on_with_the_same_key_and_token_after_a_reload', async () => {
    /* Red when a second call draws a fresh key: the fan could be charged twice. */
    hold_something();
    shop_answers('lost', 'lost', 'lost', 'lost');
    await expect(hold_pay(SHOW, 'Show', 'tok_one')).rejects.toThrow();
    const first = asked[0];
    expect(device_show(SHOW).held?.confirm_key).toBe(first?.key);
    shop_answers(confirmed);
    expect(await hold_pay(SHOW, 'Show', 'tok_two')).toEqual({ kind: 'paid', booking_id: 'b1' });
    expect(asked[0]).toEqual(first);
    expect(device_show(SHOW).held).toBeUndefined();
    expect(device_bookings().map(({ booking_id }) => booking_id)).toEqual(['b1']);
  });

  it('begins_a_new_payment_after_a_declined_card_while_the_seats_are_held', async () => {
    /* Red when the declined payment's key stays: the kept 402 would answer every other card. */
    hold_something();
    shop_answers(declined(2), confirmed);
    expect(await hold_pay(SHOW, 'Show', 'tok_declined')).toMatchObject({ kind: 'refused', problem: { attempts_left: 2 } });
    expect(device_show(SHOW).held).toMatchObject({ reservation_id: 'r1', attempts_left: 2 });
    await hold_pay(SHOW, 'Show', 'tok_good');
    expect(asked[1]?.key).not.toBe(asked[0]?.key);
    expect(asked[1]?.body).toMatchObject({ payment_token: 'tok_good' });
  });

  it('remembers_the_seats_that_a_last_declined_card_lost', async () => {
    /* Red when a hold that the server has ended stays: it would be shown as held. */
    hold_something();
    shop_answers(declined(0));
    await hold_pay(SHOW, 'Show', 'tok_declined');
    expect(hold_now(SHOW)).toBeNull();
    expect(device_show(SHOW).lost).toEqual({ seat_ids: ['A1', 'A2'] });
  });

  it('does_not_undo_the_payment_that_another_tab_has_begun_since', async () => {
    /* Red when a late answer writes what was held when it was asked: the other tab's key would be lost. */
    hold_something();
    shop_answers(declined(2));
    const paying = hold_pay(SHOW, 'Show', 'tok_declined');
    const held = device_show(SHOW).held;
    if (held) device_remember(SHOW, { held: { ...held, confirm_key: 'of-the-other-tab' } });
    await paying;
    expect(device_show(SHOW).held?.confirm_key).toBe('of-the-other-tab');
  });

  it('sends_no_token_where_nothing_is_to_be_paid', async () => {
    /* Red when '' is sent: the server refuses it as no token. */
    hold_something();
    shop_answers(confirmed);
    await hold_pay(SHOW, 'Show', '');
    expect(asked[0]?.body).toEqual({ reservation_id: 'r1' });
  });

  it('keeps_the_seats_while_the_gateway_takes_its_time_and_follows_it_through_lost_connections', async () => {
    /* Red when following ends at the first call that fails. */
    hold_something();
    shop_answers({ status: 202, body: { booking_id: 'b1', status: 'PENDING' } });
    expect(await hold_pay(SHOW, 'Show', 'tok_slow')).toEqual({ kind: 'pending', booking_id: 'b1' });
    expect(hold_now(SHOW)?.booking_id).toBe('b1');
    shop_answers('lost', 'lost', 'lost', 'lost', { status: 200, body: { booking_id: 'b1', status: 'PENDING' } }, { status: 200, body: { booking_id: 'b1', status: 'CONFIRMED' } });
    expect(await hold_follow(SHOW, 'b1', new AbortController().signal)).toMatchObject({ status: 'CONFIRMED' });
    expect(device_show(SHOW).held).toBeUndefined();
  });

  it('finds_the_seats_still_held_after_a_slow_payment_was_declined', async () => {
    /* Red when a cancelled booking always ends the hold: the fan's other tries would be lost. */
    hold_something();
    shop_answers({ status: 202, body: { booking_id: 'b1', status: 'PENDING' } });
    await hold_pay(SHOW, 'Show', 'tok_slow');
    shop_answers({ status: 200, body: { booking_id: 'b1', status: 'CANCELLED', reason: 'card_declined' } }, { status: 200, body: { status: 'HELD', expires_at: new Date(clock_now() + 30_000).toISOString() } });
    expect(await hold_follow(SHOW, 'b1', new AbortController().signal)).toMatchObject({ still_held: true });
    expect(device_show(SHOW).held).toMatchObject({ reservation_id: 'r1' });
    expect(device_show(SHOW).held?.confirm_key).toBeUndefined();
    expect(device_bookings()).toEqual([]);
  });
});

describe('what the server says', () => {
  it('ends_a_hold_that_it_does_not_know_any_more', async () => {
    /* Red when only the deadline ends a hold here: a forgotten one would be offered for payment. */
    hold_something();
    shop_answers({ status: 404, body: { code: 'reservation_not_found', status: 404, detail: '' } });
    await hold_check(SHOW);
    expect(hold_now(SHOW)).toBeNull();
    expect(device_show(SHOW).lost).toEqual({ seat_ids: ['A1', 'A2'] });
  });

  it('is_not_asked_about_a_hold_whose_payment_runs', async () => {
    /* Red when hold_expire or hold_check touch a hold with an open payment. */
    hold_something();
    const held = device_show(SHOW).held;
    if (held) device_remember(SHOW, { held: { ...held, confirm_key: 'k' } });
    shop_answers();
    await hold_check(SHOW);
    await hold_expire(SHOW);
    expect(asked).toEqual([]);
    expect(hold_now(SHOW)?.reservation_id).toBe('r1');
  });
});

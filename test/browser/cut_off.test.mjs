/* Fans whose connection goes, wherever they are: they are told so, nothing is lost, and all goes on by itself. And fans
 * whose clock is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at_checkout, at_tickets, choose_in_list, hold, named, open_for_file, open_seats, pay, says, seats_gone, seconds_left, seen, take_best, venue } from './steps.mjs';

const { shop, server, fan_of } = await open_for_file();

test('a fan who is cut off in the queue keeps their place, and is let in when they are back', async () => {
  // red when: the page gives up, or joins anew
  const show = await server.queue_show({ ...venue(), waiting_room: { max_active: 1, claim_seconds: 600 } });
  const first = await server.enter(show, 'somebody');
  const fan = await fan_of({ phone: true });
  const { page } = fan;
  await page.goto(`${server.fans}/shows/${show}/queue`);
  await says(page, /^Place 2$/);
  await fan.context.setOffline(true);
  await says(page, /No connection\. Your place is safe/);
  await says(page, /^Place 2$/);
  await server.leave_with_pass(show, first.pass);
  await fan.context.setOffline(false);
  await page.waitForURL(/\/seats$/);
  await fan.close();
});

test('on the map a lost connection is told, and what happened meanwhile is seen afterwards', async () => {
  // red when: the live map does not come back, or comes back without what it missed
  const show = await server.show(venue());
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show, 'list');
  await choose_in_list(page, 'Stalls', 'A', '5');
  await fan.context.setOffline(true);
  await says(page, 'Reconnecting …');
  await hold(page);
  await says(page, 'We cannot reach the shop. Check your connection, and try again.');
  const { rows } = (await server.fan('GET', `/api/v1/shows/${show}/plan?part=0`)).json;
  const other = rows[0].seats.find(([, number]) => number === '6')[0];
  await server.hold(show, [other], 'somebody');
  await fan.context.setOffline(false);
  await seen(page.getByRole('button', { name: /^Row A, seat 6, .*just taken$/ }));
  await named(page, 'button', 'Try again').click();
  await at_checkout(page);
  assert.equal((await seats_gone(server, show)).length, 2);
  await fan.close();
});

test('a payment whose answer gets lost with the connection is asked after, and made once', async () => {
  // red when: the page begins another payment, or sends the fan away
  const show = await server.show(venue());
  const charged = await shop.charged();
  const fan = await fan_of({ phone: true });
  const { page } = fan;
  await open_seats(page, server, show);
  await take_best(page);
  // The shop has the payment; the fan is cut off before the answer is there.
  await page.route('**/bookings/confirm', async (route) => {
    await route.fetch();
    await fan.context.setOffline(true);
    await route.abort('internetdisconnected');
  }, { times: 1 });
  await pay(page);
  await says(page, 'We do not know yet whether it worked');
  await fan.context.setOffline(false);
  const booking = await at_tickets(page, server);
  assert.equal(booking.status, 'CONFIRMED');
  assert.equal(await shop.charged(), charged + 1);
  await fan.close();
});

test('a fan who pays without a connection is not charged, and pays once when it is back', async () => {
  // red when: pressing the button while offline ends the hold
  const show = await server.show(venue());
  const charged = await shop.charged();
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show);
  await take_best(page);
  await fan.context.setOffline(true);
  await pay(page);
  await says(page, 'We do not know yet whether it worked');
  assert.equal(await shop.charged(), charged);
  await fan.context.setOffline(false);
  await at_tickets(page, server);
  assert.equal(await shop.charged(), charged + 1);
  await fan.close();
});

for (const hours of [-5, 7]) {
  test(`a clock that is ${Math.abs(hours)} hours ${hours < 0 ? 'late' : 'early'} tells the right time that is left`, async () => {
    // red when: a deadline is compared with the device's own clock
    const show = await server.queue_show({ ...venue(), hold_seconds: 300 });
    const fan = await fan_of({ phone: true });
    const { page } = fan;
    await page.addInitScript((skew_ms) => {
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(...given) {
          super(...(given.length ? given : [Real.now() + skew_ms]));
        }

        static now() {
          return Real.now() + skew_ms;
        }
      };
    }, hours * 3_600_000);
    await page.goto(`${server.fans}/shows/${show}/queue`);
    await page.waitForURL(/\/seats$/);
    await seen(page.locator('.map-window'));
    await take_best(page);
    const left = await seconds_left(page);
    assert.ok(left > 200 && left <= 300, `${left} seconds are left`);
    await page.reload();
    assert.ok(await seconds_left(page) <= left + 1); // the server tells whole seconds
    await pay(page);
    await at_tickets(page, server);
    await fan.close();
  });
}

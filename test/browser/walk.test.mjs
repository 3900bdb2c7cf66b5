/* The whole way, from the queue to a ticket, as fans walk it: in Debian's Chromium, on the pages that the program serves.
 * script/test --only browser fetches what this needs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server, make_folder, remove_folder, run_onsale, until } from '../api/harness.mjs';
import { new_fan } from './harness.mjs';
import { at_checkout, at_tickets, choose_in_list, hold, list_seat, named, open_for_file, open_seats, pay, says, seats_gone, seconds_left, seen, take_best, take_in_list, venue, walk_to_seats } from './steps.mjs';

const { browser, shop, server, fan_of } = await open_for_file();

test('twenty fans at once go from the queue to tickets, each to their own', async (t) => {
  // red when: two fans are sold one seat, or one of the twenty is left on the way
  const data = make_folder();
  const house = await Server.start({ data });
  t.after(() => house.stop({ check: false }));
  const show = await house.queue_show({ ...venue(), waiting_room: { max_active: 8 }, max_seats_per_user: 4 });
  const fans = await Promise.all(Array.from({ length: 20 }, (_, i) => new_fan(browser, house, { phone: i % 2 === 0, dark: i % 3 === 0 })));
  const bookings = await Promise.all(fans.map(async ({ page }, i) => {
    await walk_to_seats(page, house, show);
    if (i % 5 === 4) await take_in_list(page, 'Balcony', String.fromCharCode(65 + (i % 6)), '3', '4');
    else await take_best(page);
    await pay(page);
    const booking = await at_tickets(page, house);
    // Their turn is over, and somebody else's begins.
    await house.leave_with_pass(show, await page.evaluate((id) => JSON.parse(localStorage[`onsale.show.${id}`]).pass, show));
    return booking;
  }));
  const seats = bookings.flatMap(({ seat_ids }) => seat_ids);
  assert.equal(seats.length, 40);
  assert.equal(new Set(seats).size, 40);
  for (const { status } of bookings) assert.equal(status, 'CONFIRMED');
  assert.deepEqual(await seats_gone(house, show), seats.sort());
  for (const fan of fans) await fan.close();
  await house.stop();
  const { code, stdout, stderr } = await run_onsale(['verify', '--data', data]);
  assert.equal(code, 0, stdout + stderr);
  remove_folder(data);
});

test('a seat wanted by two at once goes to one, and the other has the next best in one tap', async () => {
  // red when: a refused hold says nothing, or offers the lost seat again
  const show = await server.show(venue());
  const [ann, bob] = await Promise.all([fan_of(), fan_of({ phone: true })]);
  for (const { page } of [ann, bob]) {
    await open_seats(page, server, show, 'list');
    await choose_in_list(page, 'Stalls', 'C', '7');
  }
  // Neither hears of the other before both have asked.
  let asked = 0;
  let let_go;
  const both = new Promise((done) => { let_go = done; });
  for (const { page } of [ann, bob]) {
    await page.route('**/seats/reserve', async (route) => {
      if (++asked === 2) let_go();
      await both;
      await route.continue();
    });
  }
  await Promise.all([ann, bob].map(({ page }) => hold(page)));
  const winner = await Promise.race([ann, bob].map(async (fan) => {
    await at_checkout(fan.page);
    return fan;
  }));
  const loser = winner === ann ? bob : ann;
  await seen(loser.page.getByRole('heading', { name: /was just taken$/ }));
  for (const { page } of [ann, bob]) await page.unroute('**/seats/reserve');
  await loser.page.getByRole('button', { name: /^Take .* instead/ }).click();
  await says(loser.page, 'One seat chosen');
  await hold(loser.page);
  await at_checkout(loser.page);
  assert.equal((await seats_gone(server, show)).length, 2);
  await ann.close();
  await bob.close();
});

test('a hold of somebody else is seen on the page within seconds, without a reload', async () => {
  // red when: the page does not listen, or a chosen seat that went stays chosen
  const show = await server.show(venue());
  const fan = await fan_of();
  await open_seats(fan.page, server, show, 'list');
  await choose_in_list(fan.page, 'Stalls', 'A', '9');
  await choose_in_list(fan.page, 'Stalls', 'A', '10');
  const [taken] = await seat_ids(fan.page, show, ['A', '9']);
  const other = await server.hold(show, [taken], 'somebody');
  await seen(fan.page.getByRole('heading', { name: /was just taken$/ }));
  await says(fan.page, 'Your other seat is still chosen.');
  await seen(fan.page.getByRole('button', { name: /^Row A, seat 9, .*just taken$/ }));
  await server.fan('DELETE', `/api/v1/reservations/${other.reservation_id}`);
  await seen(fan.page.getByRole('button', { name: /^Row A, seat 9, .*available$/ }));
  await fan.close();
});

/* The ids of seats of Stalls, by row and number. */
async function seat_ids(page, show, ...places) {
  const { rows } = (await server.fan('GET', `/api/v1/shows/${show}/plan?part=0`)).json;
  return places.map(([row, number]) => rows.find(({ label }) => label === row).seats.find(([, of_row]) => of_row === number)[0]);
}

test('a reload loses nothing: not the place, not the turn, not the choice, not the hold, not the ticket', async () => {
  // red when: any of it is kept on the page alone
  const show = await server.queue_show({ ...venue(), waiting_room: { max_active: 1 } });
  const first = await server.enter(show, 'somebody');
  const fan = await fan_of({ phone: true });
  const { page } = fan;
  await page.goto(`${server.fans}/shows/${show}/queue`);
  await says(page, /^Place 2$/);
  await page.reload();
  await says(page, /^Place 2$/);
  await server.leave_with_pass(show, first.pass);
  await seen(page.getByRole('heading', { name: 'Your turn!' }));
  await page.reload();
  await page.waitForURL(/\/seats$/);
  await named(page, 'button', 'List').click();
  await choose_in_list(page, 'Stalls', 'B', '5');
  await choose_in_list(page, 'Stalls', 'B', '6');
  await page.reload();
  await says(page, '2 seats chosen');
  await hold(page);
  await at_checkout(page);
  const held = await seats_gone(server, show);
  const left = await seconds_left(page);
  await page.reload();
  assert.ok(await seconds_left(page) <= left + 1, 'the time goes on');
  assert.deepEqual(await seats_gone(server, show), held);
  await pay(page);
  const booking = await at_tickets(page, server);
  await page.reload();
  assert.deepEqual((await at_tickets(page, server)).seat_ids, booking.seat_ids);
  await page.goto(`${server.fans}/tickets`);
  await page.locator('.show-card-link').click();
  await at_tickets(page, server);
  await fan.close();
});

test('a reload while the bank takes its time goes on with the same payment', async () => {
  // red when: after the reload the page does not know that it was paying, or begins another payment
  const show = await server.show(venue());
  const fan = await fan_of();
  const { page } = fan;
  const charged = await shop.charged();
  await open_seats(page, server, show);
  await take_best(page);
  await pay(page, 'A bank that takes three seconds');
  await says(page, 'Paying …');
  await page.reload();
  const booking = await at_tickets(page, server);
  assert.equal(booking.seat_ids.length, 2);
  assert.equal(await shop.charged(), charged + 1);
  await fan.close();
});

test('the back button neither loses the hold nor hides it', async () => {
  // red when: going back gives the seats away, or the map shows them as somebody else's
  const show = await server.show(venue());
  const fan = await fan_of({ phone: true });
  const { page } = fan;
  await open_seats(page, server, show, 'list');
  await take_in_list(page, 'Stalls', 'D', '3', '4');
  await page.goBack();
  await says(page, '2 seats held for you');
  await named(page, 'button', 'List').click();
  if (!(await list_seat(page, 'D', '3').count())) await page.locator('.list-open', { hasText: 'Stalls' }).click();
  await seen(page.getByRole('button', { name: /^Row D, seat 3, .*held for you$/ }));
  await page.goto(`${server.fans}/shows/${show}`);
  await seen(page.getByRole('heading', { name: '2 seats are held for you' }));
  await named(page, 'link', 'Go on to payment').click();
  await at_checkout(page);
  assert.equal((await seats_gone(server, show)).length, 2);
  await fan.close();
});

/* A fan with the same seats at the checkout in two tabs, of whom `pay_somehow(one, other)` is done: one payment comes of
 * it, and both tabs have the tickets. */
async function pay_in_two_tabs(pay_somehow) {
  const show = await server.show(venue());
  const fan = await fan_of();
  const charged = await shop.charged();
  await open_seats(fan.page, server, show);
  await take_best(fan.page);
  const other = await fan.context.newPage();
  await other.goto(`${server.fans}/shows/${show}/checkout`);
  await at_checkout(other);
  await pay_somehow(fan.page, other);
  const [one, two] = [await at_tickets(fan.page, server), await at_tickets(other, server)];
  assert.equal(one.booking_id, two.booking_id);
  assert.equal(await shop.charged(), charged + 1);
  await fan.close();
}

test('what is paid in one tab is paid in the other', async () => {
  // red when: a tab does not hear of the other, and offers to pay once more
  await pay_in_two_tabs((one) => pay(one));
});

test('two tabs that pay at the same moment pay once', async () => {
  // red when: the tab that came second is told of a fault, or each has a payment of its own
  await pay_in_two_tabs((one, other) => Promise.all([pay(one), pay(other).catch(() => 'it had heard already')]));
});

test('a declined card is told in words, and the same seats can be had again', async () => {
  // red when: the fan has to choose anew, or is not told why
  const fan = await fan_of({ phone: true });
  const { page } = fan;
  const once = await server.show(venue()); // one card a hold
  await open_seats(page, server, once, 'list');
  await take_in_list(page, 'Stalls', 'E', '11', '12');
  const seats = await seats_gone(server, once);
  await pay(page, 'A card without enough money');
  await seen(page.getByRole('heading', { name: 'Not enough money on this card' }));
  await until('the seats are free', async () => (await seats_gone(server, once)).length === 0);
  await named(page, 'button', 'Get the same seats again').click();
  await at_checkout(page);
  assert.deepEqual(await seats_gone(server, once), seats);
  await pay(page);
  assert.deepEqual((await at_tickets(page, server)).seat_ids.sort(), seats);

  const thrice = await server.show({ ...venue(), payment_attempts: 3 });
  await open_seats(page, server, thrice, 'list');
  await take_in_list(page, 'Stalls', 'E', '11', '12');
  await pay(page, 'A card that has expired');
  await seen(page.getByRole('heading', { name: 'This card has expired' }));
  await says(page, /Your seats are still held/);
  assert.equal((await seats_gone(server, thrice)).length, 2);
  await pay(page, 'A card that works');
  await at_tickets(page, server);
  await fan.close();
});

test('the card that is seen to be chosen is the card that pays, however fast the button is pressed', async () => {
  // red when: the choice reaches the button a frame later than the screen
  const show = await server.show(venue());
  const fan = await fan_of();
  const { page } = fan;
  const charged = await shop.charged();
  await open_seats(page, server, show);
  await take_best(page);
  await page.evaluate(async () => {
    document.querySelector('input[value="tok_declined"]').click();
    await new Promise((done) => setTimeout(done));
    document.querySelector('.pay-button').click();
  });
  await seen(page.getByRole('heading', { name: 'Your card was declined' }));
  assert.equal(await shop.charged(), charged);
  await fan.close();
});

test('when the time is up the same seats are one tap away', async () => {
  // red when: a hold that ran out leaves the fan with an empty page
  const show = await server.show({ ...venue(), hold_seconds: 4, grace_seconds: 0 });
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show, 'list');
  await take_in_list(page, 'Stalls', 'A', '1', '2');
  const seats = await seats_gone(server, show);
  await seen(page.getByRole('heading', { name: 'Time is up for these seats' }));
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { hold_seconds: 300 } });
  await named(page, 'button', 'Get the same seats again').click();
  await at_checkout(page);
  assert.deepEqual(await seats_gone(server, show), seats);
  await pay(page);
  await at_tickets(page, server);
  await fan.close();
});

test('when somebody took them meanwhile, the next best are one tap away', async () => {
  // red when: a wish that is refused at the checkout offers the same seats for ever
  const show = await server.show({ ...venue(), hold_seconds: 3, grace_seconds: 0 });
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show, 'list');
  await take_in_list(page, 'Stalls', 'A', '1', '2');
  const seats = await seats_gone(server, show);
  await seen(page.getByRole('heading', { name: 'Time is up for these seats' }));
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { hold_seconds: 300 } });
  await until('they are free', async () => (await seats_gone(server, show)).length === 0);
  await server.hold(show, seats, 'somebody');
  await named(page, 'button', 'Get the same seats again').click();
  await seen(page.getByRole('heading', { name: 'Somebody was faster' }));
  await named(page, 'button', 'Get the next best seats').click();
  await at_checkout(page);
  assert.equal((await seats_gone(server, show)).length, 4);
  await fan.close();
});

test('seats that are given back are free at once, and the fan is back at the map', async () => {
  // red when: the button only forgets the hold
  const show = await server.show(venue());
  const fan = await fan_of();
  await open_seats(fan.page, server, show);
  await take_best(fan.page);
  await named(fan.page, 'button', 'Give these seats back').click();
  await fan.page.waitForURL(/\/seats$/);
  assert.deepEqual(await seats_gone(server, show), []);
  await fan.close();
});

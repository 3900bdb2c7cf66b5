/* What keeps people out, as axe-core finds it (WCAG 2.2 A and AA, and its best practices): nothing serious on any page, in
 * any of its states, in either theme. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serious_barriers } from './harness.mjs';
import { at_checkout, at_tickets, named, open_for_file, open_server, pay, says, seen, take_best, venue } from './steps.mjs';

const { server, fan_of } = await open_for_file(open_server);

for (const [theme, options] of [['light', { phone: true }], ['dark', { dark: true }]]) {
  const walk = async (body) => {
    const fan = await fan_of({ ...options, reducedMotion: 'reduce' });
    const found = [];
    const look = async (where) => {
      found.push(...(await serious_barriers(fan.page)).map((barrier) => `${where}: ${barrier}`));
    };
    const at = async (where, path, shown) => {
      await fan.page.goto(`${server.fans}${path}`);
      await seen(typeof shown === 'string' ? fan.page.locator(shown) : fan.page.getByText(shown));
      await look(where);
    };
    await body(fan.page, { look, at });
    await fan.close();
    assert.deepEqual(found, []);
  };

  test(`from the shows to the tickets nothing serious is in anybody's way, ${theme}`, async () => {
    // red when: a control has no name, a text no contrast, a heading no order
    const show = await server.queue_show({ ...venue({ rows: 3, seats_per_row: 8 }), payment_attempts: 4, accent_color: '#ffd400', cancellation: { allowed: true, until_seconds: 0 }, start_time: '2030-06-01T18:00:00Z' });
    await walk(async (page, { look, at }) => {
      await at('the shows', '/', '.show-card-price');
      await at('no tickets', '/tickets', '.button');
      await at('a show', `/shows/${show}`, '.hero-next .button');
      await page.goto(`${server.fans}/shows/${show}/queue`);
      await seen(page.getByRole('heading', { name: 'Your turn!' }));
      await look('the turn');
      await page.waitForURL(/\/seats$/);
      await seen(page.locator('.map-window'));
      await look('the map');
      await named(page, 'button', 'Best for me').click();
      await look('the best');
      await named(page, 'button', 'List').click();
      await page.locator('.list-open').first().click();
      await seen(page.locator('.list-seat'));
      await look('the list');
      await page.locator('.list-seat').first().click();
      await says(page, 'One seat chosen');
      await look('seats chosen');
      await named(page, 'button', 'Map').click();
      await seen(page.locator('.map-window'));
      await look('seats chosen on the map');
      await named(page, 'button', /^Remove /).click();
      await take_best(page);
      await look('the checkout');
      await pay(page, 'A card that is declined');
      await seen(page.locator('.problem'));
      await look('a declined card');
      await page.goBack();
      await says(page, '2 seats held for you');
      await look('seats held');
      await page.goForward();
      await at_checkout(page);
      await pay(page, 'A bank that takes three seconds');
      await says(page, 'Paying …');
      await look('paying');
      await at_tickets(page, server);
      await look('the tickets');
      const opener = named(page, 'button', 'Cancel this booking');
      if (await opener.count()) {
        await opener.click();
        await seen(page.getByRole('dialog'));
        await look('a cancellation');
      }
      await at('tickets on this device', '/tickets', '.status-chip');
    });
  });

  test(`nor in the queue, in its record, and where nothing is, ${theme}`, async () => {
    // red when: a state of the waiting room is told by colour alone, or its bar has no name
    const before_sale = await server.queue_show({ waiting_room: { pre_queue_seconds: 3600, pre_queue_order: 'shuffle' }, on_sale_time: new Date(Date.now() + 1800_000).toISOString() });
    const full = await server.queue_show({ waiting_room: { max_active: 1 } });
    await server.enter(full, 'somebody');
    const soon = await server.show({ on_sale_time: new Date(Date.now() + 7200_000).toISOString() });
    const lost = await server.show({ hold_seconds: 1, grace_seconds: 0 });
    await walk(async (page, { look, at }) => {
      await at('a show that sells later', `/shows/${soon}`, '.countdown');
      await at('its seats', `/shows/${soon}/seats`, '.seats-state');
      await at('a show before its sale', `/shows/${before_sale}`, '.hero-next .button');
      await at('the room before the sale', `/shows/${before_sale}/queue`, /You’re in\. It starts soon/);
      await at('the queue', `/shows/${full}/queue`, /^Place 2$/);
      await named(page, 'button', 'Alert me').click();
      await page.locator('#leave').click();
      await look('about to leave the queue');
      await page.locator('#give').click();
      await seen(page.getByRole('heading', { name: 'You’re not in the queue' }));
      await look('a place given up');
      await at('a record', `/shows/${full}/record`, '.record-checks, .record-results button');
      await page.goto(`${server.fans}/shows/${lost}/seats?view=best`);
      await seen(page.locator('.best'));
      await named(page, 'button', /^Get the 2 best/).click();
      await seen(page.locator('.problem'));
      await look('seats lost');
      await page.context().setOffline(true);
      await says(page, /^No connection\. What you see may be old/);
      await look('no connection');
      await page.context().setOffline(false);
      await at('nothing', '/nowhere', 'h1');
      await at('no such booking', `/bookings/b${'0'.repeat(32)}`, 'h1, h2');
      await at('nothing to pay for', `/shows/${soon}/checkout`, 'h1');
    });
  });
}

/* A picture of every page in each of its states, 390 and 1440 pixels wide, light and dark: node screenshots.mjs FOLDER
 * [NAME …]. The shows are the demo's stadium, with a crowd in it, and a theatre. script/screenshots calls it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server, bearer } from '../api/harness.mjs';
import { new_fan, open_browser } from './harness.mjs';
import { at_checkout, at_tickets, named, pay, says, seen, take_best } from './steps.mjs';

const [folder = 'build-screenshots', ...wanted] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const plan = (name) => JSON.parse(readFileSync(fileURLToPath(new URL(`../../plans/${name}.json`, import.meta.url)), 'utf8'));
const in_hours = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();

async function make_shows(server) {
  const made = async (name, settings) => {
    const of = plan('theatre');
    const prices = Object.fromEntries(of.categories.map(({ name: category }, i) => [category, { amount: 9500 - i * 2000, currency: 'EUR' }]));
    const { status, json, body } = await server.admin('POST', '/api/v1/admin/shows', { body: { event_name: name, plan: of, prices, start_time: in_hours(24 * 40), payment_attempts: 3, cancellation: { allowed: true, until_seconds: 86_400 }, ...settings } });
    if (status !== 201) throw new Error(body.toString());
    return json.show_id;
  };
  const open = { enabled: true, rate_per_minute: 6_000_000 };
  const shows = {
    demo: (await server.fan('GET', '/api/v1/shows')).json[0].show_id,
    theatre: await made('A Midsummer Night’s Dream', { accent_color: '#0f766e', waiting_room: open }),
    full: await made('The Cherry Orchard', { accent_color: '#b4235a', waiting_room: { ...open, max_active: 1 } }),
    lots: await made('Hamlet', { waiting_room: { ...open, pre_queue_seconds: 3600, pre_queue_order: 'shuffle' }, on_sale_time: in_hours(0.4) }),
    later: await made('Uncle Vanya', { on_sale_time: in_hours(72) }),
    short: await made('Waiting for Godot', { hold_seconds: 2, grace_seconds: 0 }),
    over: await made('The Seagull', { waiting_room: open }),
  };
  await server.enter(shows.full, 'somebody');
  for (let i = 0; i < 37; i++) await server.place(shows.full, `fan-${i}`);
  for (const user of ['ann', 'bob']) await server.enter(shows.over, user);
  await server.admin('POST', `/api/v1/admin/shows/${shows.over}/close`);
  return shows;
}

async function walk(page, server, shows, shoot) {
  const at = async (name, path, shown) => {
    await page.goto(`${server.fans}${path}`);
    await seen(typeof shown === 'string' ? page.locator(shown) : page.getByText(shown));
    await shoot(name);
  };
  await at('shows', '/', '.show-card-price');
  await at('show', `/shows/${shows.demo}`, '.hero-next');
  await at('show-theatre', `/shows/${shows.theatre}`, '.hero-next .button');
  await at('show-later', `/shows/${shows.later}`, '.countdown');
  await at('queue-lots', `/shows/${shows.lots}/queue`, /You’re in\. It starts soon/);
  await at('queue', `/shows/${shows.full}/queue`, /^Place \d+$/);
  await page.locator('#leave').click();
  await page.locator('#give').click();
  await seen(page.getByRole('heading', { name: 'You’re not in the queue' }));
  await shoot('queue-left');
  await page.goto(`${server.fans}/shows/${shows.theatre}/queue`);
  await seen(page.getByRole('heading', { name: 'Your turn!' }));
  await shoot('queue-turn');
  await page.waitForURL(/\/seats$/);
  await at('seats-stadium', `/shows/${shows.demo}/seats`, '.map-window');
  // A section at the side, and what is around it.
  const box = await page.locator('.map-window').boundingBox();
  await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * 0.78);
  await page.waitForTimeout(1200);
  await shoot('seats-stadium-near');
  await at('seats', `/shows/${shows.theatre}/seats`, '.map-window');
  await at('seats-best', `/shows/${shows.theatre}/seats?view=best`, '.best');
  await at('seats-list', `/shows/${shows.theatre}/seats?view=list`, '.list-open');
  await page.locator('.list-open').first().click();
  await seen(page.locator('.list-seat'));
  await page.locator('.list-seat').nth(3).click();
  await page.locator('.list-seat').nth(4).click();
  await says(page, '2 seats chosen');
  await shoot('seats-list-chosen');
  await named(page, 'button', 'Map').click();
  await seen(page.locator('.map-window'));
  await page.locator('.picks-show').first().click();
  await shoot('seats-chosen');
  // Somebody is faster.
  const [, row, number] = /([A-Z]+)(\d+)$/.exec(await page.locator('.picks-name').first().textContent());
  const { rows } = (await server.fan('GET', `/api/v1/shows/${shows.theatre}/plan?part=0`)).json;
  const { pass } = await server.enter(shows.theatre, 'somebody');
  const taken = [rows.find(({ label }) => label === row).seats.find(([, of_row]) => of_row === number)[0]];
  const { json: other } = await server.reserve(shows.theatre, taken, 'somebody', bearer(pass));
  await seen(page.getByRole('heading', { name: /just taken$/ }));
  await shoot('seats-taken');
  await server.fan('DELETE', `/api/v1/reservations/${other.reservation_id}`);
  await page.goto(`${server.fans}/shows/${shows.theatre}/seats`);
  await seen(page.locator('.map-window'));
  await take_best(page);
  await shoot('checkout');
  await page.goBack();
  await says(page, '2 seats held for you');
  await shoot('seats-held');
  await page.goForward();
  await at_checkout(page);
  await pay(page, 'A card without enough money');
  await seen(page.locator('.problem'));
  await shoot('checkout-declined');
  await pay(page, 'A bank that takes three seconds');
  await says(page, 'Paying …');
  await shoot('checkout-paying');
  await at_tickets(page, server);
  await shoot('booking');
  await at('tickets', '/tickets', '.status-chip');
  await page.goto(`${server.fans}/shows/${shows.short}/seats?view=best`);
  await named(page, 'button', /^Get the 2 best/).click();
  await seen(page.locator('.problem'));
  await shoot('checkout-lost');
  await at('record', `/shows/${shows.over}/record`, '.record-checks');
  await at('not-found', '/nowhere', 'h1');
}

const server = await Server.start({ args: ['--demo', '--demo-crowd', '60'] });
const browser = await open_browser();
try {
  const shows = await make_shows(server);
  const sizes = [['390', { phone: true }], ['1440', {}]];
  for (const [width, size] of sizes) {
    for (const theme of ['light', 'dark']) {
      const fan = await new_fan(browser, server, { ...size, dark: theme === 'dark', deviceScaleFactor: 1 });
      await walk(fan.page, server, shows, async (name) => {
        if (wanted.length && !wanted.includes(name)) return;
        await fan.page.evaluate(() => document.fonts.ready);
        await fan.page.waitForTimeout(900); // until what moves has come to rest
        // Pages that fill the window are as tall as it is.
        const fullPage = !/^(seats|queue)/.test(name);
        await fan.page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`), fullPage });
      });
      await fan.close();
      console.log(`${folder}: ${width} pixels, ${theme}`);
    }
  }
} finally {
  await browser.close();
  await server.stop({ check: false });
}

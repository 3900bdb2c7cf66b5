/* What a fan does in the shop, step by step, as a fan would: by the words that stand on the pages. And the worlds they do
 * it in. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Sandbox, Server } from '../api/harness.mjs';
import { PATIENCE_MS, new_fan, open_browser } from './harness.mjs';

/* A server with a gateway of its own, which can be asked how often anybody was charged. */
export async function open_shop(options = {}) {
  const gateway = await Sandbox.start();
  const server = await Server.start({ ...gateway.for_server(), ...options });
  return {
    gateway,
    server,
    /* How many payments went through. */
    async charged() {
      return (await gateway.intents()).filter(({ status }) => status === 'succeeded').length;
    },
    async close(ends) {
      await server.stop(ends);
      await gateway.stop();
    },
  };
}

/* A server alone. */
export async function open_server() {
  const server = await Server.start();
  return { server, close: () => server.stop() };
}

/* What a test file needs, closed when it ends: {browser, shop, server, fan_of}. */
export async function open_for_file(open = open_shop) {
  const [browser, shop] = await Promise.all([open_browser(), open()]);
  after(async () => {
    await browser.close();
    await shop.close();
  });
  return { browser, shop, server: shop.server, fan_of: (options) => new_fan(browser, shop.server, options) };
}

/* Two blocks of numbered seats and a floor to stand on, at two prices. */
export function venue({ rows = 6, seats_per_row = 20 } = {}) {
  return {
    sections: [
      { name: 'Stalls', rows, seats_per_row, category: 'Premium' },
      { name: 'Balcony', rows, seats_per_row, category: 'Standard' },
      { name: 'Floor', capacity: 60, category: 'Standard' },
    ],
    prices: { Premium: { amount: 9000, currency: 'EUR' }, Standard: { amount: 4500, currency: 'EUR' } },
  };
}

export const named = (page, role, name) => page.getByRole(role, { name }).first();

export async function seen(locator, timeout = PATIENCE_MS) {
  await locator.first().waitFor({ state: 'visible', timeout });
  return locator.first();
}

export const says = (page, words, timeout) => seen(page.getByText(words), timeout);

/* ---- the way ---- */

/* From the show's page through the waiting room, if it has one, to the seats. */
export async function walk_to_seats(page, server, show) {
  await page.goto(`${server.fans}/shows/${show}`);
  await named(page, 'link', /^(Get tickets|Choose your seats)$/).click();
  await page.waitForURL(/\/seats/, { timeout: 2 * PATIENCE_MS });
  await seen(page.locator('.map-window'));
}

export async function open_seats(page, server, show, way = 'map') {
  await page.goto(`${server.fans}/shows/${show}/seats${way === 'map' ? '' : `?view=${way}`}`);
  await seen(page.locator({ map: '.map-window', list: '.list-open', best: '.best' }[way]));
}

/* Has the best seats chosen and held. */
export async function take_best(page) {
  await named(page, 'button', 'Best for me').click();
  await named(page, 'button', /^Get the (\d+ )?best seat/).click();
  await at_checkout(page);
}

/* A seat of the list: a section is opened, and the seat in it by row and number. */
export async function choose_in_list(page, section, row, number) {
  if (!(await page.locator('.list').count())) await named(page, 'button', 'List').click();
  const opener = page.getByRole('button', { name: new RegExp(section) }).and(page.locator('.list-open'));
  if ((await opener.getAttribute('aria-expanded')) !== 'true') await opener.click();
  await list_seat(page, row, number).click();
}

export const list_seat = (page, row, number) => page.locator('.list-seat').and(page.getByRole('button', { name: `Row ${row}, seat ${number},` })).first();

export const hold = (page) => named(page, 'button', /^Hold /).click();

export async function take_in_list(page, section, row, ...numbers) {
  for (const number of numbers) await choose_in_list(page, section, row, number);
  await hold(page);
  await at_checkout(page);
}

export async function at_checkout(page) {
  await page.waitForURL(/\/checkout$/);
  await seen(page.getByRole('button', { name: /^Pay |^Get your tickets/ }));
}

export async function pay(page, card = null) {
  if (card) await page.getByRole('radio', { name: card }).check();
  await named(page, 'button', /^Pay /).click();
}

/* Gives the booking as the server has it. */
export async function at_tickets(page, server) {
  await page.waitForURL(/\/bookings\//, { timeout: 2 * PATIENCE_MS });
  const image = await seen(page.locator('.ticket img'));
  await image.evaluate((drawn) => drawn.decode());
  const { status, json } = await server.booking(new URL(page.url()).pathname.split('/')[2]);
  assert.equal(status, 200);
  return json;
}

/* Seconds on the countdown. */
export async function seconds_left(page) {
  const text = await (await seen(page.getByRole('timer'))).textContent();
  return text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

/* Seats held or sold, by their ids. */
export async function seats_gone(server, show) {
  return Object.entries(await server.seats(show)).filter(([, status]) => status !== 'AVAILABLE').map(([seat_id]) => seat_id).sort();
}

/* Where a seat is drawn, as a point of the window: of a block that stands straight, and whose seats alone have that colour,
 * the n-th of a row from the left, and the row from above. Found in the picture itself. */
export async function place_on_map(page, color, row, number) {
  await page.waitForFunction(() => performance.getEntriesByName('map-frame').length > 0);
  return page.evaluate(([hex, at_row, at_number]) => {
    const canvas = document.querySelector('.map-window canvas');
    const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const wanted = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    const [across, down] = [new Uint32Array(width), new Uint32Array(height)];
    for (let i = 0; i < width * height; i++) {
      if (wanted.some((value, part) => Math.abs(data[i * 4 + part] - value) > 10)) continue;
      across[i % width]++;
      down[Math.floor(i / width)]++;
    }
    // The middle of the n-th run of lines in which the colour occurs.
    const middle = (lines, nth) => {
      const runs = [];
      for (let i = 0; i < lines.length; i++) {
        if (!lines[i]) continue;
        if (runs.length && runs.at(-1)[1] === i - 1) runs.at(-1)[1] = i;
        else runs.push([i, i]);
      }
      const [from, to] = runs[nth];
      return (from + to + 1) / 2;
    };
    const box = canvas.getBoundingClientRect();
    const ratio = box.width / width;
    return { x: box.left + middle(across, at_number) * ratio, y: box.top + middle(down, at_row) * ratio };
  }, [color, row, number]);
}

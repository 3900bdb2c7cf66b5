/* The same tickets by other ways: with the keyboard alone, on the drawn map, in German, on narrow screens, and from shows
 * whose texts are an attack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at_checkout, at_tickets, hold, named, open_for_file, open_seats, pay, place_on_map, says, seats_gone, seen, take_best, venue } from './steps.mjs';

const { server, fan_of } = await open_for_file();

/* ---- the keyboard alone ---- */

/* What has the focus: its name, as assistive technology has it, near enough. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const label = element?.closest('label') ?? document.querySelector(`label[for="${element?.id || '-'}"]`);
  return (element?.getAttribute('aria-label') ?? (label ?? element)?.textContent ?? '').trim();
});

/* Goes on by Tab to what has that name. The focus has to be seen on the way. */
async function tab_to(page, name, most = 60) {
  const passed = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const here = await focused(page);
    if (name.test(here)) {
      const is_seen = await page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        const holder = document.activeElement.closest('label') ?? document.activeElement;
        const around = getComputedStyle(holder);
        return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none' || around.outlineStyle !== 'none' || around.boxShadow !== 'none';
      });
      assert.ok(is_seen, `the focus on "${here}" is seen`);
      return;
    }
    passed.push(here);
  }
  assert.fail(`Tab never came to ${name}; it went by ${JSON.stringify(passed)}`);
}

test('from the shows to a ticket by the keyboard alone, seats being chosen for the fan', async () => {
  // red when: a step needs a mouse, or the focus is lost on the way
  const show = await server.queue_show({ ...venue(), event_name: 'By keys' });
  const fan = await fan_of();
  const { page } = fan;
  await page.goto(`${server.fans}/`);
  await says(page, 'By keys');
  await tab_to(page, /By keys/);
  await page.keyboard.press('Enter');
  await seen(page.getByRole('link', { name: 'Get tickets' }));
  await tab_to(page, /^Get tickets$/);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/seats$/);
  await seen(page.locator('.map-window'));
  await tab_to(page, /^Best for me$/);
  await page.keyboard.press('Enter');
  await tab_to(page, /^One more$/);
  await page.keyboard.press('Space');
  await tab_to(page, /^Get the 3 best seats/);
  await page.keyboard.press('Enter');
  await at_checkout(page);
  await tab_to(page, /^A card that works$/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await tab_to(page, /^Pay /);
  await page.keyboard.press('Enter');
  assert.equal((await at_tickets(page, server)).seat_ids.length, 3);
  await tab_to(page, /^Print$/);
  assert.equal((await seats_gone(server, show)).length, 3);
  await fan.close();
});

test('seats of the list are chosen by the keyboard: a row is one stop, arrows go along it', async () => {
  // red when: each seat is a stop, or arrows leave the row
  const show = await server.show(venue());
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show);
  await tab_to(page, /^List$/);
  await page.keyboard.press('Enter');
  await tab_to(page, /Stalls/);
  await page.keyboard.press('Enter');
  await seen(page.locator('.list-seat'));
  await tab_to(page, /^Row A, seat 1,/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match(await focused(page), /^Row A, seat 3,/);
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  assert.match(await focused(page), /^Row B, seat 3,/);
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /^Row C, seat 1,/);
  await page.keyboard.press('Enter');
  await says(page, '2 seats chosen');
  await tab_to(page, /^Hold 2 seats/);
  await page.keyboard.press('Enter');
  await at_checkout(page);
  await tab_to(page, /^Pay /);
  await page.keyboard.press('Enter');
  await at_tickets(page, server);
  await fan.close();
});

test('the map is walked by arrows, and says what has the focus', async () => {
  // red when: the canvas takes keys and tells nobody what they do
  const show = await server.show(venue());
  const fan = await fan_of();
  const { page } = fan;
  await open_seats(page, server, show);
  await tab_to(page, /^Seat map$/);
  const spoken = page.locator('.map [aria-live]');
  const says_next = async (key, words) => {
    await page.keyboard.press(key);
    await seen(page.locator('.map [aria-live]', { hasText: words }));
  };
  await seen(page.locator('.map [aria-live]', { hasText: /^Row \w, seat \d+ .* available$/ }));
  const [, row, number] = /^Row (\w), seat (\d+) /.exec(await spoken.textContent());
  await says_next('ArrowUp', `Row ${String.fromCharCode(row.charCodeAt(0) - 1)}, seat ${number}`);
  await says_next('ArrowDown', `Row ${row}, seat ${number}`);
  // The two blocks stand beside each other: to the end of a row, and over to the other.
  await says_next('ArrowLeft', /Premium/);
  for (let i = 0; i < 20 && !/Standard/.test(await spoken.textContent()); i++) await page.keyboard.press('ArrowRight');
  assert.match(await spoken.textContent(), new RegExp(`^Row ${row}, seat 1 .*Standard`));
  await says_next('Enter', /chosen$/);
  await says(page, 'One seat chosen');
  await says_next('+', /^Row /);
  await says_next('0', /^Row /);
  await fan.close();
});

/* ---- the drawn map ---- */

for (const phone of [false, true]) {
  test(`a seat is chosen on the map ${phone ? 'with a finger' : 'with the mouse'}, where it is drawn`, async () => {
    // red when: what is drawn and what is hit are different places
    const show = await server.show({ ...venue({ rows: 8, seats_per_row: 12 }) });
    const fan = await fan_of({ phone });
    const { page } = fan;
    await open_seats(page, server, show);
    await page.waitForFunction(() => performance.getEntriesByName('map-frame').length > 0);
    const { rows } = (await server.fan('GET', `/api/v1/shows/${show}/plan?part=0`)).json;
    const { seats } = rows.find(({ label }) => label === 'C');
    const left_to_right = [...seats].sort((a, b) => a[2] - b[2]);
    const [seat_id] = seats.find(([, number]) => number === '5');
    const { color } = (await server.fan('GET', `/api/v1/shows/${show}`)).json.categories.find(({ name }) => name === 'Premium');
    await says(page, 'Floor');
    await page.waitForTimeout(500);
    const { x, y } = await place_on_map(page, color, 2, left_to_right.findIndex(([id]) => id === seat_id));
    const touch = async () => {
      if (phone) await page.touchscreen.tap(x, y);
      else await page.mouse.click(x, y);
    };
    // Seats that are too small for a finger come nearer at first, and the place that was touched stays under it.
    for (let i = 0; i < 3 && !(await page.locator('.picks-name').count()); i++) {
      await touch();
      await page.waitForTimeout(900);
    }
    await seen(page.locator('.picks-name', { hasText: /C5$/ }));
    await hold(page);
    await at_checkout(page);
    assert.deepEqual(await seats_gone(server, show), [seat_id]);
    await fan.close();
  });
}

/* ---- languages ---- */

test('who asks for German has every page in German', async () => {
  // red when: a text is not in the German table, or the page does not say its language
  const show = await server.queue_show(venue());
  const fan = await fan_of({ language: 'de-DE' });
  const { page } = fan;
  await page.goto(`${server.fans}/shows/${show}`);
  const next = page.locator('.hero-next .button');
  await seen(next);
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
  assert.match(await page.locator('.prices').textContent(), /90\s€/);
  await next.click();
  await page.waitForURL(/\/queue$/);
  await seen(page.locator('#news', { hasText: /[a-zß-ü]{3}/ }));
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
  await page.waitForURL(/\/seats$/);
  await named(page, 'button', 'Liste').click();
  await page.locator('.list-open').first().click();
  await seen(page.getByRole('button', { name: /^Reihe A, Platz 1,/ }));
  const words = await page.locator('body').innerText();
  for (const english of ['Choose', 'left', 'Row', 'Best for me', 'My tickets']) assert.ok(!new RegExp(`\\b${english}\\b`).test(words), `"${english}" on a German page`);
  await page.goto(`${server.fans}/shows/${show}/record`);
  await seen(page.getByRole('heading', { name: 'Diese Schlange nachprüfen' }));
  await fan.close();
});

test('a language that is chosen is kept, in the waiting room too', async () => {
  // red when: the waiting room reads the language elsewhere than the shop keeps it
  const show = await server.queue_show({ ...venue(), waiting_room: { max_active: 1 } });
  await server.enter(show, 'somebody');
  const fan = await fan_of();
  const { page } = fan;
  await page.goto(`${server.fans}/shows/${show}`);
  await named(page, 'button', 'Deutsch').click();
  await page.waitForFunction(() => document.documentElement.lang === 'de');
  await page.goto(`${server.fans}/shows/${show}/queue`);
  await says(page, /^Platz 2$/);
  await fan.close();
});

/* ---- narrow screens ---- */

async function no_sideways(page, where) {
  const found = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('body *')].filter((element) => {
      const { left, right, width: own } = element.getBoundingClientRect();
      if (!own || (right <= width + 1 && left >= -1)) return false;
      for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) if (getComputedStyle(up).overflowX !== 'visible') return false;
      return getComputedStyle(element).position !== 'absolute' || right - width > 1;
    });
    // Not innerWidth: on a telephone it grows with what is too wide.
    return { scroll: document.documentElement.scrollWidth, width, out: out.slice(0, 4).map((element) => `${element.tagName}.${element.className}`) };
  });
  assert.ok(found.scroll <= found.width, `${where}: ${found.scroll} > ${found.width}: ${found.out}`);
}

/* What a finger has to meet: the buttons that lead on. */
async function large_enough(page, where) {
  const small = await page.evaluate(() => [...document.querySelectorAll('.button, .segment, .list-open, .stepper-button, .map-button, .payment-card, .best-price, #act, #alert')]
    .filter((element) => element.checkVisibility?.() ?? element.offsetParent)
    .map((element) => [element.textContent.trim() || element.getAttribute('aria-label'), element.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && (height < 43.5 || width < 43.5))
    .map(([name, { width, height }]) => `${name}: ${Math.round(width)} x ${Math.round(height)}`));
  assert.deepEqual(small, [], where);
}

async function narrow_walk(show, width, look) {
  const fan = await fan_of({ phone: true, viewport: { width, height: 700 } });
  const { page } = fan;
  const at = async (path, shown) => {
    await page.goto(`${server.fans}${path}`);
    await seen(page.locator(shown));
    await look(page, `${path} at ${width}`);
  };
  await at('/', '.show-card');
  await at(`/shows/${show}`, '.hero-next .button');
  await at(`/shows/${show}/record`, '.record-results .button, .record-results button');
  await at(`/shows/${show}/queue`, '#news');
  await page.waitForURL(/\/seats$/);
  await at(`/shows/${show}/seats`, '.map-window');
  await at(`/shows/${show}/seats?view=best`, '.best');
  await at(`/shows/${show}/seats?view=list`, '.list-open');
  await page.locator('.list-open').first().click();
  await page.locator('.list-seat').first().click();
  await seen(page.getByText('One seat chosen'));
  await look(page, `a seat chosen at ${width}`);
  await named(page, 'button', /^Hold /).click();
  await at_checkout(page);
  await look(page, `checkout at ${width}`);
  await pay(page, 'A card that is declined');
  await seen(page.locator('.problem'));
  await look(page, `declined at ${width}`);
  await pay(page, 'A card that works');
  await at_tickets(page, server);
  await look(page, `tickets at ${width}`);
  await at('/tickets', '.show-card-link');
  await at('/nowhere', 'h1');
  await fan.close();
}

for (const width of [320, 390]) {
  test(`no page is wider than a phone of ${width} pixels, and what leads on is large enough for a finger`, async () => {
    // red when: something wide does not wrap, or a button is under 44 pixels
    const show = await server.queue_show({ ...venue(), payment_attempts: 3 });
    await narrow_walk(show, width, async (page, where) => {
      await no_sideways(page, where);
      await large_enough(page, where);
    });
  });
}

/* ---- texts that are an attack ---- */

const ATTACK = '<img src=x onerror="globalThis.struck=1"><script>globalThis.struck=1</script>';

test('names that are markup stay text on every page', async () => {
  // red when: a page puts a name into its document otherwise than as text
  const show = await server.queue_show({
    event_name: ATTACK,
    sections: [{ name: ATTACK.slice(0, 44), rows: 3, seats_per_row: 8, category: ATTACK.slice(0, 44) }],
    prices: { [ATTACK.slice(0, 44)]: { amount: 100, currency: 'EUR' } },
    payment_attempts: 3,
  });
  await narrow_walk(show, 390, async (page, where) => {
    assert.equal(await page.evaluate(() => globalThis.struck), undefined, where);
    assert.equal(await page.locator('img[src="x"]').count(), 0, where);
    await no_sideways(page, where);
  });
});

test('names of two hundred letters without a space break no page', async () => {
  // red when: a name is not allowed to wrap
  const long = 'Donaudampfschifffahrtsgesellschaft'.repeat(6).slice(0, 200);
  const show = await server.queue_show({
    event_name: long,
    sections: [{ name: long.slice(0, 60), rows: 3, seats_per_row: 8, category: long.slice(0, 60) }],
    prices: { [long.slice(0, 60)]: { amount: 100, currency: 'EUR' } },
    payment_attempts: 3,
  });
  await narrow_walk(show, 320, no_sideways);
});

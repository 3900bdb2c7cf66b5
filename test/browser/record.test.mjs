/* The record of a queue, checked in the fan's own browser (Web Crypto): what is in order is found so, with the fan's
 * place; what was changed on the way is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../api/harness.mjs';
import { open_for_file, open_server, says, seen } from './steps.mjs';

const { server, fan_of } = await open_for_file(open_server);

/* A fan waits with a browser, and the evening ends: the whole record is there. */
async function after_an_evening(fan, settings) {
  const show = await server.queue_show({ ...settings, waiting_room: { max_active: 2, ...settings.waiting_room } });
  for (const user of ['ann', 'bob', 'cy']) await server.place(show, user);
  await fan.page.goto(`${server.fans}/shows/${show}/queue`);
  await seen(fan.page.locator('#in'));
  await until('it is open', async () => (await server.queue(show)).status === 'ON_SALE');
  // Drawn among the first they may be inside already.
  await fan.page.waitForFunction((id) => JSON.parse(localStorage[`onsale.show.${id}`] ?? '{}').position > 0, show);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  const json = await until('the whole record is published', async () => {
    const { json: found } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return found.chain && found;
  });
  return { show, json };
}

for (const order of ['arrival', 'shuffle']) {
  test(`a fan finds their place in the record, and all of it in order (${order})`, async () => {
    // red when: the page checks something else than the server wrote, or another fan's place
    const fan = await fan_of({ phone: order === 'arrival' });
    const { page } = fan;
    const { show } = await after_an_evening(fan, order === 'arrival' ? {} : { waiting_room: { pre_queue_order: 'shuffle', pre_queue_seconds: 600 }, on_sale_time: new Date(Date.now() + 3000).toISOString() });
    const { position } = await page.evaluate((id) => JSON.parse(localStorage[`onsale.show.${id}`]), show);
    await page.goto(`${server.fans}/shows/${show}`);
    await page.getByRole('link', { name: 'See the record of this queue' }).click();
    await seen(page.getByRole('heading', { name: 'Everything is in order' }));
    await says(page, /^4 fans joined/);
    const facts = await page.locator('.record-facts').innerText();
    assert.match(facts, /You joined as number\s+4\b/);
    assert.match(facts, new RegExp(`Your place in line\\s+${position}\\b`));
    const marks = await page.locator('.record-mark').allInnerTexts();
    assert.equal(marks.length, 7);
    assert.equal(marks.filter((mark) => mark === '✓').length, order === 'shuffle' ? 7 : 6, marks.join(' '));
    await fan.close();
  });
}

test('a record that was changed on the way is refused, loudly and in words', async () => {
  // red when: the page shows what it was told instead of what it worked out
  const fan = await fan_of();
  const { page } = fan;
  const { show, json } = await after_an_evening(fan, {});
  const chain = Buffer.from(json.chain, 'base64');
  chain[Math.floor(chain.length / 2)] ^= 1;
  await page.context().route('**/queue/record', (route) => route.fulfill({ json: { ...json, chain: chain.toString('base64') } }));
  await page.goto(`${server.fans}/shows/${show}/record`);
  await seen(page.getByRole('heading', { name: 'Something is wrong with this record' }));
  await seen(page.locator('.record-mark', { hasText: '✗' }));
  assert.equal(await page.getByText('Everything is in order').count(), 0);
  await page.context().unroute('**/queue/record');
  await page.getByRole('button', { name: 'Check again' }).click();
  await seen(page.getByRole('heading', { name: 'Everything is in order' }));
  await fan.close();
});

test('while the sale runs the page says what it can know by now', async () => {
  // red when: an unfinished record is called wrong, or whole
  const show = await server.queue_show();
  await server.enter(show, 'ann');
  await until('something was signed', async () => (await server.fan('GET', `/api/v1/shows/${show}/queue/record`)).json.heads.length);
  const fan = await fan_of();
  await fan.page.goto(`${server.fans}/shows/${show}/record`);
  await seen(fan.page.getByRole('heading', { name: 'All in order so far' }));
  await fan.close();
});

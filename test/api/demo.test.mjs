/* The first steps of a newcomer: the demo and what it tells to try, and a plan imported into a stopped and a running
 * server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server, make_folder, remove_folder, run_onsale, until } from './harness.mjs';

const theatre = fileURLToPath(new URL('../../plans/theatre.json', import.meta.url));
const prices = ['Stalls=8000', 'Rear Stalls=6000', 'Circle=5000', 'Boxes=12000'].flatMap((price) => ['--price', price]);

let server;
let folder;
before(async () => { server = await Server.start({ args: ['--demo'] }); folder = make_folder(); });
after(async () => { await server.stop(); remove_folder(folder); });

test('the demo has a stadium of 50,000 places on sale, its waiting room on', async () => {
  // red when: the stadium's plan loses a block, or the demo show is made closed, or open to all at once
  const { json } = await server.fan('GET', '/api/v1/shows');
  assert.equal(json.length, 1);
  assert.equal(json[0].status, 'ON_SALE');
  const { body, headers } = await server.fan('GET', `/api/v1/shows/${json[0].show_id}/seats.bits`);
  assert.equal(body.length, 12_500);
  assert.ok(headers.get('etag'));
  const show = (await server.fan('GET', `/api/v1/shows/${json[0].show_id}`)).json;
  assert.equal(show.categories.reduce((sum, category) => sum + category.seats, 0), 50_000);
  assert.ok(show.categories.every((category) => category.amount > 0));
  assert.equal(show.waiting_room.enabled, true);
  assert.equal((await server.reserve(show.show_id, { best_available: { quantity: 1 } })).json.code, 'pass_required');
});

test('what the demo tells to try does what it says, pasted in one go', async () => {
  // red when: a command in the demo's notice has a typing error, or the API moved on
  const notice = await until('the demo says what to try', () => server.stderr.includes('Ctrl-C') && server.stderr);
  const script = notice.split('\n').filter((line) => /^ {4,}\S/.test(line)).join('\n');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -u; ${script}\necho; echo "$TICKET"; echo "$PASS"; echo "$HOLD"`], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(status, 0, stderr);
  const [answers, ...secrets] = stdout.split(/\n(?=q1\.|ey|r[0-9a-f]{32})/);
  assert.equal(secrets.length, 3, stdout);
  const [booking, stats] = answers.trim().split(/(?<=\})\s*(?=\{)/).map((text) => JSON.parse(text));
  for (const secret of [booking.booking_id, ...secrets]) server.secrets.add(secret.trim());
  assert.equal(booking.status, 'CONFIRMED');
  assert.equal(stats.booked, 2);
  assert.equal(stats.queue.admitted, 1);
});

test('a second start of the demo keeps what is there', async () => {
  // red when: --demo fills a folder that is not empty
  await server.restart();
  assert.equal((await server.fan('GET', '/api/v1/shows')).json.length, 1);
});

test('a plan is imported into a running server at once', async () => {
  // red when: import writes the ledger of a server that runs
  const { code, stdout, stderr } = await run_onsale(['import', theatre, '--data', server.data, '--event-name', 'The play', ...prices]);
  assert.equal(code, 0, stderr);
  const show = (await server.fan('GET', '/api/v1/shows')).json.find((one) => one.event_name === 'The play');
  assert.ok(stdout.includes(show.show_id));
  assert.equal(Object.keys(await server.seats(show.show_id)).length, 600);
  const { json } = await server.reserve(show.show_id, { best_available: { quantity: 2, category: 'Boxes' } });
  assert.equal(json.amount, 24000);
});

test('a plan is imported into a folder that no server uses, and is there at the start', async () => {
  // red when: import leaves the ledger half written
  const data = join(folder, 'later');
  const { code, stderr } = await run_onsale(['import', theatre, '--data', data, '--currency', 'GBP', '--on-sale-time', '2099-01-01T00:00:00Z', ...prices]);
  assert.equal(code, 0, stderr);
  const later = await Server.start({ data, keep_data: true });
  const [show] = (await later.fan('GET', '/api/v1/shows')).json;
  assert.deepEqual([show.event_name, show.status], ['Onsale Theatre', 'SCHEDULED']);
  assert.equal((await later.fan('GET', `/api/v1/shows/${show.show_id}`)).json.categories[0].currency, 'GBP');
  await later.stop();
});

test('import --check tells what is in a plan and makes nothing', async () => {
  // red when: --check opens the data folder
  const data = join(folder, 'never');
  const { code, stdout } = await run_onsale(['import', theatre, '--check', '--data', data]);
  assert.equal(code, 0);
  assert.match(stdout, /600 places/);
  assert.equal(existsSync(data), false);
});

for (const [name, text, said] of [
  ['that is no JSON', '{"sections":', /JSON|json/],
  ['without a price', '{"sections":[{"name":"","rows":1,"seats_per_row":2,"category":"S"}]}', /price/],
  ['with a wrong member', '{"sections":[{"name":"","rows":0,"seats_per_row":2,"category":"S"}]}', /rows/],
  ['of another kind', '{"hello":"world"}', /plan|sections|zones/],
]) {
  test(`a plan ${name} is refused with the reason`, async () => {
    // red when: import makes a show from what it could not read
    const file = join(folder, 'plan.json');
    writeFileSync(file, text);
    const { code, stderr } = await run_onsale(['import', file, '--data', join(folder, 'refused')]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, said);
    rmSync(file);
  });
}

test('a plan that is not there is refused by name', async () => {
  // red when: an unreadable file is taken for an empty one
  const { code, stderr } = await run_onsale(['import', join(folder, 'nowhere.json'), '--data', join(folder, 'refused')]);
  assert.equal(code, 1);
  assert.match(stderr, /nowhere\.json/);
});

/* The audit of a server that has sold: `onsale verify` names what was changed in it, and `onsale forget` takes a person
 * out of the whole data folder while everything still verifies. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, make_folder, remove_folder, run_onsale, until } from './harness.mjs';

const EVE = 'eve-whom-nobody-knows-0815';
const ANN = 'ann-who-stays-4711';

let data; // of an evening that is over, its server stopped
let record; // of its queue
before(async () => {
  ({ data, record } = await an_evening());
});
after(() => remove_folder(data));

/* Both go through the waiting room. Eve buys two seats, all with keys, and is given the money of one back; then she holds
 * a seat of another show that she never pays. Ann buys one. */
async function an_evening() {
  const server = await Server.start({ keep_data: true });
  const show = await server.queue_show({ hold_seconds: 600 });
  const passes = {};
  for (const user of [EVE, ANN]) {
    const { queue_ticket } = await server.place(show, user);
    const claimed = await until('the turn has come', async () => {
      const answer = await server.claim(show, queue_ticket, { 'Idempotency-Key': `claim-of-${user}` });
      return answer.status === 200 && answer;
    });
    passes[user] = { Authorization: `Bearer ${claimed.json.pass}` };
  }
  const buy = async (user, seats) => {
    const taken = await server.reserve(show, seats, user, { ...passes[user], 'Idempotency-Key': `take-of-${user}` });
    assert.equal(taken.status, 201, taken.body.toString());
    const sold = await server.confirm(taken.json.reservation_id, 'tok_visa', { 'Idempotency-Key': `pay-of-${user}` });
    assert.equal(sold.status, 200, sold.body.toString());
    await server.settled(sold.json.booking_id, 'CAPTURED', 'CONFIRMED');
    return sold.json.booking_id;
  };
  const of_eve = await buy(EVE, ['A1', 'A2']);
  await buy(ANN, ['B1']);
  const back = await server.admin('POST', `/api/v1/admin/bookings/${of_eve}/refund`, {
    body: { seat_ids: ['A2'], reason: `${EVE} is ill` },
    headers: { 'Idempotency-Key': 'a-refund-for-eve' },
  });
  assert.equal(back.status, 200, back.body.toString());
  await server.settled(of_eve, 'CAPTURED', 'CONFIRMED');
  await server.hold(await server.show({ hold_seconds: 600 }), ['A7'], EVE);
  assert.equal((await server.admin('POST', `/api/v1/admin/shows/${show}/close`)).status, 200);
  const json = await until('the whole record is published', async () => {
    const answer = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return answer.json.chain && answer.json;
  });
  await server.stop();
  const file = join(server.data, 'published-record.json');
  writeFileSync(file, JSON.stringify(json));
  return { data: server.data, record: file };
}

function copy_of_data() {
  const folder = make_folder();
  cpSync(data, folder, { recursive: true });
  return folder;
}

function sql(folder, text) {
  const { status, stdout, stderr } = spawnSync('sqlite3', [join(folder, 'ledger.sqlite'), text], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

const verify = (folder) => run_onsale(['verify', '--data', folder, '--payments']);

async function assert_sound(folder) {
  const { code, stdout, stderr } = await verify(folder);
  assert.equal(code, 0, stdout + stderr);
}

/* The files that have these letters in them, as they are or in base64url at any of its three offsets. */
function files_with(folder, letters) {
  const words = [Buffer.from(letters)];
  for (const before of ['', 'x', 'xx']) {
    const text = Buffer.from(before + letters).toString('base64url');
    words.push(Buffer.from(text.slice(before ? 4 : 0, -4)));
  }
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((file) => statSync(file).isFile())
    .filter((file) => { const bytes = readFileSync(file); return words.some((word) => bytes.includes(word)); })
    .map((file) => file.slice(folder.length + 1));
}

test('an evening verifies, and a change of the audit, of a booking or of a reason is named', async () => {
  // red when: verify does not compute the chain again, or does not hold the tables against it
  await assert_sound(data);
  const unlock = 'DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_cut; ';
  const changes = [
    [`${unlock}UPDATE audit SET actor = actor || 'x' WHERE number = 3`, /row 3\b/],
    [`${unlock}DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)`, /the audit ends with row/],
    [`UPDATE bookings SET user_id = 'mallory' WHERE user_id = '${ANN}'`, /about somebody else/],
    ["UPDATE audit_reasons SET reason = 'was well'", /the reason kept for row/],
  ];
  for (const [change, finding] of changes) {
    const copy = copy_of_data();
    sql(copy, change);
    const { code, stdout } = await verify(copy);
    assert.equal(code, 1, change);
    assert.match(stdout, finding);
    remove_folder(copy);
  }
});

test('a payment that is said to be where the audit did not leave it is named', async () => {
  // red when: the rows of the audit are held against the bookings, and not the bookings against the rows
  const ann = `(SELECT booking_id FROM bookings WHERE user_id = '${ANN}')`;
  const eve = `(SELECT booking_id FROM bookings WHERE user_id = '${EVE}' AND status = 'CONFIRMED')`;
  for (const [change, named] of [
    [`UPDATE bookings SET saga = 'CAPTURING', payment_state = 'AUTHORIZED' WHERE booking_id = ${ann}`, 'is said to be unpaid'],
    [`UPDATE bookings SET saga = 'REFUNDING' WHERE booking_id = ${eve}`, 'which the audit says it has'],
    [`UPDATE bookings SET saga = 'CANCELLED', status = 'CANCELLED', payment_state = 'VOIDED' WHERE booking_id = ${ann}`, 'cancelled with nothing to be given back'],
    [`UPDATE bookings SET intent_id = (SELECT intent_id FROM bookings WHERE booking_id = ${eve}) WHERE booking_id = ${ann}`, 'is named by 2 bookings'],
  ]) {
    const folder = copy_of_data();
    sql(folder, change);
    const { code, stdout } = await run_onsale(['verify', '--data', folder]);
    assert.ok(code === 1 && stdout.includes(named), `${change}: ${stdout}`);
    remove_folder(folder);
  }
});

test('a dry run says what would be erased and erases nothing', async () => {
  // red when: --dry-run writes
  const before = files_with(data, EVE);
  assert.ok(before.includes('ledger.sqlite'), `${before}`);
  const { code, stdout, stderr } = await run_onsale(['forget', '--data', data, '--user', EVE, '--dry-run']);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /would be erased:\n {2}1 bookings/);
  assert.deepEqual(files_with(data, EVE), before);
});

test('who is forgotten is nowhere in the folder any more, and all still verifies', async () => {
  // red when: a table, the journal, a kept answer, a pass or a free page still names them, or the chain breaks
  const folder = copy_of_data();
  // What was deleted long ago is still in the file.
  sql(folder, `PRAGMA secure_delete = OFF; INSERT INTO kept_answers SELECT 1000, x'01', x'02', 200, CAST('${EVE}' AS BLOB), 'x'; DELETE FROM kept_answers WHERE answer_id = 1000`);
  const { code, stdout, stderr } = await run_onsale(['forget', '--data', folder, '--user', EVE]);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /erased:\n {2}1 bookings[^]*\n {2}1 admissions[^]*\n {2}1 places[^]*\n {2}1 reasons/);
  assert.deepEqual(files_with(folder, EVE), []);
  assert.ok(files_with(folder, ANN).length > 0);
  await assert_sound(folder);
  const checked = await run_onsale(['verify', '--queue', record]);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  assert.equal(sql(folder, "SELECT count(*) FROM bookings WHERE user_id LIKE 'forgotten-%' AND salt IS NULL"), '1');
  assert.equal(sql(folder, "SELECT count(*) FROM audit WHERE action = 'person.erased'"), '1');
  remove_folder(folder);
});

test('a server goes on where somebody was forgotten, and gives the same record of its queue', async () => {
  // red when: an erased salt is taken for damage, or the pseudonym is refused
  const folder = copy_of_data();
  assert.equal((await run_onsale(['forget', '--data', folder, '--user', EVE])).code, 0);
  const server = await Server.start({ data: folder });
  const { show_id, chain } = JSON.parse(readFileSync(record, 'utf8'));
  const now = (await server.fan('GET', `/api/v1/shows/${show_id}/queue/record`)).json;
  assert.equal(now.chain.slice(0, chain.length - 4), chain.slice(0, chain.length - 4));
  const seats = await server.seats(show_id);
  assert.deepEqual([seats.A1, seats.A2, seats.B1], ['BOOKED', 'AVAILABLE', 'BOOKED']);
  await server.stop();
  await assert_sound(folder);
  remove_folder(folder);
});

test('forgetting again, or somebody who never came, erases nothing', async () => {
  // red when: the command fails where there is nothing, or makes up what it erased
  const folder = copy_of_data();
  assert.equal((await run_onsale(['forget', '--data', folder, '--user', EVE])).code, 0);
  for (const user of [EVE, 'nobody']) {
    const { code, stdout } = await run_onsale(['forget', '--data', folder, '--user', user]);
    assert.equal(code, 0);
    assert.equal(stdout.match(/^ {2}0 /gm)?.length, 7, stdout);
  }
  await assert_sound(folder);
  remove_folder(folder);
});

test('nobody is forgotten beside a running server, while a payment is open, or without being named', async () => {
  // red when: the folder's lock is not taken, an open saga loses its fan, or a missing name means all
  const server = await Server.start({ keep_data: true });
  const show = await server.show();
  const beside = await run_onsale(['forget', '--data', server.data, '--user', EVE]);
  assert.equal(beside.code, 1);
  assert.match(beside.stderr, /stop it first/);
  const { reservation_id } = await server.hold(show, ['A1'], EVE);
  const lost = server.confirm(reservation_id, 'tok_hang').catch(() => null);
  await until('the payment is under way', async () => (await server.admin('GET', `/api/v1/admin/shows/${show}/bookings`)).json.bookings.length === 1);
  await server.kill();
  await lost;
  const open = await run_onsale(['forget', '--data', server.data, '--user', EVE]);
  assert.equal(open.code, 1);
  assert.match(open.stderr, /is not at its end/);
  assert.equal(sql(server.data, `SELECT count(*) FROM bookings WHERE user_id = '${EVE}'`), '1');
  assert.equal((await run_onsale(['forget', '--data', server.data])).code, 2);
  remove_folder(server.data);
});

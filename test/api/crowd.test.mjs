/* Simulated buyers at a real server: they sell seats, the books stay whole, and they go when they are told to, or when
 * the server does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Server, exchange, make_folder, onsale, remove_folder, run_onsale, sleep, until } from './harness.mjs';

/* What a failed test leaves behind would keep this process from its end. */
const started = [];
after(() => { for (const child of started) child.kill('SIGKILL'); });

async function start_server(options) {
  const server = await Server.start(options);
  started.push(server.child);
  return server;
}

/* A crowd: {child, told(), stop()}. */
function crowd(...args) {
  const child = spawn(onsale, ['crowd', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  started.push(child);
  let text = '';
  child.stderr.on('data', (data) => { text += data; });
  const ended = once(child, 'close');
  return {
    child,
    told: () => text,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return (await ended)[0];
    },
  };
}

const stats = async (server, show) => (await server.admin('GET', `/api/v1/admin/shows/${show}/stats`)).json;

/* What the sandbox has captured, in minor units, over all pages of its list. */
async function captured(server) {
  const { sandbox } = JSON.parse(readFileSync(join(server.data, 'sandbox/listen.json'), 'utf8'));
  let sum = 0;
  for (let last, more = true; more;) {
    const page = await exchange(`http://${sandbox}`, 'GET', `/v1/payment_intents?limit=100${last ? `&starting_after=${last}` : ''}`, { headers: { Authorization: 'Bearer sk_test_me' } });
    assert.equal(page.status, 200, page.body.toString());
    for (const intent of page.json.data) if (intent.status === 'succeeded') sum += intent.amount_received;
    more = page.json.has_more;
    last = page.json.data.at(-1)?.id;
  }
  return sum;
}

/* The command line of a process that runs, or ''. */
function command_of(pid) {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

const crowd_of = (server) => server.children().find((pid) => command_of(pid).includes('\0crowd\0'));

test('a crowd of fifty sells a small show, seats come back and are sold again, and the books are whole', async () => {
  // red when: a step of a fan's way is refused, bookings are not given back, or a declined card is counted as a sale
  const server = await start_server();
  const show = await server.queue_show({ rows: 5, seats_per_row: 20, cancellation: { allowed: true, until_seconds: 0 } });
  const fans = crowd('--url', server.fans, '--show', show, '--fans', '50', '--pace', '50', '--seed', '4');
  const full = await until('the house is nearly full, and bookings came back', async () => {
    const now = await stats(server, show);
    return now.booked > 80 && now.revenue.refunded > 0 && now;
  }, 60_000);
  assert.ok(full.queue.admitted > 0);
  assert.equal(await fans.stop(), 0);
  assert.match(fans.told(), /show [0-9a-f-]{36} is on sale/);
  const summary = /(\d+) sold in (\d+) bookings, (\d+) given back.* (\d+) cards declined.* (\d+) refused/.exec(fans.told().trim().split('\n').at(-1));
  assert.ok(summary, fans.told());
  assert.ok(Number(summary[1]) > 80, 'it counts what it bought');
  assert.ok(Number(summary[3]) > 0, 'and what it gave back');
  assert.equal(Number(summary[5]), 0, `nothing is refused as wrong: ${fans.told()}`);
  const settled = await until('all payments are over', async () => {
    const now = await stats(server, show);
    return now.payments_open === 0 && now.bookings.pending === 0 && now;
  });
  await until('the gateway has captured what was sold, what was given back included', async () => await captured(server) === settled.revenue.amount + settled.revenue.refunded);
  server.owns_data = false;
  await server.stop();
  const verified = await run_onsale(['verify', '--data', server.data, '--payments']);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  remove_folder(server.data);
});

test('a crowd waits for a show that is not there, is not open, or has nobody who answers, and says so once', async () => {
  // red when: it ends, hammers, or says the same again
  const server = await start_server();
  const fans = crowd('--url', server.fans, '--fans', '20', '--pace', '10');
  await until('it says that there is no show', () => /there is no show: waiting/.test(fans.told()));
  const show = await server.show({ on_sale_time: '2099-01-01T00:00:00Z' });
  const named = crowd('--url', server.fans, '--show', show, '--fans', '20', '--pace', '10');
  await until('it says that the show is not open', () => /the show is SCHEDULED: waiting/.test(named.told()));
  const nobody = crowd('--url', 'http://127.0.0.1:1', '--fans', '20', '--pace', '10');
  await until('it says that nobody answers', () => /nobody answers/.test(nobody.told()));
  await sleep(500);
  for (const one of [fans, named, nobody]) {
    assert.equal(one.told().split('waiting').length, 2, one.told());
    assert.equal(await one.stop('SIGINT'), 0);
  }
  assert.equal((await stats(server, show)).holds, 0);
  await server.stop();
});

test('the crowd of the demo sells in the background and ends with the server', async () => {
  // red when: the child is not started, speaks, or outlives SIGTERM
  const server = await start_server({ args: ['--demo', '--demo-crowd', '30'] });
  const [{ show_id: show }] = (await server.fan('GET', '/api/v1/shows')).json;
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.cancellation.allowed, true);
  const pid = await until('the crowd runs', () => crowd_of(server));
  await until('somebody takes seats', async () => (await stats(server, show)).held > 0, 40_000);
  process.kill(pid, 'SIGKILL');
  const again = await until('another crowd runs in its stead', () => crowd_of(server) !== pid && crowd_of(server));
  assert.match(server.stderr, /30 simulated buyers/);
  await server.stop();
  await until('it has ended', () => command_of(again) === '');
});

test('kill -9 of the server ends the crowd', async () => {
  // red when: the child is not bound to its parent's life
  const server = await start_server({ args: ['--demo', '--demo-crowd', '5'] });
  const pid = await until('the crowd runs', () => crowd_of(server));
  await server.kill();
  await until('it has ended', () => command_of(pid) === '');
  await server.stop({ check: false });
});

for (const [name, args, said] of [
  ['without --demo', ['--demo-crowd', '5'], /--demo-crowd goes with --demo/],
  ['beside a gateway that is not the sandbox', ['--demo', '--demo-crowd', '5', '--payments', 'http://127.0.0.1:1'], /--demo-crowd goes with --demo/],
]) {
  test(`the demo's crowd is refused ${name}`, async () => {
    // red when: buyers who do not exist can be let loose on a real sale
    const folder = make_folder();
    const { code, stderr } = await run_onsale(['serve', ...args, '--data', folder, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'], { env: { ONSALE_PAYMENTS_KEY: 'sk_test_me' } });
    remove_folder(folder);
    assert.equal(code, 1);
    assert.match(stderr, said);
  });
}

test('onsale crowd says what it takes, and refuses what it does not understand', async () => {
  // red when: a setting is taken that is none
  const help = await run_onsale(['crowd', '--help']);
  assert.equal(help.code, 0);
  for (const name of ['--url', '--show', '--fans', '--buyers-share', '--think-seconds', '--seats', '--pace', '--seed', '--quiet']) assert.match(help.stdout, new RegExp(`${name} `));
  for (const args of [[], ['--fans'], ['--url', 'ftp://a'], ['--url', 'http://a/path'], ['--url', 'http://u:p@a'], ['--url', 'nowhere at all'], ['--fans', '0'], ['--fans', '20001'],
    ['--seats', '4-2'], ['--seats', '0'], ['--seats', '11'], ['--show', 'x'], ['--pace', '0'], ['--buyers-share', '101'], ['--what', '1']]) {
    const given = args[0] === '--url' || !args.length ? args : ['--url', 'http://127.0.0.1:1', ...args];
    const { code, stderr } = await run_onsale(['crowd', ...given], { timeout_ms: 5000 });
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^onsale: /);
  }
});

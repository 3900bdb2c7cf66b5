/* The syscall sweep: one confirm, killed at every single write to a disk or a socket that it makes, and in a second pass
 * failed there with EIO. After each the server is started again, everything settles, and promises 1 to 3 hold.
 *
 *     node test/faults/syscall_sweep.mjs [kill|fail [THREAD]]     those only; THREAD as "ledger" or "free ledger"
 *
 * strace is attached to one thread of a server that is up, and makes its N-th pwrite64 (or sendto …) fail, counted from
 * the confirm to the end of its payment; N rises until none is hit any more. So no call is left out, whatever the order of
 * the threads is. What has to follow from a failed call depends on what it was for: a write to the ledger ends the
 * server with 1, one to the journal of holds stops new holds, one to a socket costs that connection; an eventfd, which
 * cannot fail, is a panic where it does; and none of them costs a promise.
 *
 * Where strace cannot be used there is no sweep: that is a failure. The last line is "N passed, N failed".
 *
 * Red when: something is told before it is on disk, an error of a write is not looked at, or a failed fsync is retried. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox, Server, sleep, until } from '../api/harness.mjs';
import { look_at, nothing_told, settled, verify_stopped } from './promises.mjs';

const AT_ONCE = 4;
const HOLD_IS_WRITTEN_MS = 200; // a hold that is answered may reach the journal so much later: that is not the confirm's
const MOST_CALLS = 200; // of one thread in one confirm: a bound, far above what it makes
const calls = ['write', 'writev', 'pwrite64', 'pwritev', 'fsync', 'fdatasync', 'sendto', 'sendmsg', 'connect'];
/* Who takes part in a confirm that is paid, and in one of free tickets: no saga mends what is said too early of those. */
const sweeps = ['reactor', 'cashier', 'ledger', 'journal', 'free reactor', 'free ledger', 'free journal'];

class World {
  static async open(sweep) {
    const world = new World();
    world.is_free = sweep.startsWith('free ');
    world.name = sweep.split(' ').at(-1);
    world.told = nothing_told();
    world.gateway = await Sandbox.start();
    world.server = await Server.start({ ...world.gateway.for_server(), args: ['--reactors', '1', '--gateway-seconds', '1'] });
    world.show = await world.server.show({ rows: 1, seats_per_row: 4, amount: world.is_free ? 0 : 5000 });
    world.hold = await world.server.hold(world.show, ['A1', 'A2'], 'ann');
    await sleep(HOLD_IS_WRITTEN_MS);
    world.trace = join(world.server.data, 'trace');
    return world;
  }

  thread(name) {
    const folder = `/proc/${this.server.child.pid}/task`;
    const found = readdirSync(folder).filter((id) => readFileSync(`${folder}/${id}/comm`, 'utf8').trim() === name);
    assert.equal(found.length, 1, `one thread is called ${name}`);
    return found[0];
  }

  /* Has the thread's calls written down, and what is said injected; comes back once strace is attached. */
  async attach(...injection) {
    this.strace = spawn('strace', ['-yy', '-o', this.trace, '-p', this.thread(this.name), '-e', `trace=${calls}`, ...injection], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.strace.stderr.on('data', (text) => { said += text; });
    this.strace_ended = once(this.strace, 'close');
    await until('strace is attached', () => {
      const is_attached = /attached/.test(said); // and perhaps gone again, with the server that it killed
      assert.ok(is_attached || this.strace.exitCode === null, `strace cannot be used here: ${said}`);
      return is_attached;
    });
  }

  async let_go() {
    this.strace.kill('SIGINT');
    await this.strace_ended;
  }

  /* The line of the call that was injected, if it was. */
  injected() {
    const lines = readFileSync(this.trace, 'utf8').split('\n');
    const failed = lines.find((line) => line.includes('(INJECTED)'));
    const was_killed = lines.some((line) => line.includes('killed by SIGKILL'));
    return failed ?? (was_killed ? lines.filter((line) => /^\w+\(/.test(line)).at(-1) : undefined);
  }

  async confirm() {
    const { status, json } = await this.server.confirm(this.hold.reservation_id, this.is_free ? null : 'tok_visa');
    if (status === 200) this.told.confirmed.set(json.booking_id, { seat_ids: ['A1', 'A2'] });
    return { status, json };
  }

  async close() {
    this.strace?.kill('SIGKILL');
    this.server.child.kill('SIGKILL');
    await this.server.ended;
    await this.server.stop({ check: false });
    await this.gateway.stop();
  }
}

/* What the call was for, by what strace says of its descriptor. */
function purpose(line) {
  if (/ledger\.sqlite/.test(line)) return 'ledger';
  if (/holds\//.test(line)) return 'journal';
  if (/<(TCP|TCPv6|socket|UNIX)/.test(line) || /^connect/.test(line)) return 'socket';
  if (/<anon_inode:\[eventfd\]>/.test(line) || /eventfd/.test(line)) return 'bell';
  if (/^write\(2</.test(line)) return 'log';
  return 'other';
}

/* What a confirm brings on: its payment; that the journal is told, which it gathers for a while; and that the ledger brings
 * its log into its file once it has nothing else to do. */
const last_sign = { ledger: /^fdatasync\(\d+<[^>]*ledger\.sqlite>.*= 0$/m, journal: /^fdatasync\(.*= 0$/m };

async function all_is_written(world) {
  await settled(world.server, [world.show], 10_000);
  const sign = last_sign[world.name];
  if (sign) await until(`${world.name} has written it`, () => world.server.exit || sign.test(readFileSync(world.trace, 'utf8')) || world.injected(), 10_000);
}

/* The confirm, and all of that, with the injection armed. Its failure is what is wanted. */
async function confirm_under(world) {
  const { server } = world;
  try {
    await Promise.race([world.confirm(), server.ended]);
    if (!server.exit) await all_is_written(world);
  } catch (fault) {
    if (/in vain/.test(fault.message)) throw fault;
    await Promise.race([server.ended, sleep(1000)]);
    if (!server.exit) await all_is_written(world);
  }
}

async function check_killed({ server }) {
  await Promise.race([server.ended, sleep(10_000)]);
  assert.deepEqual(server.exit, { code: null, signal: 'SIGKILL' });
}

/* What a failed call has to lead to. */
async function check_failed(world, line) {
  const { server } = world;
  const what = purpose(line);
  if (what === 'ledger') {
    await Promise.race([server.ended, sleep(10_000)]);
    assert.deepEqual(server.exit, { code: 1, signal: null }, 'a failed write to the ledger ends the server');
    return;
  }
  if (what === 'bell') {
    await Promise.race([server.ended, sleep(10_000)]);
    assert.deepEqual(server.exit, { code: null, signal: 'SIGABRT' }, 'an eventfd that cannot be written is a panic');
    return;
  }
  assert.equal(server.exit, undefined, `the server lives through a failed write to ${what}`);
  if (what === 'journal') {
    const { status, json } = await server.reserve(world.show, ['A3'], 'bob');
    assert.deepEqual([status, json.code], [503, 'hold_store_unavailable']);
    return;
  }
  assert.ok(['socket', 'log'].includes(what), line);
  await server.book(world.show, ['A3'], 'bob');
}

async function check_after(world) {
  const { server, gateway, show, told } = world;
  if (!server.exit) await server.kill();
  server.exit = undefined;
  await server.spawn();
  await settled(server, [show]);
  (await look_at(server, gateway, [show], told)).settle();
  const free = Object.entries(await server.seats(show)).filter(([, status]) => status !== 'BOOKED').map(([seat]) => seat);
  await server.fan('DELETE', `/api/v1/reservations/${world.hold.reservation_id}`);
  if (free.length) told.confirmed.set((await server.book(show, free, 'carl')).booking_id, { seat_ids: free });
  await settled(server, [show]);
  (await look_at(server, gateway, [show], told)).settle();
  await verify_stopped(server, gateway);
}

/* Which of the calls a thread makes when nothing goes wrong. */
async function calls_of(sweep) {
  const world = await World.open(sweep);
  try {
    await world.attach();
    await world.confirm();
    await all_is_written(world);
    await world.let_go();
    const made = readFileSync(world.trace, 'utf8').split('\n').map((line) => line.split('(')[0]);
    return calls.filter((call) => made.includes(call));
  } finally {
    await world.close();
  }
}

/* One run: the purpose of the call that was hit, or null when there is no n-th. */
async function run(name, call, pass, n) {
  const world = await World.open(name);
  try {
    await world.attach('-e', `inject=${call}:${pass === 'kill' ? 'signal=SIGKILL' : 'error=EIO'}:when=${n}`);
    await confirm_under(world);
    if (!world.server.exit) await world.let_go();
    await world.strace_ended;
    const line = world.injected();
    if (!line) {
      assert.equal(world.server.exit, undefined, 'nothing was injected, and the server ended');
      return null;
    }
    if (pass === 'kill') await check_killed(world);
    else await check_failed(world, line);
    await check_after(world);
    return purpose(line);
  } catch (fault) {
    let line;
    try { line = world.injected(); } catch { line = 'no trace'; }
    fault.message = `${name}, ${call} ${n}, ${pass}: ${fault.message}\n${line}\n${world.server.stderr.split('\n').slice(-8).join('\n')}`;
    throw fault;
  } finally {
    await world.close();
  }
}

/* Every n-th of one call of one thread. Commits share what they write as it comes, so that one run may have a call less
 * than another: two misses end it. */
async function sweep(name, call, pass, tally) {
  let n = 0;
  let misses = 0;
  const work = async () => {
    while (misses < 2 && n < MOST_CALLS) {
      const mine = ++n;
      try {
        const what = await run(name, call, pass, mine);
        if (what) tally.hit[what] = (tally.hit[what] ?? 0) + 1;
        if (what) tally.passed++;
        else misses++;
      } catch (fault) {
        tally.failed++;
        if (tally.failed <= 20) console.log(`syscall sweep: FAILED ${fault.message}\n${fault.stack}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.equal(misses >= 2, true, `${name} makes less than ${MOST_CALLS} calls of ${call}`);
}

async function sweep_thread(name, pass) {
  const tally = { passed: 0, failed: 0, hit: {} };
  let made = [];
  try {
    made = await calls_of(name);
    assert.ok(made.length, 'the thread has a part in a confirm');
    for (const call of made) await sweep(name, call, pass, tally);
  } catch (fault) {
    tally.failed++;
    console.log(`syscall sweep: FAILED ${name}, ${pass}: ${fault.stack}`);
  }
  console.log(`syscall sweep: ${pass} at each ${made} of ${name}: ${tally.passed} passed, ${tally.failed} failed: ${JSON.stringify(tally.hit)}`);
  return tally;
}

async function main() {
  const [only_pass, only_thread] = process.argv.slice(2);
  const totals = { passed: 0, failed: 0 };
  const began = Date.now();
  for (const pass of ['kill', 'fail'].filter((pass) => !only_pass || pass === only_pass)) {
    for (const name of sweeps.filter((name) => !only_thread || name === only_thread)) {
      const { passed, failed } = await sweep_thread(name, pass);
      totals.passed += passed;
      totals.failed += failed;
    }
  }
  console.log(`syscall sweep: ${Math.round((Date.now() - began) / 1000)} s`);
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  process.exit(totals.failed ? 1 : 0);
}

await main();

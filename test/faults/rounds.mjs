/* What the programs share that kill a server again and again: chance from a seed, a slow disk, and the loop of rounds.
 *
 * A round starts on the folder of the rounds before. The program's last line is "N passed, N failed"; its exit code 1 when
 * anything failed, and the data folder is then kept and named. */
import { spawnSync } from 'node:child_process';
import { Server, make_folder, remove_folder } from '../api/harness.mjs';

/* Makes every write of the ledger take 5 ms before it begins. -D: the server is our child, strace its grandchild. */
const slow_disk = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=pwrite64', '-e', 'inject=pwrite64:delay_enter=5000'];
const strace_works = spawnSync(slow_disk[0], [...slow_disk.slice(1), 'true']).status === 0;

/* mulberry32: small, and the same everywhere. */
export function random_from(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/* What a program was asked for: [ROUNDS] [SEED], the seed else from the clock. */
export function rounds_and_seed(usual_rounds) {
  return { rounds: Number(process.argv[2] ?? usual_rounds), seed: Number(process.argv[3] ?? Date.now() % 2 ** 31) };
}

/* Starts the server again as it was; `wrapper`: with a command in front. */
export async function start_again(server, wrapper = []) {
  server.exit = undefined;
  server.wrapper = wrapper;
  await server.spawn();
}

/* Kills the server while clients are at it: at a random moment, or in the very moment in which an answer arrives (then
 * `dead.at_next_answer` is set, and a client kills it). Who was cut off is waited for. */
export async function kill_among(server, clients, dead, { after, at_answer, before_kill = () => {} }) {
  const outcome = Promise.all(clients);
  outcome.catch(() => {});
  await after;
  before_kill();
  if (at_answer) {
    dead.at_next_answer = true;
    let late;
    await Promise.race([server.ended, new Promise((done) => { late = setTimeout(done, 3000); })]);
    clearTimeout(late);
  }
  dead.now = true;
  await server.kill();
  await outcome;
}

/* Runs rounds and ends the process.
 *
 * prepare(server)      once, before the first
 * has_slow_disk(round) whether the round's server is started with a slow disk, where strace can be used
 * round(server, round) kills the server, looks, and leaves it running or stopped by SIGTERM
 * finish(server)       after the last
 * said()               what to print of a round */
export async function run_rounds({ name, rounds, seed, prepare, has_slow_disk, round, finish = () => {}, said }) {
  console.log(`${name}: ${rounds} rounds, seed ${seed}${strace_works ? '' : ' (strace cannot be used here: no slow disk)'}`);
  const data = make_folder();
  let passed = 0;
  let failed = 0;
  let server;
  try {
    server = await Server.start({ data, keep_data: true });
    await prepare(server);
    for (let i = 0; i < rounds; i++) {
      if (!server.exit) await server.kill();
      await start_again(server, strace_works && has_slow_disk(i) ? slow_disk : []);
      await round(server, i);
      passed++;
      console.log(`${name}: round ${i + 1}: ${said()}`);
    }
    await finish(server);
    server.stderr = server.stderr.replaceAll(/^strace: .*\n/gm, '');
    server.check_log();
    remove_folder(data);
  } catch (fault) {
    failed = Math.max(rounds - passed, 1);
    console.log(`${name}: FAILED in round ${passed + 1} of seed ${seed}: ${fault.stack}`);
    console.log(`${name}: the data is in ${data}; the log's end:\n${server?.stderr?.split('\n').slice(-15).join('\n')}`);
    server?.child?.kill('SIGKILL');
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

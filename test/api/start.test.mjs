/* What keeps a server from starting, and what it says then: addresses that are in use, secrets on the command line, a
 * sandbox that cannot run. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, make_folder, remove_folder, run_onsale } from './harness.mjs';

let server;
let folder;
before(async () => { server = await Server.start(); folder = make_folder(); });
after(async () => { await server.stop(); remove_folder(folder); });

const serve = (...args) => run_onsale(['serve', '--data', folder, ...args]);
const free = '127.0.0.1:0';

test('an address is served by one server', async () => {
  // red when: nobody looks before SO_REUSEPORT deals the connections out between two servers
  for (const taken of [server.fans, server.operator].map((url) => new URL(url).host)) {
    for (const args of [['--listen', taken, '--admin-listen', free], ['--listen', free, '--admin-listen', taken]]) {
      const { code, stderr } = await serve(...args);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`cannot listen on ${taken}: it is in use already`));
    }
  }
});

test('fans and operator are not served at one address', async () => {
  // red when: the operator's listener shares the fans' address, and each request is dealt to one of the two
  const other = await Server.start();
  const address = new URL(other.fans).host;
  await other.stop();
  const { code, stderr } = await serve('--listen', address, '--admin-listen', address);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`cannot listen on ${address}: it is in use already`));
});

test('where the last server listened is forgotten before the next one listens', async () => {
  // red when: listen.json outlives its server, so that `onsale import` sends the token to whoever listens there now
  const stale = join(folder, 'listen.json');
  writeFileSync(stale, '{"listen":"127.0.0.1:1","admin_listen":"127.0.0.1:1"}\n');
  assert.equal((await serve('--listen', 'nowhere')).code, 1);
  assert.equal(existsSync(stale), false);
});

test('a secret on the command line is refused with its variable', async () => {
  // red when: it is only said that there is no such setting
  const { code, stderr } = await serve('--payments-key', 'sk_live_x');
  assert.equal(code, 2);
  assert.match(stderr, /set ONSALE_PAYMENTS_KEY/);
  assert.doesNotMatch(stderr, /sk_live_x/);
});

test('an operator\'s token that no header can carry is refused', async () => {
  // red when: a token with a newline at its end, as a mounted secret has it, is taken, and then fits nothing sent
  const args = ['serve', '--data', folder, '--listen', free, '--admin-listen', free];
  for (const token of ['secret\n', 'two words', 'sécret']) {
    const { code, stderr } = await run_onsale(args, { env: { ONSALE_ADMIN_TOKEN: token }, timeout_ms: 5_000 });
    assert.equal(code, 1);
    assert.match(stderr, /ONSALE_ADMIN_TOKEN.*visible ASCII/);
    assert.doesNotMatch(stderr, /s.cret|two words/);
  }
  const kept = join(folder, 'admin-token');
  writeFileSync(kept, 'x'.repeat(1000));
  const { code, stderr } = await serve('--listen', free, '--admin-listen', free);
  rmSync(kept);
  assert.equal(code, 1);
  assert.match(stderr, /admin-token': it is too large/);
});

test('a sandbox that cannot start is tried once', async () => {
  // red when: a damaged tape is taken for one that another sandbox is about to leave
  const damaged = make_folder();
  mkdirSync(join(damaged, 'sandbox'));
  writeFileSync(join(damaged, 'sandbox', 'tape'), 'this is no tape, and never was one');
  const { code, stderr } = await run_onsale(['serve', '--data', damaged, '--listen', free, '--admin-listen', free]);
  remove_folder(damaged);
  assert.equal(code, 1);
  assert.equal(stderr.split('the sandbox cannot start').length, 2, stderr);
  assert.match(stderr, /the payment sandbox does not start/);
});

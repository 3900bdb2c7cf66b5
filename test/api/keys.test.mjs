/* `onsale keys`: what it lists, makes and removes, and what it says when it cannot. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, cpSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, make_folder, remove_folder, run_onsale } from './harness.mjs';

let data;
let folder;
before(async () => {
  const server = await Server.start();
  data = make_folder();
  folder = join(data, 'keys');
  cpSync(join(server.data, 'keys'), folder, { recursive: true });
  await server.stop();
});
after(() => remove_folder(data));

const keys = (...args) => run_onsale(['keys', ...args, '--keys', folder]);
const list = async () => (await keys('list')).stdout.trimEnd().split('\n').map((line) => line.split(/ {2,}/));
const key_files = () => readdirSync(folder).filter((name) => name.endsWith('.key')).sort();

test('a server has made one key, which signs', async () => {
  // red when: the list is of other keys than the folder's, or the first start makes two
  const lines = await list();
  assert.equal(lines.length, 1);
  const [[id, created, what]] = lines;
  assert.match(id, /^[0-9a-f]{8}$/);
  assert.ok(Math.abs(Date.now() - Date.parse(created)) < 600_000, created);
  assert.equal(what, 'signs');
  assert.deepEqual(key_files(), [`${id}.key`]);
  assert.deepEqual(await run_onsale(['keys', 'list', '--data', data]), await keys('list'));
});

test('a rotation makes a key that signs, and says how long the old one has to stay', async () => {
  // red when: the old key goes, goes on signing, or can be read by others
  const [[old]] = await list();
  const { code, stdout } = await keys('rotate');
  assert.equal(code, 0);
  assert.match(stdout, /SIGHUP/);
  assert.match(stdout, /onsale keys retire/);
  const lines = await list();
  assert.deepEqual(lines.map((line) => line[2]), ['signs', undefined]);
  assert.equal(lines[1][0], old);
  assert.equal(stdout.slice(0, 8), lines[0][0]);
  assert.equal(statSync(join(folder, `${lines[0][0]}.key`)).mode & 0o777, 0o600);
});

test('the key that signs is not retired; an old one is, and it is said what that ends', async () => {
  // red when: retire takes the newest, or any other than the one named
  const [[newest], [old]] = await list();
  const refused = await keys('retire', newest);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /newest key, which signs/);
  assert.equal((await keys('retire', '00000000')).code, 1);
  assert.equal((await keys('retire', old.toUpperCase() === old ? 'XYZ' : old.toUpperCase())).code, 2);
  assert.equal((await keys('retire', `../${old}`)).code, 2);
  assert.equal(key_files().length, 2);
  const { code, stdout } = await keys('retire', old);
  assert.equal(code, 0);
  assert.match(stdout, /refused/);
  assert.deepEqual(key_files(), [`${newest}.key`]);
});

test('of many keys the newest signs, and none is left out', async () => {
  // red when: another than the newest is said to sign, or old ones, which signed tickets, are dropped
  for (let i = 0; i < 17; i++) assert.equal((await keys('rotate')).code, 0);
  const lines = await list();
  assert.equal(lines.length, 18);
  assert.deepEqual(lines.map((line) => line[2]), ['signs', ...Array(17).fill(undefined)]);
});

test('a call that is not understood changes nothing', async () => {
  // red when: a typing error rotates or removes a key
  const were = key_files();
  for (const args of [[], ['rotate', 'x'], ['list', 'x'], ['retire'], ['retire', 'a', 'b'], ['remove'], ['rotate', '--now'], ['rotate', '--keys']]) {
    const { code, stderr } = await run_onsale(['keys', ...args, ...(args.includes('--keys') ? [] : ['--keys', folder])]);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /onsale/);
  }
  assert.deepEqual(key_files(), were);
});

test('where there are no keys none are made', async () => {
  // red when: a folder that was mistyped gets keys that no server has
  for (const args of [['list'], ['rotate'], ['retire', '00000001']]) {
    const { code, stderr } = await run_onsale(['keys', ...args, '--keys', join(data, 'nowhere')]);
    assert.equal(code, 1);
    assert.match(stderr, /there are no keys in '.*nowhere'; onsale serve makes them/);
  }
  assert.equal(existsSync(join(data, 'nowhere')), false);
});

test('a server does not start with keys that others can read, or a copy of one', async () => {
  // red when: serve goes on without what is wrong being mended, or says what is in the file
  const [name] = key_files();
  const serve = () => run_onsale(['serve', '--data', data, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']);
  const secret = readFileSync(join(folder, name), 'utf8').match(/seed ([0-9a-f]{64})/)[1];
  chmodSync(join(folder, name), 0o644);
  const open = await serve();
  chmodSync(join(folder, name), 0o600);
  copyFileSync(join(folder, name), join(folder, 'copy.key'));
  const copied = await serve();
  for (const [{ code, stderr }, words] of [[open, /chmod 600/], [copied, /remove it if it is a copy/]]) {
    assert.equal(code, 1);
    assert.match(stderr, words);
    assert.equal(stderr.includes(secret), false);
  }
});

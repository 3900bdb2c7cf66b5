/* Two listeners: what is the operator's is never on the fans', and on the operator's only with the token. Metrics and
 * probes; what the log says. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { document, methods_of } from './contract.mjs';
import { Server, run_onsale } from './harness.mjs';

let server;
let show;
before(async () => {
  server = await Server.start();
  show = await server.show();
});
after(() => server.stop());

const fill = (template) => template.replace('{show_id}', show).replace('{booking_id}', `b${'a'.repeat(32)}`).replace('{reservation_id}', `r${'a'.repeat(32)}`);
const paths_of = (...tags) => Object.entries(document.paths).filter(([, item]) => tags.includes(Object.values(item)[0].tags[0])).map(([path]) => path);

/* Node's client frames no body of these. */
const is_without_body = (method) => ['GET', 'DELETE'].includes(method);

test('the operator\'s routes are not on the fans\' listener, valid token or not', async () => {
  // red when: both listeners get the same routes
  for (const template of paths_of('operator', 'operation')) {
    for (const method of methods_of(template)) {
      for (const headers of [{}, { Authorization: `Bearer ${server.token}` }]) {
        const { status } = await server.fan(method, fill(template), { headers, check: false, ...(is_without_body(method) ? {} : { body: {} }) });
        assert.ok([401, 403, 404].includes(status), `${method} ${template}: ${status}`);
      }
    }
  }
  for (const path of ['/admin', '/admin/', '/api/v1/admin', '/metrics', '/healthz', '/readyz', '/debug'])
    assert.equal((await server.fan('GET', path, { check: false })).status, 404, path);
});

test('the fans\' routes are not on the operator\'s listener', async () => {
  // red when: both listeners get the same routes
  for (const path of ['/api/v1/shows', `/api/v1/shows/${show}/seats`]) assert.equal((await server.admin('GET', path, { check: false })).status, 404);
});

test('a wrong token is 401 on every route of the operator, and does nothing', async () => {
  // red when: the token is compared by its beginning, or after the deed
  const token = server.token;
  const wrong = [undefined, '', 'Bearer', 'Bearer ', 'Bearer x', `Bearer ${token.slice(0, -1)}`, `Bearer ${token}x`, `Bearer ${token} `.trimEnd() + ',x', `Basic ${token}`, token,
    `Bearer  ${token}`, `Bearer ${token.toUpperCase() === token ? token.toLowerCase() : token.toUpperCase()}`];
  for (const template of paths_of('operator')) {
    for (const method of methods_of(template)) {
      for (const value of wrong) {
        const { status, json, headers } = await server.call(server.operator, method, fill(template), {
          headers: value === undefined ? {} : { Authorization: value }, ...(is_without_body(method) ? {} : { body: { event_name: 'stolen', hold_seconds: 1 } }),
        });
        assert.deepEqual([status, json.code], [401, 'unauthorized'], `${method} ${template} with '${value?.slice(0, 12)}…'`);
        assert.match(headers.get('www-authenticate'), /^Bearer/);
      }
    }
  }
  const { json } = await server.admin('GET', `/api/v1/admin/shows/${show}`);
  assert.deepEqual([json.event_name, json.status], ['A night', 'ON_SALE']);
});

test('the token\'s file is its owner\'s only', () => {
  // red when: admin-token is written with the umask's mode
  assert.equal(statSync(join(server.data, 'admin-token')).mode & 0o777, 0o600);
});

test('an address that nobody has is 404 with a problem document', async () => {
  // red when: the fallback answers without a body
  for (const path of ['/api', '/api/v1', '/api/v1/nothing', '/favicon.ico', `/${'a/'.repeat(200)}`]) {
    const { status, json } = await server.fan('GET', path);
    assert.deepEqual([status, json.code], [404, 'not_found'], path);
  }
});

test('probes answer, and metrics count what happened', async () => {
  // red when: a counter is not added to, or the exposition breaks its format
  for (const path of ['/healthz', '/readyz']) assert.equal((await server.call(server.operator, 'GET', path)).status, 200);
  const value_of = (text, name) => Number(text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1] ?? NaN);
  const read = async () => (await server.call(server.operator, 'GET', '/metrics')).body.toString();
  const first = await read();
  await server.book(show, ['A1', 'A2']);
  await server.reserve(show, ['A1'], 'bob');
  const second = await read();
  const grew = (name) => value_of(second, name) - value_of(first, name);
  assert.equal(grew('onsale_holds_taken_total'), 1);
  assert.equal(grew('onsale_holds_sold_total'), 1);
  assert.equal(grew('onsale_bookings_confirmed_total'), 1);
  assert.equal(grew('onsale_tickets_sold_total'), 2);
  assert.ok(grew('onsale_http_requests_total') >= 3);
  assert.ok(grew('onsale_ledger_commits_total') >= 1);
  for (const line of second.split('\n').filter(Boolean))
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+|[a-z_]+\{.*le="\+Inf".*\} [0-9]+)$/, line);
  const types = [...second.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  assert.equal(new Set(types.map(([, name]) => name)).size, types.length, 'each metric once');
});

test('the contract is served as it is written', async () => {
  // red when: another file than docs/openapi.yaml is built in
  const { status, json, headers } = await server.fan('GET', '/openapi.json');
  assert.equal(status, 200);
  assert.deepEqual(json, document);
  assert.equal((await server.fan('GET', '/openapi.json', { headers: { 'If-None-Match': headers.get('etag') } })).status, 304);
});

test('--help names every setting with its default, and version says which one this is', async () => {
  // red when: a setting is added without help
  const help = await run_onsale(['serve', '--help']);
  assert.equal(help.code, 0);
  for (const name of ['--data', '--listen', '--admin-listen', '--holds', '--ledger', '--payments', '--config', '--demo', '--limits', '--locking'])
    assert.match(help.stdout, new RegExp(`^ *${name}\\b.*\\n +default `, 'm'), name);
  const version = await run_onsale(['version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /\d+\.\d+\.\d+/);
  const overview = await run_onsale(['--help']);
  assert.equal(overview.code, 0);
  for (const command of ['serve', 'verify', 'import', 'sandbox', 'version']) assert.ok(overview.stdout.includes(command), command);
});

test('the manual names what --help names', async () => {
  // red when: a setting is added and man/onsale.1.scd is not changed
  const manual = readFileSync(new URL('../../man/onsale.1.scd', import.meta.url), 'utf8').replaceAll('\\_', '_');
  for (const command of ['serve', 'import', 'verify', 'migrate', 'forget', 'sandbox']) {
    const { stdout } = await run_onsale([command, '--help']);
    const words = [...stdout.matchAll(/--[a-z][a-z-]+|ONSALE_[A-Z_]+/g)].map(([word]) => word);
    for (const word of new Set(words)) assert.ok(manual.includes(word), `${command}: ${word}`);
  }
});

for (const [name, args] of [['an unknown command', ['sell']], ['an unknown setting', ['serve', '--colour', 'red']], ['a setting without a value', ['serve', '--data']], ['an address that is none', ['serve', '--listen', 'here']],
  ['a port that is none', ['serve', '--listen', '127.0.0.1:99999']], ['a hold store that is none', ['serve', '--holds', 'paper']], ['a ledger that is none', ['serve', '--ledger', 'paper']],
  ['a gateway that is none', ['serve', '--payments', 'barter']]]) {
  test(`${name} is refused with a message that names it`, async () => {
    // red when: a setting is not checked before the server starts
    const data = args.includes('--data') || args[0] !== 'serve' ? [] : ['--data', join(server.data, 'never-made')];
    const { code, stderr } = await run_onsale([...args, ...data], { timeout_ms: 10_000 });
    assert.ok(code > 0, `code ${code}`);
    assert.ok(stderr.includes(args.find((word) => word === '--colour') ?? args.at(-1)), stderr);
  });
}

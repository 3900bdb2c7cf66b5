/* The waiting room in front of a site that is not ours: deploy/nginx/waiting-room.conf as it is, with a real nginx, a
 * small site behind it, and an onsale that is nothing but a waiting room (--roles queue). */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as create_tcp_server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server, bearer, exchange, make_folder, remove_folder, until } from './harness.mjs';
import { WebSocketClient } from './websocket.mjs';

const recipe = fileURLToPath(new URL('../../deploy/nginx/', import.meta.url));

let server;
let show;
let site; // {address, seen: [url, …]}
let folder;
let nginx;
let front; // nginx's base

async function free_port() {
  const probe = create_tcp_server().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

async function start_site() {
  const seen = [];
  const http = createServer((request, answer) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => answer.end('the site itself'));
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  return { address: `127.0.0.1:${http.address().port}`, seen, http };
}

/* The recipe with its CAPITALS filled in, and the least of a configuration around it. */
async function start_nginx() {
  const port = await free_port();
  const words = {
    ONSALE_ADDRESS: new URL(server.fans).host, SITE_ADDRESS: site.address, LISTEN_ADDRESS: `127.0.0.1:${port}`, SHOW_ID: show, CACHE_FOLDER: join(folder, 'cache'), PAGE_FOLDER: folder,
  };
  const fill = (name) => Object.entries(words).reduce((text, [word, value]) => text.replaceAll(word, value), readFileSync(join(recipe, name), 'utf8'));
  for (const name of ['waiting-room.conf', 'waiting-room.html']) writeFileSync(join(folder, name), fill(name));
  mkdirSync(join(folder, 'temp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`).join(' ');
  const main = `daemon off; ${process.getuid() === 0 ? 'user root;' : ''} worker_processes 1; pid ${join(folder, 'pid')}; error_log stderr warn;
    events { worker_connections 1024; } http { access_log off; default_type text/plain; types { text/html html; } ${temporary} include ${join(folder, 'waiting-room.conf')}; }`;
  writeFileSync(join(folder, 'nginx.conf'), main);
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  process.on('exit', () => child.kill('SIGTERM'));
  front = `http://127.0.0.1:${port}`;
  await until('nginx serves', async () => {
    assert.equal(child.exitCode, null, `nginx ended: ${stderr}`);
    return exchange(front, 'GET', '/').catch(() => null);
  });
  return child;
}

before(async () => {
  assert.equal(spawnSync('nginx', ['-v']).status, 0, 'nginx is there: script/bootstrap test installs it');
  folder = make_folder();
  server = await Server.start({ args: ['--roles', 'queue'] });
  const made = await server.admin('POST', '/api/v1/admin/shows', { body: { event_name: 'A site', waiting_room: { enabled: true, rate_per_minute: 6_000_000, max_active: 2 } } });
  assert.equal(made.status, 201, made.body.toString());
  show = made.json.show_id;
  site = await start_site();
  nginx = await start_nginx();
});
after(async () => {
  if (nginx) {
    nginx.kill('SIGTERM');
    await once(nginx, 'close');
  }
  site?.http.close();
  site?.http.closeAllConnections();
  await server?.stop();
  remove_folder(folder);
});

const visit = (pass, { method = 'GET', path = '/tickets?n=2', headers = {} } = {}) => exchange(front, method, path, { headers: { ...(pass ? { Cookie: `basket=3; onsale_pass=${pass}` } : {}), ...headers } });
const at_front = (method, path, body) => exchange(front, method, `/api/v1/shows/${show}/queue${path}`, { body: body && JSON.stringify(body), headers: body ? { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(JSON.stringify(body))) } : {} });

/* Through nginx, as a visitor's page does it. */
async function enter(user) {
  const place = await at_front('POST', '', { user_id: user });
  assert.equal(place.status, 201, place.body.toString());
  const claimed = await until('the turn has come', async () => {
    const answer = await at_front('POST', '/claim', { queue_ticket: place.json.queue_ticket });
    return answer.status !== 425 && answer;
  });
  assert.equal(claimed.status, 200, claimed.body.toString());
  return { ...place.json, ...claimed.json };
}

test('who has no pass gets the waiting page, and the site never hears of them', async () => {
  // red when: a part of the site is not behind the check
  site.seen.length = 0;
  for (const path of ['/', '/tickets?n=2', '/a/deep/path', '/onsale-check', '/waiting-room.html', `/api/v1/shows/${show}/queue/check/..`, '//', '/%2e%2e/', '/api/v1/shows', `/api/v1/shows/${show}/queues`]) {
    const { status, body, headers } = await visit(null, { path });
    assert.ok([401, 404, 400].includes(status), `${path}: ${status}`);
    if (status === 401) assert.match(body.toString(), /You are in line/, path);
    if (status === 401) assert.equal(headers.get('cache-control'), 'no-store');
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) assert.equal((await visit(null, { method })).status, 401, method);
  for (const wrong of ['nonsense', 'a.b.c', '']) assert.equal((await visit(wrong)).status, 401);
  assert.equal((await visit(null, { headers: { Authorization: 'Bearer x', Cookie: 'onsale_pass=' } })).status, 401);
  assert.deepEqual(site.seen, []);
});

test('who waited in line gets the site, until the pass has ended', async () => {
  // red when: nginx keeps an answer of the check, or the pass is not looked at
  const { pass } = await enter('ann');
  site.seen.length = 0;
  const { status, body } = await visit(pass);
  assert.deepEqual([status, body.toString()], [200, 'the site itself']);
  assert.equal((await visit(pass, { method: 'POST' })).status, 200);
  assert.equal((await visit(pass, { headers: { Authorization: 'Basic c2l0ZTpvd24=' } })).status, 200, 'the site\'s own Authorization is its own');
  assert.deepEqual(site.seen, ['GET /tickets?n=2', 'POST /tickets?n=2', 'GET /tickets?n=2']);
  assert.equal((await server.leave_with_pass(show, pass)).status, 204);
  assert.equal((await visit(pass)).status, 401);
});

test('a changed pass, and one of another show, are not let in', async () => {
  // red when: 403 is let through, or nginx decides by itself
  const made = await server.admin('POST', '/api/v1/admin/shows', { body: { event_name: 'Another site', waiting_room: { enabled: true, rate_per_minute: 6_000_000 } } });
  const elsewhere = await server.enter(made.json.show_id, 'ann');
  const { pass } = await enter('bob');
  site.seen.length = 0;
  const middle = pass.length - 30;
  const changed = pass.slice(0, middle) + (pass[middle] === 'A' ? 'B' : 'A') + pass.slice(middle + 1);
  for (const wrong of [changed, `${pass}A`, pass.slice(0, -1), elsewhere.pass]) assert.equal((await visit(wrong)).status, 401);
  assert.deepEqual(site.seen, []);
  assert.equal((await visit(pass)).status, 200);
  await server.leave_with_pass(show, pass);
});

test('no more are in the site than max_active', async () => {
  // red when: the room of a queue-only node is not counted
  const inside = [await enter('one'), await enter('two')];
  const third = await at_front('POST', '', { user_id: 'three' });
  assert.equal((await at_front('POST', '/claim', { queue_ticket: third.json.queue_ticket })).status, 425);
  await server.leave_with_pass(show, inside[0].pass);
  const claimed = await until('three is let in', async () => {
    const answer = await at_front('POST', '/claim', { queue_ticket: third.json.queue_ticket });
    return answer.status === 200 && answer.json;
  });
  assert.equal((await visit(claimed.pass)).status, 200);
  for (const { pass } of [inside[1], claimed]) await server.leave_with_pass(show, pass);
});

test('the status comes from the edge\'s cache: a crowd that asks is a request a second', async () => {
  // red when: the status cannot be kept, or a query makes it another document
  const requests = async () => Number((await server.call(server.operator, 'GET', '/metrics')).body.toString().match(/^onsale_http_requests_total (\d+)$/m)[1]);
  const before_count = await requests();
  const begun = Date.now();
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => at_front('GET', i % 2 ? `?visitor=${i}` : '')));
  for (const { status, json } of answers) assert.deepEqual([status, json.seats_left, json.max_active], [200, null, 2]);
  const seconds = (Date.now() - begun) / 1000;
  const asked = (await requests()) - before_count;
  assert.ok(asked <= 10 + 3 * seconds, `${asked} requests in ${seconds} s`);
});

test('the push goes through nginx', async () => {
  // red when: the recipe does not pass the upgrade on
  const viewer = await WebSocketClient.open(front, `/api/v1/shows/${show}/queue/live`);
  const { issued } = await viewer.json();
  await at_front('POST', '', { user_id: 'somebody new' });
  await viewer.json_until((status) => status.issued > issued);
  await viewer.close();
});

test('a queue-only node has no seats to see, to hold or to book', async () => {
  // red when: a role\'s routes are there without the role
  for (const path of ['plan', 'seats', 'seats.bits']) assert.equal((await server.fan('GET', `/api/v1/shows/${show}/${path}`)).status, 404, path);
  const taken = await server.reserve(show, ['A1'], 'ann', bearer('x'));
  assert.deepEqual([taken.status, taken.json.code], [404, 'not_found']);
  assert.equal((await server.confirm(`r${'0'.repeat(32)}`)).status, 404);
  const { status, json } = await server.fan('GET', `/api/v1/shows/${show}`);
  assert.deepEqual([status, json.event_name, json.status, json.waiting_room.enabled], [200, 'A site', 'ON_SALE', true]);
  assert.equal((await server.admin('GET', `/api/v1/admin/shows/${show}`)).status, 200);
});

test('while onsale is away nobody new gets in, and who was in is in again when it is back', async () => {
  // red when: the check fails open, or a pass does not outlive a restart
  const { pass } = await enter('patient');
  const listen = new URL(server.fans).host;
  await server.kill();
  site.seen.length = 0;
  for (const one of [null, pass]) assert.equal((await visit(one)).status, 500);
  assert.deepEqual(site.seen, []);
  server.exit = undefined;
  server.args = ['--roles', 'queue', '--listen', listen];
  await server.spawn();
  await until('nginx has found it again', async () => (await visit(pass)).status === 200);
  await server.leave_with_pass(show, pass);
});

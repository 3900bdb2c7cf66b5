/* The fan's pages as the program serves them: addresses, forms, caching, and the policy under which they run. A program
 * that was built without them is held to saying so. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Server, exchange, raw, split_answers } from './harness.mjs';

let server;
let show;
let is_built;
before(async () => {
  server = await Server.start();
  show = await server.show();
  is_built = (await server.fan('GET', '/tickets')).status === 200;
});
after(() => server.stop());

const BOOKING = `b${'0123456789abcdef'.repeat(2)}`;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const html = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const get = (path, headers = {}) => server.fan('GET', path, { headers });
/* Not held to the contract: what a browser is told of what is not there is a page. */
const browse = (path, headers = {}, method = 'GET') => exchange(server.fans, method, path, { headers: { ...html, ...headers } });

const documents = () => ['/', `/shows/${show}`, `/shows/${show}/seats`, `/shows/${show}/checkout`, `/shows/${show}/queue`, `/shows/${show}/record`, '/tickets', `/bookings/${BOOKING}`];

const built = (name, body) => test(name, async (t) => (is_built ? body(t) : t.skip('built without the pages')));

/* The addresses that a document, and what it loads, name on this site. */
async function parts_of(path) {
  const found = new Set();
  const visit = async (address) => {
    if (found.has(address)) return;
    found.add(address);
    const answer = await get(address);
    assert.equal(answer.status, 200, address);
    if (!/\.(js|css)$/.test(address)) return;
    const text = answer.body.toString();
    for (const [, name] of text.matchAll(/["'(]\.?(?:\/assets)?\/([A-Za-z0-9_.-]+-[A-Za-z0-9_-]{8}\.(?:js|css|json|woff2|svg|png))\b/g)) await visit(`/assets/${name}`);
    for (const [, name] of text.matchAll(/["']assets\/([^"']+)["']/g)) await visit(`/assets/${name}`);
  };
  for (const [, address] of (await get(path)).body.toString().matchAll(/<(?:script|link)[^>]*\s(?:src|href)="([^"]+)"/g)) await visit(address);
  return [...found];
}

test('a program without its pages says so at /, and where its interface is', async (t) => {
  // red when: such a program answers / with 404, and a newcomer thinks that nothing runs
  if (is_built) return t.skip('built with the pages');
  const answer = await browse('/');
  assert.equal(answer.status, 200);
  assert.match(answer.body.toString(), /built without its pages/);
  assert.match(answer.body.toString(), /\/openapi\.json/);
  assert.match(answer.headers.get('content-security-policy'), /^default-src 'self';/);
  for (const path of documents().slice(1)) assert.equal((await browse(path)).headers.get('content-type'), 'application/problem+json', path);
});

built('every address of a fan is answered with its document', async () => {
  // red when: an address of docs/pages.md has no route, or the waiting room is given the shop's document
  const bodies = new Map();
  for (const path of documents()) {
    const answer = await get(path, html);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
    bodies.set(path, answer.body.toString());
  }
  for (const page of ['queue', 'record']) assert.notEqual(bodies.get(`/shows/${show}/${page}`), bodies.get('/'), page);
  for (const path of [`/shows/${show}`, '/tickets', `/bookings/${BOOKING}`]) assert.equal(bodies.get(path), bodies.get('/'));
});

built('each answer of a page carries the policy, and names no way around it', async () => {
  // red when: a header of add_policy() goes, or 'unsafe-inline' comes
  const parts = await parts_of('/');
  for (const path of [...documents(), ...parts, '/favicon.svg', '/robots.txt']) {
    const { headers } = await get(path, { Host: 'shop.example:8443' });
    const policy = headers.get('content-security-policy');
    assert.equal(policy, "default-src 'self'; connect-src 'self' ws://shop.example:8443 wss://shop.example:8443; img-src 'self' data: blob:; "
      + "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'", path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', path);
    assert.match(headers.get('permissions-policy'), /camera=\(\)/, path);
  }
});

built('a host that is none cannot write into the policy', async () => {
  // red when: the Host field is copied before its grammar is checked
  for (const host of ["x; script-src 'unsafe-inline'", 'x y', "x'", 'x,y', 'x"', 'a/b', 'a?b']) {
    const { text } = await raw(server.fans, [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`]);
    assert.match(text, /^HTTP\/1\.1 400 /, host);
  }
  const long = await get('/', { Host: `${'a'.repeat(60)}.${'b'.repeat(200)}` });
  assert.match(long.headers.get('content-security-policy'), /connect-src 'self'; img-src/);
});

built('the documents have nothing inline, and load nothing from elsewhere', async () => {
  // red when: a page gets an inline script, or a font comes from another site
  for (const path of documents()) {
    const text = (await get(path)).body.toString();
    assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)/i, path);
    assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=|javascript:/i, path);
    for (const part of await parts_of(path)) assert.match(part, /^\/(?!\/)/, path);
  }
});

built('documents are asked for anew, parts are kept for good, and a booking is kept by nobody', async () => {
  // red when: a document may be kept, so that a fan's browser asks for parts of the last release; or a part may not
  for (const path of documents().slice(0, -1)) assert.equal((await get(path)).headers.get('cache-control'), 'no-cache', path);
  const booking = await get(`/bookings/${BOOKING}`);
  assert.equal(booking.headers.get('cache-control'), 'no-store');
  assert.equal(booking.headers.get('etag'), null);
  for (const part of (await parts_of('/')).filter((address) => address.startsWith('/assets/')))
    assert.equal((await get(part)).headers.get('cache-control'), 'public, max-age=31536000, immutable', part);
  assert.equal((await get('/robots.txt')).headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal((await get('/favicon.svg')).headers.get('content-type'), 'image/svg+xml');
});

built('what is there already is answered with 304, in the form that it is there in', async () => {
  // red when: the forms share an ETag, so that a cache is told that brotli's bytes are gzip's
  for (const path of ['/', `/shows/${show}/queue`, ...(await parts_of('/')).slice(0, 3)]) {
    const tags = new Set();
    for (const coding of ['identity', 'gzip', 'br']) {
      const first = await exchange(server.fans, 'GET', path, { headers: { 'Accept-Encoding': coding } });
      assert.equal(first.headers.get('vary'), 'Accept-Encoding');
      const again = await exchange(server.fans, 'GET', path, { headers: { 'Accept-Encoding': coding, 'If-None-Match': first.headers.get('etag') } });
      assert.deepEqual([again.status, again.body.length], [304, 0], `${path} ${coding}`);
      assert.ok(again.headers.get('content-security-policy'));
      assert.equal((await exchange(server.fans, 'GET', path, { headers: { 'Accept-Encoding': coding, 'If-None-Match': '"0"' } })).status, 200);
      tags.add(`${first.headers.get('content-encoding')} ${first.headers.get('etag')}`);
    }
    assert.equal(new Set([...tags].map((tag) => tag.split(' ')[1])).size, tags.size, path);
  }
});

built('brotli goes before gzip before nothing, and each is the same page', async () => {
  // red when: gzip is sent to who takes brotli, or a form was made of another file
  for (const path of [...documents(), ...await parts_of('/'), ...await parts_of(`/shows/${show}/queue`)]) {
    const form = async (accept) => exchange(server.fans, 'GET', path, { headers: accept ? { 'Accept-Encoding': accept } : {} });
    const plain = await form(null);
    assert.equal(plain.headers.get('content-encoding'), null);
    const brotli = await form('gzip, deflate, br, zstd');
    const gzip = await form('gzip, br;q=0');
    if (/\.(js|css)$/.test(path) && plain.body.length > 500) assert.equal(brotli.headers.get('content-encoding'), 'br', path);
    if (brotli.headers.get('content-encoding')) assert.deepEqual(brotliDecompressSync(brotli.body), plain.body, path);
    else assert.deepEqual(brotli.body, plain.body, path);
    assert.notEqual(gzip.headers.get('content-encoding'), 'br', path);
    if (gzip.headers.get('content-encoding')) assert.deepEqual(gunzipSync(gzip.body), plain.body, path);
    else assert.deepEqual(gzip.body, plain.body, path);
  }
});

built('HEAD tells what GET would, without it', async () => {
  // red when: HEAD sends the page
  for (const path of [...documents(), '/favicon.svg']) {
    const { text } = await raw(server.fans, [`HEAD ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
    const [answer] = split_answers(text, { heads_only: true });
    assert.equal(text.length, text.indexOf('\r\n\r\n') + 4, path);
    assert.equal(Number(answer.headers.get('content-length')), (await get(path)).body.length, path);
  }
});

built('a browser is told in a page what is not there, and a machine in a problem document', async () => {
  // red when: a fan with a mistyped address is shown JSON, or a client of the API is given a page
  const app = (await get('/')).body.toString();
  const missing = ['/nothing', '/shows', `/shows/${UNKNOWN}`, `/shows/${UNKNOWN}/queue`, '/shows/x/seats', `/shows/${show}/nothing`, `/bookings/${show}`, '/bookings/', '/index.html', '/queue.html'];
  for (const path of missing) {
    const page = await browse(path);
    assert.deepEqual([page.status, page.headers.get('content-type'), page.headers.get('cache-control')], [404, 'text/html; charset=utf-8', 'no-store'], path);
    assert.ok(page.headers.get('content-security-policy'));
    assert.equal(page.body.toString(), app, path);
    assert.deepEqual(brotliDecompressSync((await browse(path, { 'Accept-Encoding': 'br' })).body).toString(), app);
    assert.equal((await browse(path, {}, 'HEAD')).body.length, 0);
    assert.equal((await get(path)).headers.get('content-type'), 'application/problem+json', path);
  }
  for (const path of [`/api/v1/shows/${UNKNOWN}`, '/api/v1/nothing', '/api/', '/assets/nothing.js', '/media/nothing', '/.well-known/nothing'])
    assert.deepEqual([(await browse(path)).status, (await browse(path)).headers.get('content-type')], [404, 'application/problem+json'], path);
  assert.equal((await browse('/nothing', {}, 'POST')).headers.get('content-type'), 'application/problem+json');
  assert.deepEqual([(await browse('/', {}, 'POST')).status, (await browse('/', {}, 'POST')).headers.get('allow')], [405, 'GET']);
});

built('no path leads out of the list of pages', async () => {
  // red when: a path is looked up after it was made canonical, or by its beginning
  const part = (await parts_of('/')).find((address) => address.endsWith('.js'));
  const hostile = ['/assets/../index.html', '/assets/..%2findex.html', '/assets/%2e%2e/index.html', '/assets/%2e', '/assets/', '/assets', '/assets//', '/assets/.',
    '/assets/..', `/assets/${encodeURIComponent(part)}`, `/${part}`, `${part}/`, `${part}%00`, `${part}%20`, part.slice(0, -1), `${part}x`, part.toUpperCase(),
    part.replace('/assets/', '/ASSETS/'), part.replace('.js', '%2ejs'), `/assets/../..${part}`, '/assets/favicon.svg', '/assets/index.html', '//', '/.', '/..',
    '/favicon.svg/', '/robots.txt;x', '\\assets', '/assets\\x', '/etc/passwd', '/assets/../../../../etc/passwd'];
  for (const path of hostile) {
    const { text } = await raw(server.fans, [`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
    assert.match(text, /^HTTP\/1\.1 (400|404) /, path);
  }
  assert.equal((await get(`${part}?v=1`)).status, 200, 'a query names the same part');
});

test('the operator\'s listener has no pages', async () => {
  // red when: a page is routed on both listeners
  for (const path of ['/', '/tickets', `/shows/${show}`, '/favicon.svg', '/assets/x.js'])
    assert.ok([401, 404].includes((await exchange(server.operator, 'GET', path, { headers: html })).status), path);
});

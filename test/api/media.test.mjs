/* A show's picture and its colour: put by the operator, told to fans, served as what they are and nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { jpeg } from '../../web/jpeg.mjs';
import { Server, exchange, run_onsale } from './harness.mjs';

let server;
let show;
before(async () => { server = await Server.start(); show = await server.show(); });
after(() => server.stop());

/* ---- pictures ---- */

/* Node 18 has none of its own. */
function checksum(data) {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function chunk(type, data = Buffer.alloc(0)) {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type), data]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(checksum(body));
  return Buffer.concat([head, body, sum]);
}

function png(width = 3, height = 2, { shade = 128, more = [] } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = Buffer.alloc(Math.min(100, height) * (Math.min(100, width) + 1), shade);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), ...more, chunk('IDAT', deflateSync(rows)), chunk('IEND')]);
}

function webp(type, head) {
  const data = Buffer.concat([head, Buffer.alloc(20 - head.length % 2)]);
  const body = Buffer.concat([Buffer.from(`WEBP${type}`), Buffer.alloc(4), data]);
  body.writeUInt32LE(type === 'VP8X' ? 10 : data.length, 8);
  const riff = Buffer.alloc(8);
  riff.write('RIFF');
  riff.writeUInt32LE(body.length, 4);
  return Buffer.concat([riff, body]);
}

const three = (value) => [value & 255, (value >> 8) & 255, value >> 16];
const lossy = (width, height) => webp('VP8 ', Buffer.from([0x30, 1, 0, 0x9d, 1, 0x2a, width & 255, width >> 8, height & 255, height >> 8]));
const lossless = (width, height) => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE((width - 1) | ((height - 1) << 14));
  return webp('VP8L', Buffer.concat([Buffer.from([0x2f]), size]));
};
const extended = (width, height) => webp('VP8X', Buffer.from([0, 0, 0, 0, ...three(width - 1), ...three(height - 1)]));
const photo = (width, height) => jpeg(width, height, (x, y) => [x * 9 & 255, y * 7 & 255, 90], 70);

const put = (body, { to = show, type = 'application/octet-stream', ...rest } = {}) =>
  server.admin('PUT', `/api/v1/admin/shows/${to}/image`, { body, type, ...rest });
const remove = (from = show) => server.admin('DELETE', `/api/v1/admin/shows/${from}/image`);
const image_of = async (of = show) => (await server.fan('GET', `/api/v1/shows/${of}`)).json.image;

/* ---- tests ---- */

const kinds = [['png', 'image/png', png(640, 360)], ['jpg', 'image/jpeg', photo(64, 40)], ['webp', 'image/webp', lossy(64, 40)], ['webp', 'image/webp', lossless(64, 40)], ['webp', 'image/webp', extended(8192, 8192)]];
for (const [suffix, type, picture] of kinds) {
  test(`a ${type} of ${picture.length} bytes comes back as it was put, as what it is, for good`, async () => {
    // red when: a picture is served under the type that its sender named, or is not named by its content
    const { status, json } = await put(picture, { type: 'text/html' });
    assert.equal(status, 200);
    assert.match(json.image, new RegExp(`^/media/[0-9a-f]{32}\\.${suffix}$`));
    assert.equal(await image_of(), json.image);
    assert.equal((await server.fan('GET', '/api/v1/shows')).json.find((one) => one.show_id === show).image, json.image);
    assert.equal((await server.admin('GET', `/api/v1/admin/shows/${show}`)).json.image, json.image);
    for (let i = 0; i < 2; i++) {
      const got = await server.fan('GET', json.image);
      assert.deepEqual(got.body, picture);
      assert.equal(got.headers.get('content-type'), type);
      assert.equal(got.headers.get('cache-control'), 'public, max-age=31536000, immutable');
      assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
      assert.match(got.headers.get('content-security-policy'), /default-src 'none'; sandbox/);
      const again = await server.fan('GET', json.image, { headers: { 'If-None-Match': got.headers.get('etag') } });
      assert.deepEqual([again.status, again.body.length], [304, 0]);
      assert.equal((await exchange(server.fans, 'HEAD', json.image)).headers.get('content-length'), String(picture.length));
    }
    assert.equal((await put(picture)).json.image, json.image, 'the same picture has the same name');
  });
}

const others = [
  ['nothing', ''], ['text', 'hello'], ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'], ['HTML', '<!doctype html><script>alert(1)</script>'],
  ['GIF', 'GIF89a\x01\0\x01\0\0\0\0;'], ['a JPEG behind something', Buffer.concat([Buffer.from(' '), photo(16, 16)])], ['RIFF that is sound', Buffer.from('RIFF\x20\0\0\0WAVEfmt ')],
];
for (const [what, body] of others) {
  test(`${what} is no picture: 415, whatever it is called`, async () => {
    // red when: the type is taken from Content-Type, or an SVG, which may have scripts, is taken
    const before_it = await image_of();
    for (const type of ['image/png', 'image/svg+xml', 'application/json']) {
      const { status, json } = await put(body, { type });
      assert.deepEqual([status, json.code], [415, 'unsupported_media_type'], type);
    }
    assert.equal(await image_of(), before_it);
  });
}

const is_refused = async (body, what) => {
  const { status, json } = await put(body);
  assert.deepEqual([status, json.code], [422, 'invalid_field'], what);
};

test('a picture with something behind its end is none', async () => {
  // red when: a page or an archive can ride behind a picture
  const page = Buffer.from('<script>alert(1)</script>');
  for (const [suffix, , picture] of kinds) {
    await is_refused(Buffer.concat([picture, page]), suffix);
    await is_refused(picture.subarray(0, -1), `${suffix}, cut`);
  }
  await is_refused(png(3, 2, { more: [chunk('IEND')] }), 'two ends');
  await is_refused(Buffer.concat([photo(64, 40), page, Buffer.from([0xff, 0xd9])]), 'a JPEG with two ends');
});

test('a picture that no phone could show is refused: 0, or more than 8192 pixels a side', async () => {
  // red when: the size is read from the wrong place, or as a signed number
  for (const [width, height] of [[0, 5], [5, 0], [8193, 5], [5, 8193], [4294967295, 4294967295]]) await is_refused(png(width, height), `PNG ${width} × ${height}`);
  for (const [width, height] of [[0, 5], [5, 0], [16383, 5], [5, 8193]]) await is_refused(lossy(width, height), `WebP ${width} × ${height}`);
  await is_refused(lossless(8193, 5), 'lossless');
  await is_refused(extended(16777216, 16777216), 'extended');
  const wide = Buffer.from(photo(16, 16));
  wide.writeUInt16BE(8193, wide.indexOf(Buffer.from([0xff, 0xc0])) + 7);
  await is_refused(wide, 'JPEG');
  assert.equal((await put(png(8192, 8192))).status, 200);
});

test('every beginning of a picture is refused, and none is read past its end', async () => {
  // red when: a length in a header is believed without looking where the bytes end (the sanitizer says so)
  for (const [, , picture] of [['', '', png(3, 2)], ...kinds.slice(1)]) {
    for (let length = 0; length < Math.min(picture.length - 1, 800); length += length < 64 ? 1 : 37) {
      const { status } = await put(picture.subarray(0, length));
      assert.ok([415, 422].includes(status), `${length}: ${status}`);
    }
    for (let at = 0; at < 40; at++) {
      const damaged = Buffer.from(picture);
      damaged[at] ^= 0xff;
      assert.ok([200, 415, 422].includes((await put(damaged)).status));
    }
  }
});

test('2 MiB are taken, and not a byte more', async () => {
  // red when: the route takes the operator's usual 64 KiB, or a plan's 48 MiB
  const empty = png(9, 9, { more: [chunk('fiLl')] }).length;
  const full = png(9, 9, { more: [chunk('fiLl', Buffer.alloc(2 * 1024 * 1024 - empty, 7))] });
  assert.equal(full.length, 2 * 1024 * 1024);
  const { status, json } = await put(full);
  assert.equal(status, 200);
  assert.deepEqual((await server.fan('GET', json.image)).body, full);
  const over = await put(Buffer.concat([full, Buffer.from('x')]));
  assert.deepEqual([over.status, over.json.code], [413, 'body_too_large']);
});

test('a picture is the operator\'s to put and to take away, and each is in the audit', async () => {
  // red when: the route is the fans' too, or works without the token, or leaves no line
  const picture = png(11, 7);
  for (const method of ['PUT', 'DELETE']) {
    const path = `/api/v1/admin/shows/${show}/image`;
    const body = method === 'PUT' ? picture : undefined;
    assert.ok([401, 403, 404].includes((await server.call(server.fans, method, path, { body, type: 'image/png' })).status));
    assert.equal((await server.call(server.operator, method, path, { body, type: 'image/png' })).status, 401);
  }
  const { image } = (await put(picture)).json;
  assert.equal((await server.fan('GET', image)).status, 200);
  const taken = await remove();
  assert.deepEqual([taken.status, taken.json], [200, { image: null }]);
  assert.equal(await image_of(), null);
  assert.equal((await server.fan('GET', image)).status, 404, 'what was taken away is not served, though it was asked for');
  assert.equal((await remove()).status, 200, 'again changes nothing');
  const actions = (await server.admin('GET', `/api/v1/admin/audit?show_id=${show}&limit=3`)).json.rows.map((row) => row.action);
  assert.deepEqual(actions, ['show.image_removed', 'show.image_removed', 'show.image_set']);
  for (const id of ['00000000-0000-4000-8000-000000000000', 'x']) assert.equal((await put(picture, { to: id })).status, 404);
});

test('two shows may have one picture: it goes when the last of them gives it up', async () => {
  // red when: a show's picture is dropped because another show's is
  const other = await server.show();
  const { image } = (await put(png(12, 7))).json;
  assert.equal((await put(png(12, 7), { to: other })).json.image, image);
  assert.equal((await server.fan('GET', image)).status, 200);
  await put(png(13, 7));
  assert.equal((await server.fan('GET', image)).status, 200);
  await remove(other);
  assert.equal((await server.fan('GET', image)).status, 404);
});

test('more pictures than are kept in memory are served all the same', async () => {
  // red when: a picture that left the memory is not read again
  const images = [];
  for (let i = 0; i < 18; i++) images.push((await put(png(20 + i, 7), { to: await server.show() })).json.image);
  for (let round = 0; round < 2; round++)
    for (const [i, image] of images.entries()) assert.deepEqual((await server.fan('GET', image)).body, png(20 + i, 7));
  const herd = await Promise.all(Array.from({ length: 40 }, (_, i) => server.fan('GET', images[i % 3])));
  assert.ok(herd.every(({ status }) => status === 200));
});

test('what names no picture is not there, and costs nobody a look', async () => {
  // red when: a suffix that is not the picture's is answered, or a name is looked for by its beginning
  const { image } = (await put(png(14, 7))).json;
  const hash = image.slice(7, 39);
  for (const path of [`/media/${hash}`, `/media/${hash}.`, `/media/${hash}.jpg`, `/media/${hash}.pngx`, `/media/${hash}.PNG`, `/media/${hash.toUpperCase()}.png`, `/media/${hash.slice(1)}.png`,
    `/media/0${hash}.png`, '/media/', '/media', `/media/${'0'.repeat(32)}.png`, `/media/x/${hash}.png`, `/media/${hash}.svg`, `/media/${hash}%2epng`])
    assert.equal((await exchange(server.fans, 'GET', path)).status, 404, path);
  assert.equal((await exchange(server.operator, 'GET', image)).status, 404);
});

test('a change of something else leaves the picture, and no document names one', async () => {
  // red when: PATCH writes settings without the picture's name, or takes one from its body
  const { image } = (await put(png(15, 7))).json;
  const changed = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { hold_seconds: 599, image: null } });
  assert.deepEqual([changed.status, changed.json.image], [200, image]);
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { image: `/media/${'0'.repeat(32)}.png` } });
  assert.equal(await image_of(), image);
  assert.equal((await server.admin('POST', '/api/v1/admin/shows', { body: { event_name: 'x', image, plan: { sections: [{ name: '', rows: 1, seats_per_row: 2, category: 'S' }], prices: { S: { amount: 0, currency: 'EUR' } } } } })).json.image, null);
});

test('the colour is a colour: #rrggbb, or none', async () => {
  // red when: another text is taken, which pages would put into a style
  const patch = (accent_color) => server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { accent_color } });
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.accent_color, null);
  assert.equal((await patch('#D6336C')).json.accent_color, '#d6336c');
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}`)).json.accent_color, '#d6336c');
  for (const wrong of ['red', '#fff', '#12345', '#1234567', '#12345g', ' #123456', '#123456 ', '#123456;x', '', 123456, ['#123456'], true])
    assert.deepEqual([(await patch(wrong)).status, (await patch(wrong)).json.pointer], [422, '/accent_color'], String(wrong));
  const id = await server.show({ accent_color: '#0b7285' });
  assert.equal((await server.fan('GET', '/api/v1/shows')).json.find((one) => one.show_id === id).accent_color, '#0b7285');
  assert.equal((await patch(null)).json.accent_color, null);
});

test('picture and colour outlive a crash, and the ledger is found sound', async () => {
  // red when: either is kept in memory only, or the picture's row and its name are written apart
  const picture = photo(80, 50);
  const { image } = (await put(picture)).json;
  await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: { accent_color: '#112233' } });
  await server.kill();
  const verified = await run_onsale(['verify', '--data', server.data]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, /picture/);
  await server.restart();
  const { json } = await server.fan('GET', `/api/v1/shows/${show}`);
  assert.deepEqual([json.image, json.accent_color], [image, '#112233']);
  assert.deepEqual((await server.fan('GET', image)).body, picture);
});

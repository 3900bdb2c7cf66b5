/* Bodies that are no strict JSON, too large, of another type, or sent with another method: each has its problem
 * document, and nothing changes. */
import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { after, before, test } from 'node:test';
import { document, methods_of } from './contract.mjs';
import { Server } from './harness.mjs';

let server;
let show;
let booking_id;
before(async () => {
  server = await Server.start();
  show = await server.show({ amount: 0 });
  ({ booking_id } = await server.book(show, ['B20'], 'ann', null));
});
after(() => server.stop());

const FAN_BODY_BYTES = 16 * 1024;
const OPERATOR_BODY_BYTES = 64 * 1024;

const deep = (levels) => `{"seat_ids":${'['.repeat(levels)}${']'.repeat(levels)},"user_id":"ann"}`;
const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part, typeof part === 'string' ? 'utf8' : undefined)));
const broken = [
  ['nothing', ''],
  ['white space', ' \n\t'],
  ['an open brace', '{'],
  ['a brace too many', '{}}'],
  ['two values', '{} {}'],
  ['rubbish behind the value', '{"user_id":"ann","seat_ids":["A1"]}x'],
  ['a missing colon', '{"user_id" "ann"}'],
  ['a comma at the end of an object', '{"user_id":"ann",}'],
  ['a comma at the end of a list', '{"user_id":"ann","seat_ids":["A1",]}'],
  ['single quotes', "{'user_id':'ann'}"],
  ['a bare word', '{user_id:"ann"}'],
  ['a comment', '{"user_id":"ann"/**/}'],
  ['NaN', '{"user_id":NaN}'],
  ['Infinity', '{"user_id":-Infinity}'],
  ['a number with a leading zero', '{"user_id":"ann","best_available":{"quantity":01}}'],
  ['a number with a plus', '{"user_id":"ann","best_available":{"quantity":+1}}'],
  ['a number that ends in a point', '{"user_id":"ann","best_available":{"quantity":1.}}'],
  ['a number out of all range', '{"user_id":"ann","best_available":{"quantity":1e999}}'],
  ['an integer of thirty digits', `{"user_id":"ann","best_available":{"quantity":${'9'.repeat(30)}}}`],
  ['a line end in a text', '{"user_id":"a\nb","seat_ids":["A1"]}'],
  ['an unknown escape', '{"user_id":"\\x41","seat_ids":["A1"]}'],
  ['half an escape', '{"user_id":"\\u12","seat_ids":["A1"]}'],
  ['a lone surrogate', '{"user_id":"\\ud800","seat_ids":["A1"]}'],
  ['surrogates the wrong way round', '{"user_id":"\\udc00\\ud800","seat_ids":["A1"]}'],
  ['an escaped NUL', '{"user_id":"a\\u0000b","seat_ids":["A1"]}'],
  ['an escaped NUL in a name', '{"user_id":"ann","seat_ids":["A1"],"a\\u0000b":1}'],
  ['a raw NUL', bytes('{"user_id":"a', [0], 'b","seat_ids":["A1"]}')],
  ['a raw NUL behind the value', bytes('{"user_id":"ann","seat_ids":["A1"]}', [0])],
  ['a byte order mark', bytes([0xef, 0xbb, 0xbf], '{"user_id":"ann","seat_ids":["A1"]}')],
  ['UTF-16', Buffer.from('{"user_id":"ann","seat_ids":["A1"]}', 'utf16le')],
  ['a lone continuation byte', bytes('{"user_id":"', [0x80], '","seat_ids":["A1"]}')],
  ['a cut sequence', bytes('{"user_id":"', [0xe2, 0x82], '","seat_ids":["A1"]}')],
  ['an overlong sequence', bytes('{"user_id":"', [0xc0, 0xaf], '","seat_ids":["A1"]}')],
  ['a surrogate in UTF-8', bytes('{"user_id":"', [0xed, 0xa0, 0x80], '","seat_ids":["A1"]}')],
  ['a code point over U+10FFFF', bytes('{"user_id":"', [0xf4, 0x90, 0x80, 0x80], '","seat_ids":["A1"]}')],
  ['bad UTF-8 in a member that nobody reads', bytes('{"user_id":"ann","seat_ids":["A1"],"note":"', [0xff], '"}')],
  ['a member twice', '{"user_id":"ann","seat_ids":["A1"],"user_id":"bob"}'],
  ['a member twice, once escaped', '{"user_id":"ann","seat_ids":["A1"],"user\\u005fid":"bob"}'],
  ['a member twice, deep inside', '{"user_id":"ann","seat_ids":["A1"],"note":[{"a":1,"a":2}]}'],
  ['forty levels', deep(40)],
  ['five thousand levels', deep(5000)],
  ['five thousand open brackets', '['.repeat(5000)],
];

for (const [name, body] of broken) {
  test(`a body with ${name} is 400 bad_json, on every route that reads one`, async () => {
    // red when: json_parse() is called without one of its flags, or a route goes around it
    const routes = [
      ['fan', 'POST', `/api/v1/shows/${show}/seats/reserve`], ['fan', 'POST', '/api/v1/bookings/confirm'],
      ['admin', 'POST', '/api/v1/admin/shows'], ['admin', 'PATCH', `/api/v1/admin/shows/${show}`],
      ['admin', 'POST', `/api/v1/admin/shows/${show}/seats/block`], ['admin', 'POST', `/api/v1/admin/bookings/${booking_id}/refund`],
    ];
    for (const [side, method, path] of routes) {
      const { status, json } = await server[side](method, path, { body: typeof body === 'string' ? body : Buffer.from(body) });
      assert.deepEqual([status, json.code], [400, 'bad_json'], `${method} ${path}: ${json.detail}`);
    }
    assert.equal((await server.seats(show)).A1, 'AVAILABLE');
  });
}

for (const [name, body] of [['a list', '[]'], ['a text', '"A1"'], ['a number', '7'], ['null', 'null'], ['true', 'true']]) {
  test(`a body that is ${name} is 422 at the document itself`, async () => {
    // red when: a handler asks for members of what is no object
    for (const path of [`/api/v1/shows/${show}/seats/reserve`, '/api/v1/bookings/confirm']) {
      const { status, json } = await server.fan('POST', path, { body });
      assert.deepEqual([status, json.code, json.pointer], [422, 'invalid_field', '']);
    }
    const { status, json } = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body });
    assert.deepEqual([status, json.code, json.pointer], [422, 'invalid_field', '']);
  });
}

test('numbers at the edge of their type are refused or taken, never wrapped', async () => {
  // red when: a 64-bit number is cut to 32 bits
  for (const quantity of ['4294967297', '2147483648', '9223372036854775807', '-9223372036854775808', '1e2', '1.0', '-0']) {
    const { status, json } = await server.fan('POST', `/api/v1/shows/${show}/seats/reserve`, { body: `{"user_id":"ann","best_available":{"quantity":${quantity}}}` });
    assert.equal(status, 422, quantity);
    assert.ok(['invalid_field', 'too_many_seats'].includes(json.code), `${quantity}: ${json.code}`);
  }
});

test('a body of exactly its route\'s maximum is read, one byte more is 413', async () => {
  // red when: the limit is off by one, or the body is read before it is refused
  const padded = (length) => {
    const body = JSON.stringify({ user_id: 'ann', seat_ids: ['Z99'], note: '' });
    return body.replace('"note":""', `"note":"${'x'.repeat(length - body.length)}"`);
  };
  const path = `/api/v1/shows/${show}/seats/reserve`;
  assert.equal((await server.fan('POST', path, { body: padded(FAN_BODY_BYTES) })).json.code, 'unknown_seat');
  const large = await server.fan('POST', path, { body: padded(FAN_BODY_BYTES + 1) });
  assert.deepEqual([large.status, large.json.code], [413, 'body_too_large']);
  const operator = await server.admin('PATCH', `/api/v1/admin/shows/${show}`, { body: `{"note":"${'x'.repeat(OPERATOR_BODY_BYTES)}"}` });
  assert.deepEqual([operator.status, operator.json.code], [413, 'body_too_large']);
});

for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', 'application/json-patch+json', 'text/json', 'json', '*/*', 'application/xml;application/json']) {
  test(`a body of type ${type} is 415`, async () => {
    // red when: the media type is compared by its beginning
    for (const [side, path] of [['fan', `/api/v1/shows/${show}/seats/reserve`], ['fan', '/api/v1/bookings/confirm'], ['admin', '/api/v1/admin/shows']]) {
      const { status, json } = await server[side]('POST', path, { body: '{"user_id":"ann","seat_ids":["A1"]}', type });
      assert.deepEqual([status, json.code], [415, 'unsupported_media_type'], path);
    }
  });
}

for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="utf-8"', 'application/json ; v=1']) {
  test(`a body of type ${type} is read`, async () => {
    // red when: parameters or case of the media type are not understood
    const { json } = await server.fan('POST', `/api/v1/shows/${show}/seats/reserve`, { body: '{"user_id":"ann","seat_ids":["Z99"]}', type });
    assert.equal(json.code, 'unknown_seat');
  });
}

test('every other method on every documented path is 405, and Allow names the documented ones', async () => {
  // red when: a route takes a method that docs/openapi.yaml does not have, or "confirm" is taken for a booking's id
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];
  if (METHODS.includes('QUERY')) methods.push('QUERY'); // node's client knows it from 22 on
  for (const template of Object.keys(document.paths)) {
    const path = template.replace('{show_id}', show).replace('{booking_id}', booking_id).replace('{reservation_id}', `r${'a'.repeat(32)}`);
    const [operation] = Object.values(document.paths[template]);
    const side = ['fans', 'pages', 'gateway'].includes(operation.tags[0]) ? 'fan' : 'admin';
    const allowed = new Set(methods_of(template));
    for (const method of methods.filter((one) => !allowed.has(one))) {
      const { status, headers, json } = await server[side](method, path, { check: false });
      assert.deepEqual([status, json.code], [405, 'method_not_allowed'], `${method} ${path}`);
      const named = headers.get('allow').split(/, */).filter((one) => one !== 'HEAD' && one !== 'OPTIONS').sort();
      assert.deepEqual(named, [...allowed].sort(), `${method} ${path}`);
    }
  }
});

test('nothing of all this changed a seat', async () => {
  // red when: a refused request took something
  const seats = Object.entries(await server.seats(show)).filter(([, status]) => status !== 'AVAILABLE');
  assert.deepEqual(seats, [['B20', 'BOOKED']]);
});

/* HTTP as bytes on a socket: what is ambiguous is refused once and the connection closed; what is merely unusual is
 * understood, and never as two requests. */
import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { faults_of, problem_schema } from './contract.mjs';
import { Server, raw, sleep, split_answers } from './harness.mjs';

let server;
let show;
before(async () => {
  server = await Server.start();
  show = await server.show();
});
after(() => server.stop());

const PATH = '/api/v1/shows';
const get = (path = PATH, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const head_of = (first, ...lines) => `${[first, ...lines].join('\r\n')}\r\n\r\n`;
const post = (lines, body) => head_of(`POST /api/v1/shows/${show}/seats/reserve HTTP/1.1`, 'Host: x', 'Content-Type: application/json', ...lines) + body;
const wish = '{"user_id":"ann","seat_ids":["Z99"]}'; // understood: 422 unknown_seat
const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

function check_refusal(answer, what) {
  assert.ok(answer.status >= 400 && (answer.status < 500 || answer.status === 501 || answer.status === 505), `${what}: ${answer.status}`);
  assert.match(answer.headers.get('x-request-id') ?? '', /^[!-~]{1,200}$/, what);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json', what);
  assert.deepEqual(faults_of(problem_schema, JSON.parse(answer.body.toString())), [], what);
}

/* One answer of those statuses, then the end, though another request stood behind. */
async function refused_once(bytes, statuses, what) {
  const { text, closed } = await raw(server.fans, [bytes + get('/api/v1/shows')]);
  const answers = split_answers(text);
  assert.equal(answers.length, 1, `${what}: one answer, not ${answers.map((answer) => answer.status)}`);
  assert.ok(statuses.includes(answers[0].status), `${what}: ${answers[0].status} ${answers[0].body}`);
  check_refusal(answers[0], what);
  assert.ok(closed, `${what}: closed afterwards`);
}

/* Built when the test runs, since `show` is not known before. */
const faults = [
  ['bare LF at the line ends', () => 'GET /api/v1/shows HTTP/1.1\nHost: x\n\n', [400]],
  ['bare LF after one field', () => 'GET /api/v1/shows HTTP/1.1\r\nHost: x\nX: y\r\n\r\n', [400]],
  ['bare CR in a field', () => get(PATH, 'X: a\rb\r\n'), [400]],
  ['bare CR at a line end', () => 'GET /api/v1/shows HTTP/1.1\r\nHost: x\rX: y\r\n\r\n', [400]],
  ['CR CR LF', () => get(PATH, 'X: a\r\r\n'), [400]],
  ['a folded field', () => get(PATH, 'X: a\r\n b\r\n'), [400]],
  ['a folded field with a tab', () => get(PATH, 'X: a\r\n\tb\r\n'), [400]],
  ['a fold before the first field', () => 'GET /api/v1/shows HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n', [400]],
  ['NUL in a field', () => get(PATH, 'X: a\0b\r\n'), [400]],
  ['NUL in a field\'s name', () => get(PATH, 'X\0: a\r\n'), [400]],
  ['NUL in the target', () => get('/api/v1/sho\0ws'), [400]],
  ['a control character in a field', () => get(PATH, 'X: a\x01b\r\n'), [400]],
  ['DEL in a field', () => get(PATH, 'X: a\x7fb\r\n'), [400]],
  ['a space before the colon', () => get(PATH, 'X : a\r\n'), [400]],
  ['a tab before the colon', () => get(PATH, 'X\t: a\r\n'), [400]],
  ['a field without a colon', () => get(PATH, 'X\r\n'), [400]],
  ['a field without a name', () => get(PATH, ': a\r\n'), [400]],
  ['a name with a bracket', () => get(PATH, 'X(y): a\r\n'), [400]],
  ['a name outside ASCII', () => Buffer.from(get(PATH, 'Xé: a\r\n'), 'latin1').toString('latin1'), [400]],
  ['Content-Length twice, equal', () => post([`Content-Length: ${wish.length}`, `Content-Length: ${wish.length}`], wish), [400]],
  ['Content-Length twice, different', () => post([`Content-Length: ${wish.length}`, 'Content-Length: 0'], wish), [400]],
  ['Content-Length as a list', () => post([`Content-Length: ${wish.length}, ${wish.length}`], wish), [400]],
  ['Content-Length with a plus', () => post([`Content-Length: +${wish.length}`], wish), [400]],
  ['Content-Length with a minus', () => post(['Content-Length: -1'], ''), [400]],
  ['Content-Length in hex', () => post(['Content-Length: 0x10'], wish), [400]],
  ['Content-Length with a point', () => post(['Content-Length: 36.0'], wish), [400]],
  ['Content-Length with a space inside', () => post(['Content-Length: 3 6'], wish), [400]],
  ['an empty Content-Length', () => post(['Content-Length: '], ''), [400]],
  ['Content-Length over 64 bits', () => post(['Content-Length: 18446744073709551652'], wish), [400, 413]],
  ['Content-Length of forty digits', () => post([`Content-Length: ${'9'.repeat(40)}`], wish), [400, 413]],
  ['Content-Length beside chunked', () => post([`Content-Length: ${wish.length}`, 'Transfer-Encoding: chunked'], chunk(wish) + '0\r\n\r\n'), [400]],
  ['chunked beside Content-Length', () => post(['Transfer-Encoding: chunked', 'Content-Length: 0'], chunk(wish) + '0\r\n\r\n'), [400]],
  ['Content-Length in a GET beside chunked', () => get(PATH, 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), [400]],
  ['another coding', () => post(['Transfer-Encoding: gzip'], ''), [400, 501]],
  ['gzip, chunked', () => post(['Transfer-Encoding: gzip, chunked'], ''), [400, 501]],
  ['chunked, gzip', () => post(['Transfer-Encoding: chunked, gzip'], ''), [400, 501]],
  ['chunked twice', () => post(['Transfer-Encoding: chunked, chunked'], ''), [400, 501]],
  ['chunked in two fields', () => post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], ''), [400, 501]],
  ['chunked and identity in two fields', () => post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], ''), [400, 501]],
  ['identity', () => post(['Transfer-Encoding: identity'], ''), [400, 501]],
  ['xchunked', () => post(['Transfer-Encoding: xchunked'], ''), [400, 501]],
  ['chunked with a parameter', () => post(['Transfer-Encoding: chunked;q=1'], ''), [400, 501]],
  ['chunked in quotes', () => post(['Transfer-Encoding: "chunked"'], ''), [400, 501]],
  ['an empty coding', () => post(['Transfer-Encoding: '], ''), [400, 501]],
  ['a vertical tab before chunked', () => post(['Transfer-Encoding: \x0bchunked'], ''), [400, 501]],
  ['chunked in HTTP/1.0', () => head_of(`POST /api/v1/shows/${show}/seats/reserve HTTP/1.0`, 'Host: x', 'Transfer-Encoding: chunked') + chunk(wish) + '0\r\n\r\n', [400, 501]],
  ['a chunk size that is no number', () => post(['Transfer-Encoding: chunked'], 'zz\r\n'), [400]],
  ['a chunk size with 0x', () => post(['Transfer-Encoding: chunked'], '0x5\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk size with a plus', () => post(['Transfer-Encoding: chunked'], '+5\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk size with a minus', () => post(['Transfer-Encoding: chunked'], '-5\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk size with a space in front', () => post(['Transfer-Encoding: chunked'], ' 5\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['an empty chunk size', () => post(['Transfer-Encoding: chunked'], '\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk size over 64 bits', () => post(['Transfer-Encoding: chunked'], '10000000000000005\r\nabcde\r\n0\r\n\r\n'), [400, 413]],
  ['a chunk size of eighty digits', () => post(['Transfer-Encoding: chunked'], `${'0'.repeat(79)}5\r\nabcde\r\n0\r\n\r\n`), [400, 413]],
  ['a chunk size that ends in LF', () => post(['Transfer-Encoding: chunked'], '5\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk that is longer than it says', () => post(['Transfer-Encoding: chunked'], '3\r\nabcde\r\n0\r\n\r\n'), [400]],
  ['a chunk that ends in LF', () => post(['Transfer-Encoding: chunked'], '5\r\nabcde\n0\r\n\r\n'), [400]],
  ['a bare LF after the last chunk', () => post(['Transfer-Encoding: chunked'], '5\r\nabcde\r\n0\r\n\n'), [400]],
  ['no Host', () => head_of('GET /api/v1/shows HTTP/1.1'), [400]],
  ['Host twice', () => get(PATH, 'Host: x\r\n'), [400]],
  ['Host with a space', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: a b'), [400]],
  ['Host with a path', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: x/y'), [400]],
  ['Host with a user', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: u@x'), [400]],
  ['Host with a port that is no number', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: x:http'), [400]],
  ['Host with two ports', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: x:1:2'), [400]],
  ['Host as a list', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: x, y'), [400]],
  ['HTTP/2.0', () => head_of('GET /api/v1/shows HTTP/2.0', 'Host: x'), [505]],
  ['HTTP/3.1', () => head_of('GET /api/v1/shows HTTP/3.1', 'Host: x'), [505]],
  ['HTTP/0.9', () => head_of('GET /api/v1/shows HTTP/0.9', 'Host: x'), [400, 505]],
  ['a target of 5,000 bytes', () => get(`/${'a'.repeat(5000)}`), [414]],
  ['a head of 17 KiB', () => get(PATH, `X: ${'a'.repeat(17 * 1024)}\r\n`), [431]],
  ['a head of 17 KiB in many fields', () => get(PATH, Array.from({ length: 90 }, (_, i) => `X${i}: ${'a'.repeat(200)}\r\n`).join('')), [431]],
  ['101 fields', () => get(PATH, Array.from({ length: 100 }, (_, i) => `X${i}: a\r\n`).join('')), [431]],
  ['a body announced over its route\'s maximum', () => post(['Content-Length: 16385'], ''), [413]],
  ['chunks over their route\'s maximum', () => post(['Transfer-Encoding: chunked'], `ffff\r\n${'x'.repeat(0xffff)}\r\n0\r\n\r\n`), [413]],
  ['a POST without a length', () => post([], ''), [411]],
  ['an unknown method', () => head_of('BREW /api/v1/shows HTTP/1.1', 'Host: x'), [501]],
  ['TRACE', () => head_of('TRACE /api/v1/shows HTTP/1.1', 'Host: x', 'Content-Length: 5'), [405]],
  ['a method in small letters', () => head_of('get /api/v1/shows HTTP/1.1', 'Host: x'), [400, 501]],
  ['two spaces in the request line', () => head_of('GET  /api/v1/shows HTTP/1.1', 'Host: x'), [400]],
  ['a tab in the request line', () => head_of('GET\t/api/v1/shows HTTP/1.1', 'Host: x'), [400, 501]],
  ['a space in the target', () => get('/api/v1/ shows'), [400]],
  ['a target without a slash', () => get('api/v1/shows'), [400]],
  ['a fragment in the target', () => get('/api/v1/shows#x'), [400]],
  ['an asterisk as the target of GET', () => get('*'), [400]],
  ['a byte over 127 in the target', () => get('/api/v1/sh\xf6ws'), [400]],
  ['CONNECT', () => head_of('CONNECT x:443 HTTP/1.1', 'Host: x'), [400, 405, 501]],
];
for (const [what, bytes, statuses] of faults) {
  test(`refused once, then closed: ${what}`, async () => {
    // red when: http_parse() lets it pass, or the connection is read on after it
    const framing = bytes();
    await refused_once(Buffer.from(framing, 'latin1').toString('latin1'), statuses, what);
  });
}

for (const [what, bytes] of [
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['TLS', Buffer.from('16030100c8010000c40303', 'hex').toString('latin1')],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /api/v1/shows\r\n\r\n'],
  ['another protocol\'s name', 'GET /api/v1/shows HTCPCP/1.1\r\nHost: x\r\n\r\n'],
  ['binary rubbish', Array.from({ length: 300 }, (_, i) => String.fromCharCode((i * 89 + 3) % 256)).join('') + '\r\n\r\n'],
]) {
  test(`${what} gets one refusal or none, and the end`, async () => {
    // red when: the connection waits for more of what can never be a request
    const { text, closed } = await raw(server.fans, [Buffer.from(bytes, 'latin1')]);
    const answers = split_answers(text);
    assert.ok(answers.length <= 1);
    if (answers.length) check_refusal(answers[0], what);
    assert.ok(closed);
  });
}

const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const unusual = [
  ['Chunked in capitals', () => post(['Transfer-Encoding: Chunked'], chunk(wish) + '0\r\n\r\n')],
  ['chunk extensions', () => post(['Transfer-Encoding: chunked'], `${wish.length.toString(16)};a=b\r\n${wish}\r\n0;x\r\n\r\n`)],
  ['trailers', () => post(['Transfer-Encoding: chunked'], `${chunk(wish)}0\r\nX-Sum: 5\r\n\r\n`)],
  ['a chunk size with leading zeros', () => post(['Transfer-Encoding: chunked'], `000${wish.length.toString(16)}\r\n${wish}\r\n0\r\n\r\n`)],
  ['a request inside a fixed body', () => post([`Content-Length: ${inner.length}`], inner)],
  ['a request inside a chunk', () => post(['Transfer-Encoding: chunked'], `${chunk(inner)}0\r\n\r\n`)],
  ['a GET with a body', () => get(PATH, `Content-Length: ${inner.length}\r\n`) + inner],
  ['a GET with chunks', () => get(PATH, 'Transfer-Encoding: chunked\r\n') + chunk(inner) + '0\r\n\r\n'],
  ['absolute-form', () => head_of('GET http://x/api/v1/shows HTTP/1.1', 'Host: x')],
  ['an empty line before the request', () => `\r\n${get()}`],
  ['a field with an empty value', () => get(PATH, 'X:\r\n')],
  ['a field without a space after the colon', () => get(PATH, 'X:y\r\n')],
  ['a field with spaces around its value', () => get(PATH, 'X: \t y \t \r\n')],
  ['a Host with a port', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: example.com:8080')],
  ['a Host in IPv6', () => head_of('GET /api/v1/shows HTTP/1.1', 'Host: [::1]:8080')],
  ['a Content-Length with leading zeros', () => post([`Content-Length: 00${wish.length}`], wish)],
];
for (const [what, bytes] of unusual) {
  test(`never two requests: ${what}`, async () => {
    // red when: a body is read as the next request
    const { text } = await raw(server.fans, [Buffer.from(bytes() + get('/last'), 'latin1')]);
    const answers = split_answers(text);
    assert.ok(answers.length === 2 || (answers.length === 1 && answers[0].status >= 400), `${answers.map((answer) => answer.status)}`);
    if (answers.length === 2) assert.equal(answers[1].status, 404, 'the second answer is the last request\'s');
  });
}

for (const path of ['//api/v1/shows', '/api//v1/shows', '/api/./v1/shows', '/./api/v1/shows', '/api/v1/../v1/shows', '/../api/v1/shows', '/api/v1/shows/', '/api/v1/shows/.',
  '/api/v1/shows/..', '/api/v1/shows;x', '/api/v1;x/shows', '/api%2fv1/shows', '/api%2Fv1%2Fshows', '/api/v1/shows%00', '/api/v1/%2e/shows', '/api/v1/%2e%2e/v1/shows', '/api\\v1\\shows',
  '/api/v1\\..\\v1/shows', '/api/v1/shows%5c', '/api/v1/show%73', '/API/v1/shows', '/api/v1/shows%', '/api/v1/shows%zz', '/api/v1/shows%2']) {
  test(`a path that is not canonical is never a 2xx: ${path}`, async () => {
    // red when: the path is decoded or repaired before it is looked up
    const { text } = await raw(server.fans, [get(path)]);
    const [answer] = split_answers(text);
    assert.ok([400, 404].includes(answer.status), String(answer.status));
    check_refusal(answer, path);
  });
}

test('HTTP/1.0 is answered and closed, and kept where it asks for it', async () => {
  // red when: 1.0 is taken for 1.1
  const plain = await raw(server.fans, [head_of('GET /api/v1/shows HTTP/1.0')]);
  assert.equal(split_answers(plain.text)[0].status, 200);
  assert.ok(plain.closed);
});

test('Connection: close is answered and closed', async () => {
  // red when: the connection waits for more
  const { text, closed } = await raw(server.fans, [get(PATH, 'Connection: close\r\n')]);
  assert.deepEqual([split_answers(text).length, closed], [1, true]);
});

test('a request that comes byte by byte is understood', async () => {
  // red when: the parser starts anew with each read
  const bytes = [...post([`Content-Length: ${wish.length}`], wish)];
  const { text } = await raw(server.fans, bytes, { pause_ms: 1 });
  assert.equal(JSON.parse(split_answers(text)[0].body.toString()).code, 'unknown_seat');
});

test('a chunked body that comes byte by byte is understood', async () => {
  // red when: the chunk decoder loses its place between reads
  const bytes = [...post(['Transfer-Encoding: chunked'], `${chunk(wish.slice(0, 7))}${chunk(wish.slice(7))}0\r\n\r\n`)];
  const { text } = await raw(server.fans, bytes, { pause_ms: 1 });
  assert.equal(JSON.parse(split_answers(text)[0].body.toString()).code, 'unknown_seat');
});

test('sixty-four pipelined requests are answered in order', async () => {
  // red when: a parked request lets the next one pass
  const pair = (i) => get(`/missing-${i}`, `X-Request-Id: n${i}\r\n`) + get(`/api/v1/shows/${show}/seats`, `X-Request-Id: s${i}\r\n`);
  const { text } = await raw(server.fans, [Array.from({ length: 32 }, (_, i) => pair(i)).join('')]);
  const answers = split_answers(text);
  assert.deepEqual(answers.map((answer) => answer.headers.get('x-request-id')), Array.from({ length: 32 }, (_, i) => [`n${i}`, `s${i}`]).flat());
  assert.deepEqual(answers.map((answer) => answer.status), Array.from({ length: 32 }, () => [404, 200]).flat());
});

test('pipelined reserves and reads of a seat see each other in order', async () => {
  // red when: answers of one connection change places
  const own = await server.show();
  const body = '{"user_id":"ann","seat_ids":["A1"]}';
  const reserve = head_of(`POST /api/v1/shows/${own}/seats/reserve HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${body.length}`) + body;
  const read = get(`/api/v1/shows/${own}/seats`);
  const { text } = await raw(server.fans, [read + reserve + read + reserve]);
  const answers = split_answers(text);
  assert.deepEqual(answers.map((answer) => answer.status), [200, 201, 200, 409]);
  assert.equal(JSON.parse(answers[0].body.toString())[0].status, 'AVAILABLE');
  assert.equal(JSON.parse(answers[2].body.toString())[0].status, 'HELD');
});

test('Expect: 100-continue gets 100 and then the answer, or its refusal at once', async () => {
  // red when: the server waits for a body whose head it would refuse
  const lines = [`Content-Length: ${wish.length}`, 'Expect: 100-continue'];
  const { text } = await raw(server.fans, [post(lines, ''), wish], { pause_ms: 200 });
  assert.deepEqual(split_answers(text).map((answer) => answer.status), [100, 422]);
  const large = await raw(server.fans, [post(['Content-Length: 999999', 'Expect: 100-continue'], '')]);
  assert.deepEqual(split_answers(large.text).map((answer) => answer.status), [413]);
  const nowhere = await raw(server.fans, [head_of('POST /nowhere HTTP/1.1', 'Host: x', 'Content-Length: 5', 'Expect: 100-continue')]);
  assert.deepEqual(split_answers(nowhere.text).map((answer) => answer.status), [404]);
});

test('HEAD over a kept connection is followed by the next answer, not by a body', async () => {
  // red when: HEAD sends a body
  const { text } = await raw(server.fans, [get().replace('GET', 'HEAD') + get('/missing', 'Connection: close\r\n')]);
  const heads = text.split('HTTP/1.1 ').slice(1).map((part) => Number(part.slice(0, 3)));
  assert.deepEqual(heads, [200, 404]);
});

test('X-Request-Id is the client\'s where it is fit to log, and ours otherwise', async () => {
  // red when: a hostile id reaches the answer or the log
  const id_for = async (sent) => split_answers((await raw(server.fans, [get(PATH, `X-Request-Id: ${sent}\r\n`)])).text)[0].headers.get('x-request-id');
  assert.equal(await id_for('abc-1.2_Z'), 'abc-1.2_Z');
  for (const bad of ['a b', 'x'.repeat(37), '"quoted"', '{}', 'ä']) assert.notEqual(await id_for(bad), bad);
  assert.notEqual(await id_for('<1>'), await id_for('<1>'));
});

test('exactly a hundred fields and a target of 4 KiB are taken', async () => {
  // red when: a limit is off by one
  const fields = await raw(server.fans, [get(PATH, Array.from({ length: 99 }, (_, i) => `X${i}: a\r\n`).join(''))]);
  assert.equal(split_answers(fields.text)[0].status, 200);
  const target = await raw(server.fans, [get(`${PATH}?${'a'.repeat(4096 - PATH.length - 1)}`)]);
  assert.equal(split_answers(target.text)[0].status, 200);
});

test('a client that half-closes after its request is answered', async () => {
  // red when: the end of the client's side is taken for the end of everything
  const { text } = await raw(server.fans, [get(`/api/v1/shows/${show}/seats`)], { half_close: true });
  assert.equal(split_answers(text)[0].status, 200);
});

test('a kept connection lasts over five seconds of silence', async () => {
  // red when: idle connections are closed early
  const { hostname, port } = new URL(server.fans);
  const socket = createConnection({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (let i = 0; i < 2; i++) {
    if (i) await sleep(5500);
    socket.write(get());
    const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(5000) });
    assert.match(data.toString('latin1'), /^HTTP\/1\.1 200 /);
  }
  socket.destroy();
});

test('four hundred connections that send half a request harm nobody', async () => {
  // red when: an unfinished request blocks its reactor
  const { hostname, port } = new URL(server.fans);
  const sockets = Array.from({ length: 400 }, () => createConnection({ host: hostname, port: Number(port) }));
  await Promise.all(sockets.map((socket) => { socket.on('error', () => {}); return once(socket, 'connect'); }));
  for (const socket of sockets) socket.write('GET /api/v1/shows HTTP/1.1\r\nHost: x\r\nX-Half: ');
  assert.equal((await server.fan('GET', PATH)).status, 200);
  assert.equal((await server.reserve(show, ['A9'], 'ann')).status, 201);
  for (const socket of sockets) socket.destroy();
});

test('clients that go away in the middle of everything leave the server well', async () => {
  // red when: a parked exchange outlives its connection
  const { hostname, port } = new URL(server.fans);
  const bodies = [get(`/api/v1/shows/${show}/seats`), post([`Content-Length: ${wish.length}`], wish), post(['Content-Length: 100'], 'x'), get().slice(0, 20), get(`/api/v1/shows/${show}/seats`).repeat(50)];
  for (let i = 0; i < 200; i++) {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(bodies[i % bodies.length]);
    if (i % 2) socket.resetAndDestroy();
    else socket.destroy();
  }
  assert.equal((await server.fan('GET', `/api/v1/shows/${show}/seats`)).status, 200);
});

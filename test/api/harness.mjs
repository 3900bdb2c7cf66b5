/* A server of one's own for a test file: build/onsale (or ONSALE_BIN) on free ports of the loopback with a data folder
 * in the temporary directory.
 *
 *     const server = await Server.start();
 *     const show = await server.show({ rows: 2, seats_per_row: 20 });
 *     const taken = await server.reserve(show, ['A1'], 'ann');      → {status, headers, body, json}
 *     await server.stop();
 *
 * Every answer is held to docs/openapi.yaml (contract.mjs). stop() asserts that SIGTERM ends the server with 0 in ten
 * seconds, that stderr is JSON lines and known notices, and that no secret that went over the wire is among them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { request as http_request, Agent } from 'node:http';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { check_answer } from './contract.mjs';

export { sleep };
export const onsale = process.env.ONSALE_BIN ?? fileURLToPath(new URL('../../build/onsale', import.meta.url));

/* Sanitizer builds take longer over everything; waits are for the slowest. */
const START_MS = 30_000;
const STOP_MS = 10_000;

export function make_folder() {
  return mkdtempSync(join(tmpdir(), 'onsale-test-'));
}

export function remove_folder(folder) {
  rmSync(folder, { recursive: true, force: true });
}

/* Runs a command of onsale to its end: {code, stdout, stderr}. */
export async function run_onsale(args, { env = {}, timeout_ms = 60_000 } = {}) {
  const child = spawn(onsale, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => { stdout += data; });
  child.stderr.on('data', (data) => { stderr += data; });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout_ms);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, stdout, stderr };
}

/* Waits until `look` gives something truthy; fails with `what` when it does not in time. */
export async function until(what, look, timeout_ms = 20_000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain until ${what}`);
    await sleep(20);
  }
}

/* One HTTP exchange with node's client: {status, headers, body, json}. */
export function exchange(base, method, path, { headers = {}, body, agent } = {}) {
  return new Promise((done, failed) => {
    const sent = http_request(`${base}${path}`, { method, headers, agent }, (received) => {
      const chunks = [];
      received.on('data', (chunk) => chunks.push(chunk));
      received.on('error', failed);
      received.on('end', () => {
        const all = Buffer.concat(chunks);
        const type = received.headers['content-type'] ?? '';
        let json;
        if (/json/.test(type) && !received.headers['content-encoding'] && all.length) json = JSON.parse(all.toString());
        done({ status: received.statusCode, headers: new Headers(flat_headers(received)), body: all, json });
      });
    });
    sent.on('error', failed);
    sent.end(body);
  });
}

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });

function flat_headers(received) {
  const pairs = [];
  for (let i = 0; i < received.rawHeaders.length; i += 2) pairs.push([received.rawHeaders[i], received.rawHeaders[i + 1]]);
  return pairs;
}

/* Writes bytes to a socket, piece by piece, and gives all that comes back until the peer closes or `quiet_ms` of
 * silence: {text, closed}. */
export async function raw(base, pieces, { quiet_ms = 400, pause_ms = 20, timeout_ms = 15_000, half_close = false } = {}) {
  const { hostname, port } = new URL(base);
  const socket = createConnection({ host: hostname, port: Number(port) });
  const chunks = [];
  let closed = false;
  let last = Date.now();
  socket.on('data', (chunk) => { chunks.push(chunk); last = Date.now(); });
  socket.on('error', () => { closed = true; });
  socket.on('close', () => { closed = true; });
  socket.on('end', () => { closed = true; });
  await once(socket, 'connect');
  for (const [i, piece] of [pieces].flat().entries()) {
    if (i > 0) await sleep(pause_ms);
    if (!socket.destroyed) socket.write(piece);
  }
  if (half_close) socket.end();
  const end = Date.now() + timeout_ms;
  last = Date.now();
  while (!closed && Date.now() < end && Date.now() - last < quiet_ms) await sleep(5);
  socket.destroy();
  return { text: Buffer.concat(chunks).toString('latin1'), closed };
}

/* Splits what came over a socket into answers, by Content-Length: [{status, headers, body}]. */
export function split_answers(text, { heads_only = false } = {}) {
  const answers = [];
  let rest = Buffer.from(text, 'latin1');
  while (rest.length) {
    const end = rest.indexOf('\r\n\r\n');
    assert.notEqual(end, -1, `an answer's head: ${rest.toString('latin1')}`);
    const [first, ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    assert.match(first, /^HTTP\/1\.1 \d{3} /);
    const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
    const status = Number(first.slice(9, 12));
    const length = status < 200 || heads_only ? 0 : Number(headers.get('content-length') ?? 0);
    const body = rest.subarray(end + 4, end + 4 + length);
    assert.equal(body.length, length, 'a whole body');
    answers.push({ status, headers, body });
    rest = rest.subarray(end + 4 + length);
  }
  return answers;
}

/* Servers that run now: none outlives its test, however that ends. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));

/* A free port that the kernel gives nobody who asks for any: whoever listens there can stop and come back, and nobody has
 * taken it meanwhile. (A server that had would share it, by SO_REUSEPORT, and answer half of the calls.) */
async function lasting_port() {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
  for (let i = 0; i < 100; i++) {
    const port = 10_000 + Math.floor(Math.random() * (first - 10_000));
    const probe = createServer();
    const is_free = await new Promise((done) => probe.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true)));
    if (is_free) {
      await new Promise((done) => probe.close(done));
      return port;
    }
  }
  throw new Error(`no port is free between 10000 and ${first}`);
}

/* A gateway of one's own, which outlives a server that is killed and can be stopped apart from it:
 *
 *     const gateway = await Sandbox.start();
 *     const server = await Server.start(gateway.for_server());
 *     gateway.pause();                       → it takes connections, and answers nobody
 *     await gateway.intents();               → every payment intent there is
 *     await server.stop(); await gateway.stop(); */
export class Sandbox {
  static async start({ args = [], env = {} } = {}) {
    const gateway = new Sandbox();
    gateway.data = make_folder();
    gateway.args = args;
    gateway.env = env;
    gateway.address = `127.0.0.1:${await lasting_port()}`;
    gateway.secret = 'sk_test_checks';
    await gateway.spawn();
    return gateway;
  }

  /* At the address that it had before, if there is one. */
  async spawn() {
    const told = join(this.data, 'listen.json');
    rmSync(told, { force: true });
    this.stderr ??= '';
    this.child = spawn(onsale, ['sandbox', '--listen', this.address, '--data', this.data, ...this.args], { env: { ...process.env, ...this.env }, stdio: ['ignore', 'ignore', 'pipe'] });
    const { child } = this;
    running.add(child);
    child.stderr.on('data', (text) => { this.stderr += text; });
    this.ended = once(child, 'close').then(([code, signal]) => { running.delete(child); return { code, signal }; });
    // A test that fails before it stops its gateway ends all the same.
    child.unref();
    child.stderr.unref();
    this.address = await until('the sandbox says where it is', () => {
      try {
        return JSON.parse(readFileSync(told, 'utf8')).sandbox;
      } catch {
        return null;
      }
    }, START_MS);
    this.base = `http://${this.address}`;
  }

  for_server() {
    return { payments: this.base, env: { ONSALE_PAYMENTS_KEY: this.secret } };
  }

  /* One call: {status, headers, json}. `form` given: a POST. */
  async call(path, form, { key } = {}) {
    const headers = { ...bearer(this.secret), ...(key && { 'Idempotency-Key': key }) };
    if (form) headers['Content-Type'] = 'application/x-www-form-urlencoded';
    return exchange(this.base, form ? 'POST' : 'GET', `/v1/${path}`, { headers, body: form && new URLSearchParams(form).toString() });
  }

  /* All of a list, newest first. */
  async list(kind) {
    const all = [];
    for (let after = ''; ;) {
      const { status, json } = await this.call(`${kind}?limit=100${after}`);
      assert.equal(status, 200);
      all.push(...json.data);
      if (!json.has_more) return all;
      after = `&starting_after=${json.data.at(-1).id}`;
    }
  }

  intents() {
    return this.list('payment_intents');
  }

  events() {
    return this.list('events');
  }

  pause() {
    this.child.kill('SIGSTOP');
  }

  go_on() {
    this.child.kill('SIGCONT');
  }

  /* The process ends at once; spawn() begins it again on the same state. */
  async kill() {
    this.child.ref();
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    await this.kill();
    remove_folder(this.data);
  }
}

export class Server {
  static async start({ data, args = [], env = {}, payments = 'sandbox', ready = true, keep_data = false, wrapper = [] } = {}) {
    const server = new Server();
    server.owns_data = !data && !keep_data;
    server.data = data ?? make_folder();
    server.secrets = new Set();
    server.args = args;
    server.env = env;
    server.payments = payments;
    server.wrapper = wrapper; // a command in front, which becomes the server
    await server.spawn({ ready });
    return server;
  }

  async spawn({ ready = true } = {}) {
    rmSync(join(this.data, 'listen.json'), { force: true });
    const args = ['serve', '--data', this.data, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0',
      '--payments', this.payments, ...this.args];
    this.stderr ??= ''; // of all runs, restarts included
    this.started_ms = Date.now();
    this.agent = new Agent({ keepAlive: true, maxSockets: 512 });
    const [program, ...words] = [...this.wrapper, onsale, ...args];
    this.child = spawn(program, words, { env: { ...process.env, ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const { child } = this;
    running.add(child);
    child.once('close', () => running.delete(child));
    this.child.stderr.setEncoding('utf8');
    this.child.stderr.on('data', (text) => { this.stderr += text; });
    this.child.stdout.resume();
    this.ended = once(this.child, 'close').then(([code, signal]) => { this.exit = { code, signal }; return this.exit; });
    if (!ready) return;
    try {
      const listen = await until('listen.json says where', () => this.read_listen(), START_MS);
      this.fans = `http://${listen.fans}`;
      this.operator = `http://${listen.operator}`;
      await until('/readyz is 200', () => this.is_ready(), START_MS);
    } catch (fault) {
      this.child.kill('SIGKILL');
      throw new Error(`${fault.message}; stderr:\n${this.stderr}`);
    }
    this.ready_ms = Date.now() - this.started_ms;
    this.token = readFileSync(join(this.data, 'admin-token'), 'utf8').trim();
    this.secrets.add(this.token);
  }

  read_listen() {
    assert.equal(this.exit, undefined, 'the server ended');
    try {
      const listen = JSON.parse(readFileSync(join(this.data, 'listen.json'), 'utf8'));
      return { fans: listen.listen, operator: listen.admin_listen };
    } catch {
      return null;
    }
  }

  async is_ready() {
    try {
      return (await exchange(this.operator, 'GET', '/readyz')).status === 200;
    } catch {
      return false;
    }
  }

  /* ---- calls: each is held to the contract ---- */

  async call(base, method, path, { body, headers = {}, type = 'application/json', check = true } = {}) {
    const sent = { ...headers };
    const text = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    if (text !== undefined && type) sent['Content-Type'] = type;
    if (method === 'POST' && text === undefined) sent['Content-Length'] = '0';
    const answer = await exchange(base, method, path, { headers: sent, body: text, agent: this.agent });
    if (check) check_answer(method, path, answer);
    this.remember(answer, sent);
    return answer;
  }

  remember(answer, sent) {
    for (const name of ['reservation_id', 'booking_id', 'queue_ticket', 'pass']) if (answer.json?.[name]) this.secrets.add(answer.json[name]);
    const key = sent['Idempotency-Key'];
    if (key && key.length > 8) this.secrets.add(key);
  }

  fan(method, path, options) {
    return this.call(this.fans, method, path, options);
  }

  admin(method, path, options = {}) {
    return this.call(this.operator, method, path, { ...options, headers: { ...bearer(this.token), ...options.headers } });
  }

  /* ---- the world ---- */

  /* Makes a show of one section and gives its id. Settings beside the plan's go to the show. */
  async show({ rows = 2, seats_per_row = 20, name = '', amount = 5000, currency = 'EUR', areas = [], sections, prices, ...settings } = {}) {
    const plan = {
      sections: sections ?? [{ name, rows, seats_per_row, category: 'Standard' }, ...areas],
      prices: prices ?? { Standard: { amount, currency } },
    };
    const made = await this.admin('POST', '/api/v1/admin/shows', { body: { event_name: 'A night', plan, ...settings } });
    assert.equal(made.status, 201, made.body.toString());
    return made.json.show_id;
  }

  /* The same with its waiting room on; as fast and as wide as there is, unless asked otherwise. */
  queue_show({ waiting_room = {}, ...settings } = {}) {
    return this.show({ waiting_room: { enabled: true, rate_per_minute: 6_000_000, ...waiting_room }, ...settings });
  }

  join(show, user = 'ann', body = {}, headers = {}) {
    return this.fan('POST', `/api/v1/shows/${show}/queue`, { body: { user_id: user, ...body }, headers });
  }

  /* The user's place, which they can have now. */
  async place(show, user = 'ann', body = {}) {
    const joined = await this.join(show, user, body);
    assert.equal(joined.status, 201, joined.body.toString());
    return joined.json;
  }

  async queue(show) {
    const { status, json } = await this.fan('GET', `/api/v1/shows/${show}/queue`);
    assert.equal(status, 200);
    return json;
  }

  claim(show, queue_ticket, headers = {}) {
    return this.fan('POST', `/api/v1/shows/${show}/queue/claim`, { body: { queue_ticket }, headers });
  }

  leave(show, queue_ticket) {
    return this.fan('POST', `/api/v1/shows/${show}/queue/leave`, { body: { queue_ticket } });
  }

  leave_with_pass(show, pass) {
    return this.fan('POST', `/api/v1/shows/${show}/queue/leave`, { headers: bearer(pass) });
  }

  check_pass(show, pass) {
    return this.fan('GET', `/api/v1/shows/${show}/queue/check`, { headers: pass === undefined ? {} : bearer(pass) });
  }

  /* Asks until the turn is answered with something else than "wait". */
  turn(show, queue_ticket) {
    return until('the turn has come', async () => {
      const claimed = await this.claim(show, queue_ticket);
      return claimed.status !== 425 && claimed;
    });
  }

  /* Joins and goes in: {queue_ticket, position, pass, …}. */
  async enter(show, user = 'ann') {
    const place = await this.place(show, user);
    const claimed = await this.turn(show, place.queue_ticket);
    assert.equal(claimed.status, 200, claimed.body.toString());
    return { ...place, ...claimed.json };
  }

  /* `what`: seat ids, or the members of a reserve request. */
  reserve(show, what, user = 'ann', headers = {}) {
    const wish = Array.isArray(what) ? { seat_ids: what } : what;
    return this.fan('POST', `/api/v1/shows/${show}/seats/reserve`, { body: { ...wish, user_id: user }, headers });
  }

  async hold(show, what, user = 'ann') {
    const taken = await this.reserve(show, what, user);
    assert.equal(taken.status, 201, taken.body.toString());
    return taken.json;
  }

  confirm(reservation_id, payment_token = 'tok_visa', headers = {}) {
    this.secrets.add(payment_token === null ? this.token : `"${payment_token}"`);
    return this.fan('POST', '/api/v1/bookings/confirm', { body: { reservation_id, ...(payment_token === null ? {} : { payment_token }) }, headers });
  }

  async book(show, what, user = 'ann', payment_token = 'tok_visa') {
    const { reservation_id } = await this.hold(show, what, user);
    const confirmed = await this.confirm(reservation_id, payment_token);
    assert.equal(confirmed.status, 200, confirmed.body.toString());
    return { reservation_id, ...confirmed.json };
  }

  booking(booking_id) {
    return this.fan('GET', `/api/v1/bookings/${booking_id}`);
  }

  /* Waits until the booking has that payment state. */
  settled(booking_id, payment_state, status) {
    return until(`the booking is ${payment_state}`, async () => {
      const { json } = await this.booking(booking_id);
      return json.payment_state === payment_state && (!status || json.status === status) && json;
    }, 40_000);
  }

  /* {A1: 'AVAILABLE', …} */
  async seats(show) {
    const { status, json } = await this.fan('GET', `/api/v1/shows/${show}/seats`);
    assert.equal(status, 200);
    return Object.fromEntries(json.map((seat) => [seat.seat_id, seat.status]));
  }

  /* ---- ends ---- */

  kill() {
    this.child.kill('SIGKILL');
    this.agent.destroy();
    return this.ended;
  }

  /* The processes that the server started. */
  children() {
    const pid = this.child.pid;
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const list = `/proc/${pid}/task/${thread}/children`;
      return existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean).map(Number) : [];
    });
  }

  async restart() {
    await this.kill();
    this.exit = undefined;
    await this.spawn();
  }

  check_log() {
    for (const line of this.stderr.split('\n').filter(Boolean)) {
      if (line.startsWith('{')) {
        const entry = JSON.parse(line);
        assert.ok(entry.time && entry.level && entry.message, `a log line: ${line}`);
      } else {
        assert.match(line, /^(onsale[ :]|  )/, `a line on stderr that is neither JSON nor a notice: ${line}`);
      }
    }
    for (const secret of this.secrets) assert.ok(!this.stderr.includes(secret), `a secret in the log: ${secret}`);
  }

  async stop({ check = true } = {}) {
    if (!this.exit) {
      this.child.kill('SIGTERM');
      const late = setTimeout(() => { this.stop_was_late = true; this.child.kill('SIGKILL'); }, STOP_MS);
      await this.ended;
      clearTimeout(late);
    }
    this.agent.destroy();
    if (this.owns_data) remove_folder(this.data);
    if (!check) return;
    assert.ok(!this.stop_was_late, 'SIGTERM ends the server in ten seconds');
    assert.deepEqual(this.exit, { code: 0, signal: null }, `the server's end; stderr:\n${this.stderr}`);
    this.check_log();
  }
}

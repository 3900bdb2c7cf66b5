/* A WebSocket client (RFC 6455) for tests: strict about what the server sends, free in what it sends itself.
 *
 *     const viewer = await WebSocketClient.open(server.fans, `/api/v1/shows/${show}/queue/live`);
 *     const status = await viewer.json();                   the next text frame
 *     viewer.send(TEXT, 'hello');                           masked, in the shortest form
 *     viewer.send(TEXT, 'hello', { masked: false });        …or wrong on purpose
 *     const { code, reason } = await viewer.end();          the server's close frame, and TCP has ended
 *
 * What a server may not do throws where the test waits: a masked frame, a reserved bit, a length not in its shortest
 * form, a control frame that is long or cut in parts, text that is no UTF-8, anything after its close frame, an
 * extension or a subprotocol nobody asked for. Pings are answered. Node 20 has no client of its own. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createConnection } from 'node:net';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const WAIT_MS = 10_000;
const MOST_BYTES = 2 ** 24; // of one frame

const utf8 = new TextDecoder('utf-8', { fatal: true });

/* A client's frame. `length_form`: 7, 16 or 64, for a length in a longer form than it needs. `claim`: a length that
 * is not the payload's. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, length_form, claim } = {}) {
  const data = Buffer.from(payload);
  const length = claim ?? data.length;
  const form = length_form ?? (length < 126 ? 7 : length < 65536 ? 16 : 64);
  const head = Buffer.alloc(2 + (form === 7 ? 0 : form / 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (form === 7 ? length : form === 16 ? 126 : 127);
  if (form === 16) head.writeUInt16BE(length, 2);
  if (form === 64) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, data]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ mask[i % 4])]);
}

/* A close frame's payload. */
export function close_payload(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/* Takes one frame off the front of `bytes`: {opcode, fin, payload, size}, or null while it is not whole. */
function read_frame(bytes) {
  if (bytes.length < 2) return null;
  const opcode = bytes[0] & 15;
  const fin = bytes[0] >= 0x80;
  assert.equal(bytes[0] & 0x70, 0, 'the server sets no reserved bit');
  assert.ok([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].includes(opcode), `a known opcode: ${opcode}`);
  assert.equal(bytes[1] & 0x80, 0, 'the server masks nothing');
  let length = bytes[1] & 0x7f;
  let size = 2;
  if (length >= 126) {
    size = length === 126 ? 4 : 10;
    if (bytes.length < size) return null;
    const shortest = length === 126 ? 126 : 65536;
    length = length === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    assert.ok(length >= shortest, `a length in its shortest form: ${length}`);
  }
  assert.ok(length <= MOST_BYTES, `a frame of ${length} bytes`);
  if (opcode >= CLOSE) assert.ok(fin && length <= 125, 'a control frame is short and whole');
  if (bytes.length < size + length) return null;
  return { opcode, fin, payload: bytes.subarray(size, size + length), size: size + length };
}

/* The first answer in these bytes: {status, headers, body, rest}, or null while it is not whole. */
function read_answer(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
  const status = Number(first.match(/^HTTP\/1\.1 (\d{3}) /)?.[1]);
  const size = status === 101 ? 0 : Number(headers.get('content-length') ?? 0);
  if (bytes.length < end + 4 + size) return null;
  return { status, headers, body: bytes.subarray(end + 4, end + 4 + size), rest: bytes.subarray(end + 4 + size) };
}

/* Waits for it; the socket is paused then. */
function await_answer(socket) {
  return new Promise((done, failed) => {
    let bytes = Buffer.alloc(0);
    const finish = (settle, value) => {
      clearTimeout(timer);
      socket.pause();
      socket.removeListener('data', take);
      socket.removeListener('close', gone);
      settle(value);
    };
    const take = (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const answer = read_answer(bytes);
      if (answer) finish(done, answer);
    };
    const gone = () => finish(failed, new Error(`the server closed instead of answering: '${bytes.toString('latin1')}'`));
    const timer = setTimeout(() => finish(failed, new Error('no answer to the upgrade')), WAIT_MS);
    socket.on('data', take);
    socket.on('close', gone);
  });
}

/* Asks for an upgrade: {answer, socket, key}. `headers` go over the usual ones; null leaves one out. */
export async function ask_upgrade(base, path, headers = {}) {
  const { hostname, port, host } = new URL(base);
  const socket = createConnection({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const key = randomBytes(16).toString('base64');
  const sent = {
    'Host': host, 'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key, ...headers,
  };
  const lines = Object.entries(sent).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return { answer: await await_answer(socket), socket, key };
}

export class WebSocketClient {
  static async open(base, path, headers = {}) {
    const { answer, socket, key } = await ask_upgrade(base, path, headers);
    assert.equal(answer.status, 101, answer.body.toString());
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    assert.equal(answer.headers.get('sec-websocket-accept'), accept);
    assert.equal(answer.headers.get('upgrade')?.toLowerCase(), 'websocket');
    assert.match(answer.headers.get('connection') ?? '', /(^|, *)upgrade(,|$)/i);
    for (const name of ['sec-websocket-extensions', 'sec-websocket-protocol']) assert.equal(answer.headers.get(name), null, name);
    const client = new WebSocketClient();
    client.start(socket, answer);
    return client;
  }

  start(socket, answer) {
    this.socket = socket;
    this.headers = answer.headers;
    this.bytes = answer.rest;
    this.messages = []; // {opcode, payload}, whole ones, control frames among them
    this.parts = null; // of a message that is not whole yet
    this.closed = null; // {code, reason}, once the server's close frame is here
    this.waiting = []; // functions to call when something has happened
    this.finished = once(socket, 'close').then(() => this.wake());
    socket.on('error', () => this.wake());
    socket.on('end', () => { this.tcp_ended = true; this.wake(); });
    socket.on('data', (chunk) => { this.bytes = Buffer.concat([this.bytes, chunk]); this.read_all(); });
    this.read_all();
    socket.resume();
  }

  wake() {
    for (const resume of this.waiting.splice(0)) resume();
  }

  read_all() {
    try {
      for (;;) {
        if (this.closed) assert.equal(this.bytes.length, 0, 'nothing comes after a close frame');
        const next = read_frame(this.bytes);
        if (!next) break;
        this.bytes = this.bytes.subarray(next.size);
        this.take(next);
      }
    } catch (fault) {
      this.fault = fault;
      this.socket.destroy();
    }
    this.wake();
  }

  take({ opcode, fin, payload }) {
    if (opcode === CLOSE) {
      assert.notEqual(payload.length, 1, 'half a close code');
      this.closed = payload.length ? { code: payload.readUInt16BE(0), reason: utf8.decode(payload.subarray(2)) } : { code: 1005, reason: '' };
      return;
    }
    if (opcode === PING || opcode === PONG) {
      if (opcode === PING && !this.ignores_pings) this.send(PONG, payload);
      this.messages.push({ opcode, payload });
      return;
    }
    assert.equal(opcode === CONTINUATION, this.parts !== null, 'a continuation continues something, and nothing else comes between');
    this.parts ??= { opcode, all: [] };
    this.parts.all.push(payload);
    if (!fin) return;
    const whole = Buffer.concat(this.parts.all);
    if (this.parts.opcode === TEXT) utf8.decode(whole);
    this.messages.push({ opcode: this.parts.opcode, payload: whole });
    this.parts = null;
  }

  async wait_for(what, look, timeout_ms) {
    const end = Date.now() + timeout_ms;
    for (;;) {
      if (this.fault) throw this.fault;
      const found = look();
      if (found) return found;
      const left = end - Date.now();
      assert.ok(left > 0, `waited in vain for ${what}`);
      let timer;
      await new Promise((resume) => { this.waiting.push(resume); timer = setTimeout(resume, left); });
      clearTimeout(timer);
    }
  }

  /* The next message of that opcode; those before it are dropped. */
  async message(opcode = TEXT, timeout_ms = WAIT_MS) {
    return this.wait_for(`a message of opcode ${opcode}`, () => {
      while (this.messages.length) {
        const next = this.messages.shift();
        if (next.opcode === opcode) return next;
      }
      assert.ok(!this.closed && !this.socket.destroyed, `the socket closed: ${JSON.stringify(this.closed)}`);
      return null;
    }, timeout_ms);
  }

  async json(timeout_ms) {
    return JSON.parse((await this.message(TEXT, timeout_ms)).payload.toString());
  }

  /* The first document for which `fits` is true. */
  async json_until(fits, timeout_ms = WAIT_MS) {
    const end = Date.now() + timeout_ms;
    for (;;) {
      const next = await this.json(Math.max(end - Date.now(), 1));
      if (fits(next)) return next;
    }
  }

  send(opcode, payload, options) {
    this.send_bytes(frame(opcode, payload, options));
  }

  send_bytes(bytes) {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /* The server's close frame, answered, and the end of TCP: {code, reason, seconds}: how long after the close frame. */
  async end(timeout_ms = WAIT_MS) {
    await this.wait_for('a close frame', () => this.closed || this.socket.destroyed || this.tcp_ended, timeout_ms);
    assert.ok(this.closed, 'TCP ended without a close frame');
    const since = Date.now();
    this.send(CLOSE, this.closed.code === 1005 ? '' : close_payload(this.closed.code));
    await this.wait_for('the end of TCP', () => this.tcp_ended || this.socket.destroyed, timeout_ms);
    this.socket.destroy();
    if (this.fault) throw this.fault;
    return { ...this.closed, seconds: (Date.now() - since) / 1000 };
  }

  /* Says goodbye and waits for the echo. */
  async close(code = 1000, reason = '') {
    this.send(CLOSE, close_payload(code, reason));
    await this.wait_for('the close to be echoed', () => this.closed, WAIT_MS);
    await this.wait_for('the end of TCP', () => this.tcp_ended || this.socket.destroyed, WAIT_MS);
    this.socket.destroy();
    if (this.fault) throw this.fault;
    return this.closed;
  }

  /* As a machine that loses its power. */
  drop() {
    this.socket.resetAndDestroy();
  }
}

/* A connection that is written to without waiting for answers (HTTP pipelining), for tests that ask tens of thousands of
 * times. Node's own client costs ten times the server's work.
 *
 *     const pipe = await Pipe.open(server.fans);
 *     const answer = await pipe.post('/path', '{}', 'Name: value\r\n');    → {status, head, body}, or null: cut off
 *
 * Answers come in the order of the requests; `most` of them are out at once, the others wait here. What it understands is
 * what the server sends: a Content-Length in every answer with a body, no chunks. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';

const NOTHING = Buffer.alloc(0);

export class Pipe {
  static async open(base, { most = 16 } = {}) {
    const { hostname, port } = new URL(base);
    const pipe = new Pipe();
    pipe.host = `${hostname}:${port}`;
    pipe.most = most;
    pipe.queued = [];
    pipe.out = [];
    pipe.rest = NOTHING;
    pipe.cut = false;
    pipe.socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    pipe.socket.on('data', (data) => pipe.receive(data));
    pipe.socket.on('error', () => {});
    pipe.socket.on('close', () => pipe.give_up());
    await once(pipe.socket, 'connect');
    return pipe;
  }

  post(path, body, headers = '') {
    const text = `POST ${path} HTTP/1.1\r\nHost: ${this.host}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
    return this.send(Buffer.from(text));
  }

  get(path, headers = '') {
    return this.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${this.host}\r\n${headers}\r\n`));
  }

  /* The bytes of one whole request. */
  send(bytes) {
    if (this.cut) return Promise.resolve(null);
    return new Promise((done) => {
      this.queued.push({ bytes, done });
      if (this.out.length < this.most) this.fill();
    });
  }

  fill() {
    const some = this.queued.splice(0, this.most - this.out.length);
    if (!some.length) return;
    this.out.push(...some.map(({ done }) => done));
    this.socket.write(Buffer.concat(some.map(({ bytes }) => bytes)));
  }

  receive(data) {
    this.rest = this.rest.length ? Buffer.concat([this.rest, data]) : data;
    for (;;) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) break;
      const head = this.rest.toString('latin1', 0, end + 2);
      const status = Number(head.slice(9, 12));
      const told = /\r\nContent-Length: (\d+)\r\n/i.exec(head);
      const length = told ? Number(told[1]) : 0;
      if (this.rest.length < end + 4 + length) break;
      const body = this.rest.subarray(end + 4, end + 4 + length);
      this.rest = this.rest.subarray(end + 4 + length);
      const done = this.out.shift();
      assert.ok(done, `an answer that nobody asked for: ${head}`);
      done({ status, head, body });
    }
    if (this.rest.length === 0) this.rest = NOTHING;
    if (this.out.length <= this.most / 2) this.fill();
  }

  give_up() {
    this.cut = true;
    for (const done of this.out.splice(0)) done(null);
    for (const { done } of this.queued.splice(0)) done(null);
  }

  close() {
    this.socket.destroy();
  }
}

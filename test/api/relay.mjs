/* A node that only shows what another one has:
 *
 *     const relay = await Relay.start(server.fans);          ready; or { ready: false }
 *     await relay.seats(show); await LiveViewer.open(relay, show);
 *     await relay.stop();                                     as Server's: it has to end well
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { Server, exchange, onsale, until } from './harness.mjs';

const START_MS = 30_000;
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Relay extends Server {
  static async start(upstream, { args = [], env = {}, ready = true } = {}) {
    const relay = new Relay();
    Object.assign(relay, { secrets: new Set(), args, stderr: '', owns_data: false });
    relay.agent = new Agent({ keepAlive: true, maxSockets: 512 });
    relay.child = spawn(onsale, ['serve', '--roles', 'live', '--upstream', upstream, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', ...args],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', env: { ...process.env, ...env } }); // where it could not write anything, did it want to
    const { child } = relay;
    running.add(child);
    child.once('close', () => running.delete(child));
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text) => { relay.stderr += text; });
    relay.ended = once(child, 'close').then(([code, signal]) => { relay.exit = { code, signal }; return relay.exit; });
    const told = await until('the relay says where it is', () => relay.stderr.match(/ to fans at (\S+), .* operator at (\S+)/), START_MS);
    [, relay.fans, relay.operator] = told;
    if (ready) await until('the relay is ready', () => relay.is_ready(), START_MS);
    return relay;
  }

  /* The operator's calls that a relay has: without a token. */
  async probe(path) {
    return exchange(this.operator, 'GET', path);
  }

  async metric(name) {
    return Number((await this.probe('/metrics')).body.toString().match(new RegExp(`^${name} (\\S+)$`, 'm'))[1]);
  }

  /* Which keeps what was freed for a while. */
  is_sanitized() {
    return readFileSync(`/proc/${this.child.pid}/maps`, 'utf8').includes('/libasan');
  }

  rss_mb() {
    return Number(readFileSync(`/proc/${this.child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)[1]) / 1024;
  }
}

/* Crashes of a waiting room that no signal can make, and what has to hold after each.
 *
 *     await lose_power(server, [show, …]);              the power fails, and comes back: killed, and started again
 *     const record = await verified_record(server, show);   the sale is closed; node and `onsale verify` find no fault
 *
 * A power loss is made of kill -9: of each file what was on disk for certain is kept, all behind it is zeros, and the
 * files are another boot's. What was on disk the mark says, at the beginning of SHOW.private (its format stands in
 * src/engines/memory/queue_log_walk.c). The ledger keeps everything: it answers nobody before it has synced. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run_onsale, until } from './harness.mjs';
import { check_record, read_record } from './queue_record.mjs';

/* For Server.start(): seats that cost something cannot be bought, and each start is quicker by the sandbox's. */
export const without_sandbox = { payments: 'http://127.0.0.1:9', env: { ONSALE_PAYMENTS_KEY: 'sk_test_none', ONSALE_PAYMENTS_WEBHOOK_SECRET: 'whsec_none' } };

const MARK_BYTES = 64;
const SECRET_BYTES = 16;
const at = { closed: 13, boot: 16, length: 32, numbers: 40, crc: 60 };

const crc_table = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0x82f63b78 ^ (byte >>> 1) : byte >>> 1;
  return byte >>> 0;
});
const crc32c = (bytes) => ~bytes.reduce((crc, byte) => crc_table[(crc ^ byte) & 255] ^ (crc >>> 8), -1) >>> 0;

export const queue_files = (server, show) => ['record', 'private'].map((end) => join(server.data, 'queue', `${show}.${end}`));

/* {length, numbers, boot}: so much of the record, and secrets of so many numbers, are on disk. */
export function read_mark(server, show) {
  const bytes = readFileSync(queue_files(server, show)[1]).subarray(0, MARK_BYTES);
  assert.equal(crc32c(bytes.subarray(0, at.crc)), bytes.readUInt32BE(at.crc), 'a whole mark');
  return {
    length: Number(bytes.readBigUInt64BE(at.length)),
    numbers: bytes.readUInt32BE(at.numbers),
    boot: bytes.toString('hex', at.boot, at.boot + 16),
  };
}

/* Waits until so many joins are on disk. */
export function on_disk(server, show, numbers) {
  return until(`${numbers} places are on disk`, () => read_mark(server, show).numbers >= numbers);
}

/* What the disk has of a server that is dead; gives the mark. */
export function cut_to_what_was_synced(server, show) {
  const [record_path, secrets_path] = queue_files(server, show);
  const { length, numbers, boot } = read_mark(server, show);
  const secrets = readFileSync(secrets_path);
  Buffer.from(boot, 'hex').map((byte) => byte ^ 0xff).copy(secrets, at.boot);
  secrets[at.closed] = 0;
  secrets.writeUInt32BE(crc32c(secrets.subarray(0, at.crc)), at.crc);
  writeFileSync(secrets_path, secrets.fill(0, MARK_BYTES + SECRET_BYTES * numbers));
  writeFileSync(record_path, readFileSync(record_path).fill(0, length));
  return { length, numbers };
}

/* Starts what was killed again. */
export function start_again(server) {
  server.exit = undefined;
  return server.spawn();
}

/* Shows without a room yet lose nothing. Gives the marks. */
export async function lose_power(server, shows) {
  await server.kill();
  const marks = shows.map((show) => existsSync(queue_files(server, show)[0]) && cut_to_what_was_synced(server, show));
  await start_again(server);
  return marks;
}

/* Holds a record to everything that this suite and onsale know of one; where numbers were lost with the power, to what
 * onsale knows, which counts them as missing. */
async function verify(server, json, has_lost) {
  const file = join(server.data, `record-${json.show_id}.json`);
  writeFileSync(file, JSON.stringify(json));
  const { code, stdout, stderr } = await run_onsale(['verify', '--queue', file]);
  assert.equal(code, 0, stdout + stderr);
  const record = read_record(json);
  if (!has_lost) check_record(record);
  return record;
}

/* Closes the sale, if it is not, and gives its record, which is good. */
export async function verified_record(server, show, { has_lost = false } = {}) {
  await server.admin('POST', `/api/v1/admin/shows/${show}/close`);
  return verify(server, await until('the whole record is published', async () => {
    const { json } = await server.fan('GET', `/api/v1/shows/${show}/queue/record`);
    return json.chain && json;
  }), has_lost);
}

/* Queue tickets and passes in wrong hands: forged, changed, cut, swapped, replayed and re-signed ones are refused with
 * their own code, and let nobody in. The keys' rotation ends nobody's place. */
import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Server, bearer, run_onsale, until } from './harness.mjs';
import { read_ticket } from './queue_record.mjs';

let server;
let show; // with ann inside and bob waiting, its room full
let ann;
let bob;
before(async () => {
  server = await Server.start();
  show = await server.queue_show({ waiting_room: { max_active: 1 } });
  ann = await server.enter(show, 'ann');
  bob = await server.place(show, 'bob');
});
after(() => server.stop());

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/* Another letter at that place; the same text never comes out. */
const other_letter = (text, at, step) => text.slice(0, at) + ALPHABET[(Math.max(ALPHABET.indexOf(text[at]), 0) + step) % 64] + text.slice(at + 1);

async function ticket_is_refused(text, what) {
  for (const call of [server.claim(show, text), server.leave(show, text)]) {
    const { status, json } = await call;
    assert.deepEqual([status, json?.code], [401, 'queue_ticket_invalid'], `${what}: ${text}`);
  }
}

async function pass_is_refused(text, what, code = 'pass_invalid') {
  for (const call of [server.check_pass(show, text), server.reserve(show, ['A1'], 'ann', bearer(text)), server.leave_with_pass(show, text)]) {
    const { status, json } = await call;
    assert.deepEqual([status, json?.code], [401, code], `${what}: ${text}`);
  }
}

async function nothing_has_happened() {
  assert.equal((await server.check_pass(show, ann.pass)).status, 204, 'ann is inside');
  const { issued, active } = await server.queue(show);
  assert.deepEqual([issued, active], [2, 1]);
  assert.equal((await server.place(show, 'bob')).place, 'waiting');
}

/* ---- queue tickets ---- */

test('a queue ticket with any letter changed is refused', async () => {
  // red when: a part of the ticket is not under the MAC, or the MAC is compared in part
  for (let at = 0; at < bob.queue_ticket.length; at++)
    for (const step of [1, 32]) await ticket_is_refused(other_letter(bob.queue_ticket, at, step), `letter ${at}`);
  await nothing_has_happened();
});

test('a queue ticket cut short or made longer is refused', async () => {
  // red when: a length is taken from the ticket itself
  const text = bob.queue_ticket;
  for (let length = 0; length < text.length; length++) await ticket_is_refused(text.slice(0, length), `${length} letters`);
  for (const more of ['A', '=', '==', '\n', ' ', 'AAAA', '.', text]) await ticket_is_refused(text + more, 'longer');
  for (const before of [' ', 'q', '\ufeff']) await ticket_is_refused(before + text, 'longer in front');
  await ticket_is_refused(`q1.${'A'.repeat(6000)}`, 'very long');
  await nothing_has_happened();
});

test('every other spelling of a queue ticket\'s bytes is refused', async () => {
  // red when: two texts are one ticket, so that what is remembered by its text can be got around
  const [, body] = bob.queue_ticket.split('.');
  const bytes = Buffer.from(body, 'base64url');
  const spellings = [`Q1.${body}`, `q1.${bytes.toString('base64')}=`, `q1.${body}=`, `q2.${body}`, body, `.${body}`, `q1..${body}`, `q1.${bytes.toString('hex')}`, `q1.${body.slice(0, 8)}\n${body.slice(8)}`];
  // Where the last letter has bits that belong to no byte, the others that decode to the same bytes.
  for (const letter of ALPHABET) {
    const other = body.slice(0, -1) + letter;
    if (other !== body && Buffer.from(other, 'base64url').equals(bytes)) spellings.push(`q1.${other}`);
  }
  for (const text of spellings) await ticket_is_refused(text, 'another spelling');
});

test('the parts of a queue ticket cannot be exchanged or shifted into one another', async () => {
  // red when: fields are glued together under the MAC without their lengths
  const mine = Buffer.from(bob.queue_ticket.slice(3), 'base64url');
  const theirs = Buffer.from(ann.queue_ticket.slice(3), 'base64url');
  const as_text = (...parts) => `q1.${Buffer.concat(parts).toString('base64url')}`;
  const end = mine.length - 16;
  assert.equal(theirs.length, mine.length);
  await ticket_is_refused(as_text(mine.subarray(0, 20), theirs.subarray(20, 24), mine.subarray(24)), 'another\'s number');
  await ticket_is_refused(as_text(mine.subarray(0, 38), theirs.subarray(38, end), mine.subarray(end)), 'another\'s user');
  await ticket_is_refused(as_text(mine.subarray(0, end), theirs.subarray(end)), 'another\'s MAC');
  await ticket_is_refused(as_text(mine.subarray(0, 30), theirs.subarray(30, 38), mine.subarray(38)), 'another\'s salt');
  await ticket_is_refused(as_text(mine.subarray(0, 37), mine.subarray(38)), 'a byte less of the salt');
  await ticket_is_refused(as_text(mine.subarray(0, end), Buffer.from('x'), mine.subarray(end)), 'a byte more of the user');
  await ticket_is_refused(as_text(Buffer.from('ffffffff', 'hex'), mine.subarray(4)), 'a key that is none');
  await ticket_is_refused(as_text(Buffer.alloc(mine.length)), 'zeros');
  await nothing_has_happened();
});

test('a queue ticket of another show is told from a forged one', async () => {
  // red when: the ticket's show is not compared with the call's
  const other = await server.queue_show({ waiting_room: { rate_per_minute: 1 } });
  const { queue_ticket } = await server.place(other, 'bob');
  for (const call of [server.claim(show, queue_ticket), server.leave(show, queue_ticket)]) {
    const { status, json } = await call;
    assert.deepEqual([status, json.code], [403, 'queue_ticket_for_another_show']);
  }
  assert.equal((await server.place(other, 'bob')).is_new, false, 'it was not left');
  await nothing_has_happened();
});

test('queue tickets and passes of another installation are refused', async () => {
  // red when: the key is a constant
  const other = await Server.start();
  const elsewhere = await other.queue_show();
  const stranger = await other.enter(elsewhere, 'ann');
  await other.stop();
  await ticket_is_refused(stranger.queue_ticket, 'of another installation');
  await pass_is_refused(stranger.pass, 'of another installation');
});

test('a pass is no queue ticket, nor the other way round', async () => {
  // red when: one MAC or signature serves two purposes
  await ticket_is_refused(ann.pass, 'a pass');
  await pass_is_refused(ann.queue_ticket, 'a queue ticket');
  await pass_is_refused(server.token, 'the operator\'s token');
  assert.equal((await server.call(server.operator, 'GET', '/api/v1/admin/shows', { headers: bearer(ann.pass) })).status, 401);
});

for (const [what, value] of [['missing', undefined], ['null', null], ['a number', 7], ['an object', {}], ['a list', ['q1.AAAA']]]) {
  test(`a queue_ticket that is ${what} is refused by name`, async () => {
    // red when: a member's type is not looked at
    for (const verb of ['claim', 'leave']) {
      const { status, json } = await server.fan('POST', `/api/v1/shows/${show}/queue/${verb}`, { body: { queue_ticket: value } });
      assert.deepEqual([status, json.code, json.pointer], [422, 'invalid_field', '/queue_ticket']);
    }
  });
}

/* ---- passes ---- */

test('a pass with any letter changed is refused', async () => {
  // red when: a part is not signed, or a checked pass is remembered by less than its whole text
  for (let at = 0; at < ann.pass.length; at++) {
    const { status, json } = await server.check_pass(show, ann.pass[at] === '.' ? ann.pass.replaceAll('.', 'A') : other_letter(ann.pass, at, 1 + (at % 63)));
    assert.deepEqual([status, json?.code], [401, 'pass_invalid'], `letter ${at}`);
  }
  await nothing_has_happened();
});

test('a pass cut short, made longer, or spelled otherwise is refused', async () => {
  // red when: base64url is read forgivingly, or parts after the third are ignored
  const [head, body, signature] = ann.pass.split('.');
  for (let length = 1; length < ann.pass.length; length += 3) await pass_is_refused(ann.pass.slice(0, length), `${length} letters`);
  const spellings = [`${ann.pass}.`, `${ann.pass}.${signature}`, `.${ann.pass}`, `${head}.${body}.`, `${head}..${signature}`, `.${body}.${signature}`, `${ann.pass}=`, `${ann.pass}==`, `${ann.pass}A`,
    `${head}=.${body}.${signature}`, '.', '..', '...', `${ann.pass},${ann.pass}`, `"${ann.pass}"`];
  for (const letter of ALPHABET) {
    const other = signature.slice(0, -1) + letter;
    if (other !== signature && Buffer.from(other, 'base64url').equals(Buffer.from(signature, 'base64url'))) spellings.push(`${head}.${body}.${other}`);
  }
  assert.ok(spellings.length > 15, 'the signature\'s last letter has other spellings');
  for (const text of spellings) await pass_is_refused(text, 'another spelling');
  await nothing_has_happened();
});

const part_of = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const parts_of = (pass) => pass.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));

test('no pass chooses how it is checked: alg none, HMAC with the public key, other algorithms and keys', async () => {
  // red when: the header's alg is obeyed (RFC 8725)
  const [head, body] = parts_of(ann.pass);
  const { json: { keys } } = await server.fan('GET', '/.well-known/jwks.json');
  const jwk = keys.find((key) => key.kid === head.kid);
  const x = Buffer.from(jwk.x, 'base64url');
  const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const own = generateKeyPairSync('ed25519');
  const own_jwk = own.publicKey.export({ format: 'jwk' });
  const unsigned = (header) => `${part_of(header)}.${part_of(body)}`;
  const with_signature = (header, make) => `${unsigned(header)}.${make(unsigned(header)).toString('base64url')}`;
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null]) {
    await pass_is_refused(`${unsigned({ ...head, alg })}.`, `alg ${alg}`);
    await pass_is_refused(`${unsigned({ ...head, alg })}.${ann.pass.split('.')[2]}`, `alg ${alg}, signed`);
  }
  for (const [alg, hash] of [['HS256', 'sha256'], ['HS384', 'sha384'], ['HS512', 'sha512']])
    for (const secret of [x, jwk.x, pem, JSON.stringify(jwk), Buffer.alloc(0), Buffer.alloc(32)])
      await pass_is_refused(with_signature({ ...head, alg }, (text) => createHmac(hash, secret).update(text).digest()), `${alg} with the public key`);
  for (const header of [head, { ...head, jwk: own_jwk }, { ...head, kid: 'ffffffff' }, { ...head, kid: '../../dev/null' }, { ...head, kid: '' }, { ...head, kid: 0 }, { alg: 'EdDSA', typ: 'JWT' },
    { ...head, jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/keys' }])
    await pass_is_refused(with_signature(header, (text) => sign(null, Buffer.from(text), own.privateKey)), `a key of their own: ${JSON.stringify(header)}`);
  for (const alg of ['ES256', 'RS256', 'PS256', 'Ed448', 'eddsa'])
    await pass_is_refused(with_signature({ ...head, alg }, (text) => sign(null, Buffer.from(text), own.privateKey)), alg);
  await nothing_has_happened();
});

test('a pass whose claims were changed is refused', async () => {
  // red when: the signature is checked over something else than what is read
  const [head, body] = parts_of(ann.pass);
  const signature = ann.pass.split('.')[2];
  for (const change of [{ exp: body.exp + 3600 }, { sub: 'bob' }, { aud: '00000000-0000-4000-8000-000000000000' }, { iat: body.iat - 1 }, { jti: body.jti.replace(/^......../, '00000002') }, { iss: 'someone' }, { extra: 1 }])
    await pass_is_refused(`${part_of(head)}.${part_of({ ...body, ...change })}.${signature}`, JSON.stringify(change));
});

/* The installation's own signing key, as its files have it: what a pass says is looked at even where its signature is good. */
function signing_key(kid) {
  const folder = join(server.data, 'keys');
  const files = readdirSync(folder).filter((name) => name === `${kid}.key`);
  assert.equal(files.length, 1, `${kid}.key is in ${readdirSync(folder)}`);
  const seed = readFileSync(join(folder, files[0]), 'utf8').match(/^(?:ed25519|seed)[^\n]*?([0-9a-f]{64})/im)?.[1];
  assert.ok(seed, 'the file has a seed');
  return createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')]), format: 'der', type: 'pkcs8' });
}

test('a pass that is signed and says what it should not is refused', async () => {
  // red when: a good signature is enough
  const [head, body] = parts_of(ann.pass);
  const key = signing_key(head.kid);
  const signed = (header, claims) => {
    const text = `${part_of(header)}.${part_of(claims)}`;
    return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
  };
  assert.equal(signed(head, body), ann.pass, 'it is the key that signs, and Ed25519 gives the same text again');
  const without = (name) => Object.fromEntries(Object.entries(body).filter(([member]) => member !== name));
  for (const claims of [...Object.keys(body).map(without), { ...body, iss: 'another' }, { ...body, aud: [show] }, { ...body, aud: 'x' }, { ...body, exp: String(body.exp) }, { ...body, exp: -1 }, { ...body, exp: 1e300 },
    { ...body, sub: '' }, { ...body, sub: 5 }, { ...body, sub: 'x'.repeat(129) }, { ...body, jti: 'x' }, { ...body, jti: body.jti.replace(/^......../, '00000002') }, { ...body, jti: `00000001${'0'.repeat(24)}` },
    '{}', '[]', 'null', '5', '{"iss"', '{"iss":"onsale","iss":"onsale"}', JSON.stringify(body).replace('{', `{"sub":"bob",`)])
    await pass_is_refused(signed(head, claims), `claims ${JSON.stringify(claims)}`);
  for (const header of [{ ...head, crit: ['exp'] }, { ...head, crit: [] }, { ...head, alg: 'none' }, { kid: head.kid }, { ...head, kid: [head.kid] }])
    await pass_is_refused(signed(header, body), `header ${JSON.stringify(header)}`);
  await nothing_has_happened();
});

test('a pass is good whatever the letters of "Bearer", and in no other scheme', async () => {
  // red when: the scheme is compared by letters (RFC 9110 11.1), or not at all
  const check = (value) => server.fan('GET', `/api/v1/shows/${show}/queue/check`, { headers: { Authorization: value } });
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) assert.equal((await check(`${scheme} ${ann.pass}`)).status, 204, scheme);
  for (const value of [ann.pass, `Basic ${ann.pass}`, `Bearer${ann.pass}`, `Token ${ann.pass}`, 'Bearer', `Bearer ${ann.pass} x`]) assert.equal((await check(value)).status, 401, value.slice(0, 12));
});

test('a pass that was refused once is refused again, and one that was taken is taken again', async () => {
  // red when: what is remembered of a pass is not what the check found
  const forged = other_letter(ann.pass, ann.pass.length - 20, 5);
  for (let i = 0; i < 5; i++) {
    assert.equal((await server.check_pass(show, ann.pass)).status, 204);
    await pass_is_refused(forged, 'again');
  }
});

test('a known pass costs no signature check', async () => {
  // red when: each request checks the signature anew
  const checked = async () => Number((await server.call(server.operator, 'GET', '/metrics')).body.toString().match(/^onsale_passes_checked_total (\d+)$/m)[1]);
  await server.check_pass(show, ann.pass);
  const before_count = await checked();
  for (let i = 0; i < 20; i++) assert.equal((await server.check_pass(show, ann.pass)).status, 204);
  assert.equal(await checked(), before_count);
});

/* ---- keys ---- */

test('the keys are their owner\'s only', () => {
  // red when: they are written with the umask's mode
  const folder = join(server.data, 'keys');
  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o077, 0, name);
});

test('a rotation ends nobody\'s place or pass, and new ones are of the new key', async () => {
  // red when: SIGHUP does not read the keys again, or old ones are forgotten
  const before_kids = (await server.fan('GET', '/.well-known/jwks.json')).json.keys.map((key) => key.kid);
  const { code, stderr } = await run_onsale(['keys', 'rotate', '--keys', join(server.data, 'keys')]);
  assert.equal(code, 0, stderr);
  server.child.kill('SIGHUP');
  const kids = await until('the new key is published', async () => {
    const now = (await server.fan('GET', '/.well-known/jwks.json')).json.keys.map((key) => key.kid);
    return now.length > before_kids.length && now;
  });
  const [fresh] = kids.filter((kid) => !before_kids.includes(kid));
  assert.equal((await server.check_pass(show, ann.pass)).status, 204);
  assert.equal((await server.claim(show, ann.queue_ticket)).json.pass, ann.pass, 'claimed again it is the same pass');
  assert.equal((await server.claim(show, bob.queue_ticket)).json.code, 'not_your_turn');
  const cy = await server.place(show, 'cy');
  assert.equal(read_ticket(cy.queue_ticket).key_id, fresh);
  assert.equal((await server.leave_with_pass(show, ann.pass)).status, 204);
  const { json } = await server.turn(show, bob.queue_ticket);
  assert.equal(parts_of(json.pass)[0].kid, fresh);
  assert.equal((await server.reserve(show, ['A1'], 'bob', bearer(json.pass))).status, 201);
});

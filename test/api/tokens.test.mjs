/* Passes, the published keys and proofs of work, checked by somebody else's cryptography: Node's, on the texts that the C
 * tests hold the program to (test/unit/token_vectors.h). Whoever checks a pass elsewhere does what is done here. */
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const header = readFileSync(new URL('../unit/token_vectors.h', import.meta.url), 'utf8').replaceAll(/\\\n\s*/g, ' ');

/* A text of the C header, its pieces put together and its escapes taken out. */
function vector(name) {
  const line = header.match(new RegExp(`^#define ${name} +(.*)$`, 'm'))[1];
  const pieces = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((piece) => piece[1]).join('');
  const bytes = pieces.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (all, hex, character) => (hex ? String.fromCharCode(parseInt(hex, 16)) : character));
  return Buffer.from(bytes, 'latin1').toString();
}

const user = vector('VECTOR_USER');
const pass = vector('VECTOR_PASS');
const [head, claims, signature] = pass.split('.');
const json_of = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

test('a pass is signed by the published key that it names', () => {
  // red when: the signature is not Ed25519 over header and claims, or the JWK set is not what other libraries read
  const { keys } = JSON.parse(vector('VECTOR_JWKS'));
  const { alg, typ, kid } = json_of(head);
  assert.deepEqual([alg, typ], ['EdDSA', 'JWT']);
  const signs = (jwk, text, by = signature) => verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(by, 'base64url'));
  for (const jwk of keys) assert.equal(signs(jwk, `${head}.${claims}`), jwk.kid === kid);
  const jwk = keys.find((key) => key.kid === kid);
  assert.equal(signs(jwk, `${head}.${claims.replace(/^e/, 'f')}`), false);
  assert.equal(signs(jwk, `${head}.${claims}`, signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))), false);
});

test('a pass says whose it is, for which show, and how long', () => {
  // red when: a claim has another name or type than readers of JSON Web Tokens expect (RFC 7519)
  const { jti, ...rest } = json_of(claims);
  assert.deepEqual(rest, { iss: 'onsale', aud: '01020304-0506-0708-090a-0b0c0d0e0f10', sub: user, iat: 1796644078, exp: 1796644978 });
  assert.match(jti, /^00001267[0-9a-f]{24}$/);
  assert.equal(Buffer.from(claims, 'base64url').toString('base64url'), claims, 'without padding, and canonical');
});

test('a queue ticket has its place where the documents say', () => {
  // red when: a field of the ticket moves: the fan's page and onsale verify --queue would read another place
  const data = Buffer.from(vector('VECTOR_TICKET').slice(3), 'base64url');
  assert.equal(vector('VECTOR_TICKET').slice(0, 3), 'q1.');
  assert.equal(data.toString('hex', 0, 4), '02020202');
  assert.equal(data.toString('hex', 4, 20), '0102030405060708090a0b0c0d0e0f10');
  assert.equal(data.readUInt32BE(20), 4711);
  assert.equal(data.readUIntBE(24, 6), 1796644078120);
  assert.equal(data.toString('hex', 30, 38), '0102030405060708');
  assert.equal(data.toString('utf8', 38, data.length - 16), user);
});

test('a proof of work is what a browser computes', () => {
  // red when: the hash is of other bytes than those that a page is told to try
  const digest = createHash('sha256').update(`${vector('VECTOR_CHALLENGE')}.${user}.${vector('VECTOR_NONCE')}`).digest('hex');
  const zeros = [...digest].map((digit) => parseInt(digit, 16).toString(2).padStart(4, '0')).join('').indexOf('1');
  assert.equal(zeros, Number(header.match(/VECTOR_PROOF_BITS (\d+)/)[1]));
});

/* Makes from the built pages what the program is linked with: node web/embed.mjs DIST OUT
 *
 * Each file of DIST becomes a prepared answer (src/api/pages.h): its bytes as they are, and by gzip and brotli at their
 * best where that is shorter by a twentieth at least. OUT gets pages.bin, all bytes behind each other, and pages.S, which lays them out as blobs
 * (src/net/blob.h) and lists them by path; an assembler needs nothing else. The same DIST gives the same two files.
 *
 * What the server would have no address for, or its Content-Security-Policy would refuse, is refused here.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { demo_picture } from './demo_picture.mjs';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.jpg': 'image/jpeg',
  '.mp3': 'audio/mpeg',
};

const documents = ['/index.html', '/queue.html', '/record.html'];
/* The files beside them that have a route of their own (src/api/routes.def). */
const others = ['/favicon.svg', '/robots.txt'];

const [dist, out] = process.argv.slice(2);
if (!dist || !out) throw new Error('usage: node web/embed.mjs DIST OUT');

function files_under(folder, path = '') {
  return readdirSync(join(folder, path), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? files_under(folder, `${path}/${entry.name}`) : [`${path}/${entry.name}`]));
}

function check(path, content) {
  const refuse = (why) => { throw new Error(`${path}: ${why}`); };
  if (!types[extname(path)]) refuse('web/embed.mjs knows no type for it');
  if (documents.includes(path)) {
    const text = content.toString();
    if (/<script(?![^>]*\ssrc=)[^>]*>/i.test(text)) refuse('has an inline script');
    if (/<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:/i.test(text)) refuse('has an inline style or handler');
    for (const [, address] of text.matchAll(/\s(?:src|href)="([^"]*)"/g))
      if (/^([a-z][a-z0-9+.-]*:|[\\/]{2})/i.test(address)) refuse(`names "${address}", which is not on this site`);
    return;
  }
  if (!/^\/assets\/[A-Za-z0-9_.-]*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(path) && !others.includes(path)) refuse('the server has no address for it');
}

/* The forms of a file: [name of the coding, bytes], plain first. */
function forms_of(content) {
  const gzip = gzipSync(content, { level: 9, memLevel: 9 });
  gzip[9] = 0xff; // the operating system: unknown, wherever it was built
  const brotli = brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
  return [['', content], ['.gz', gzip], ['.br', brotli]].map(([coding, bytes], i) => (i === 0 || bytes.length < 0.95 * content.length ? [coding, bytes] : null));
}

const chunks = [];
const blobs = [];
const texts = [];
const rows = [];
let length = 0;
let plain_length = 0;
let brotli_length = 0;

function text(value) {
  if (!/^[ -[\]-~]*$/.test(value)) throw new Error(`${value}: cannot stand in an assembler's text`);
  texts.push(`text_${texts.length}:\n    .asciz "${value.replaceAll('"', '\\"')}"`);
  return `text_${texts.length - 1}`;
}

function add_blob(bytes) {
  const name = `blob_${blobs.length}`;
  // One reference, the program's own, so that it is never freed; no version; the length; the bytes.
  blobs.push(`    .balign 16\n${name}:\n    .long 1, 0\n    .quad ${bytes.length}\n    .incbin "pages.bin", ${length}, ${bytes.length}`);
  chunks.push(bytes);
  length += bytes.length;
  return name;
}

/* What the demo's show is given by `onsale serve --demo`; nobody can ask for it here. */
const demo = '/demo.jpg';

const found = [...files_under(dist), demo].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
for (const path of documents) if (!found.includes(path)) throw new Error(`${path}: is not in ${dist}`);
for (const path of found) {
  const content = path === demo ? demo_picture() : readFileSync(join(dist, path));
  if (path !== demo) check(path, content);
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 32);
  const forms = forms_of(content);
  plain_length += content.length;
  brotli_length += (forms[2] ?? forms[0])[1].length;
  const tags = forms.map((form) => (form ? text(`"${hash}${form[0]}"`) : '0'));
  const bodies = forms.map((form) => (form ? add_blob(form[1]) : '0'));
  rows.push(`    .quad ${[text(path), text(types[extname(path)]), ...tags, ...bodies].join(', ')}`);
}

const all = Buffer.concat(chunks);
const source = `/* Written by web/embed.mjs. Of ${createHash('sha256').update(all).digest('hex')} */
    .section .data.pages, "aw", @progbits
${blobs.join('\n')}
    .section .rodata.pages, "a", @progbits
${texts.join('\n')}
    .section .data.rel.ro.pages, "aw", @progbits
    .balign 8
    .global embedded_pages
embedded_pages:
${rows.join('\n')}
    .global embedded_pages_end
embedded_pages_end:
    .section .note.GNU-stack, "", @progbits
`;
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'pages.bin'), all);
writeFileSync(join(out, 'pages.S'), source);

console.error(`embedded ${found.length} files: ${plain_length} bytes, ${brotli_length} by brotli`);

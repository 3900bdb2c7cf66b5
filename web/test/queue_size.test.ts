// @vitest-environment node
/* What a million fans load: built as it is served, and weighed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, loadConfigFromFile, type Rollup } from 'vite';
import { beforeAll, expect, test } from 'vitest';

const root = join(__dirname, '..');
const MOST_BYTES = 5000; /* HTML, CSS and script, gzip */
const MOST_TEXT_BYTES = 1024; /* the texts, of which a fan loads one language's */

let output: Rollup.RollupOutput['output'];
const size = (content: string | Uint8Array) => gzipSync(content, { level: 9 }).length;
const content = (file: (typeof output)[number]) => (file.type === 'chunk' ? file.code : file.source);
const named = (pattern: RegExp) => output.filter((file) => pattern.test(file.fileName));

/* By the project's own configuration, but this document alone. */
beforeAll(async () => {
  const loaded = await loadConfigFromFile({ command: 'build', mode: 'production' }, join(root, 'vite.config.ts'), root);
  const config = loaded?.config ?? {};
  const input = { queue: join(root, 'queue.html') };
  const built = await build({ ...config, root, configFile: false, logLevel: 'silent', build: { ...config.build, write: false, rollupOptions: { ...config.build?.rollupOptions, input } } });
  output = (built as Rollup.RollupOutput).output;
}, 60_000);

test('the waiting room stays under 5 KB', () => {
  // red when: the page grows
  const parts = [...named(/^queue\.html$/), ...named(/queue-[^/]*\.css$/), ...named(/queue-[^/]*\.js$/)];
  expect(parts).toHaveLength(3);
  const sizes = Object.fromEntries(parts.map((part) => [part.fileName, size(content(part))]));
  const total = Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0);
  console.log(`the waiting room: ${total} bytes`, sizes);
  expect(total).toBeLessThan(MOST_BYTES);
});

test('a language of it stays under 1 KB', () => {
  // red when: texts grow, or more than one language is loaded
  const texts = named(/words\.\w+-[^/]*\.json$/);
  expect(texts).toHaveLength(2);
  for (const text of texts) expect(size(content(text))).toBeLessThan(MOST_TEXT_BYTES);
});

test('it shares no part with the shop', () => {
  // red when: it imports from beside src/queue/, or something else imports from there: Rollup would make a part of both
  const scripts = output.filter((file): file is Rollup.OutputChunk => file.type === 'chunk');
  expect(scripts).toHaveLength(1);
  expect([...(scripts[0]?.imports ?? []), ...(scripts[0]?.dynamicImports ?? [])]).toEqual([]);
  for (const id of scripts[0]?.moduleIds ?? []) expect(id).toMatch(/\/src\/queue\/|queue\.html|^\0vite\//);
  const source = join(root, 'src');
  for (const name of readdirSync(source, { recursive: true }) as string[])
    if (!name.startsWith('queue') && /\.tsx?$/.test(name) && statSync(join(source, name)).isFile()) expect(readFileSync(join(source, name), 'utf8'), name).not.toMatch(/from '.*\/queue\//);
});

test('the page names no other host and has nothing inline', () => {
  // red when: a part is fetched from elsewhere, or a style or script is written into the document, which its policy refuses
  const [page] = named(/^queue\.html$/);
  const html = page ? String(content(page)) : '';
  expect(html).not.toMatch(/<style|style=|\son\w+=|(src|href)="(?!\/|\.\/|record)/);
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
});

/* Unit tests run in a window without a browser: what draws, and what talks to a real server, is tested in test/browser. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  test: { environment: 'happy-dom', include: ['test/**/*.test.ts'], environmentOptions: { happyDOM: { url: 'http://shop.test/' } } },
});

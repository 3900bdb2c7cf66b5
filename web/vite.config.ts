/* The pages as the program embeds them: three documents, and parts named by their hash.
 *
 * queue.html is a program of its own, since a million people load it: it shares no part with the shop. Nothing is made
 * inline (a page's Content-Security-Policy allows no such thing), and nothing is fetched from anywhere else.
 *
 * `npm run dev` serves the sources; it asks a running onsale (ONSALE, http://127.0.0.1:8080) for the rest. */
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const documents = ['index', 'queue', 'record'];

/* The development server answers the addresses of the fan's pages as the program does. */
const addresses: Plugin = {
  name: 'addresses',
  configureServer(server) {
    server.middlewares.use((request, _answer, next) => {
      const path = (request.url ?? '/').split('?')[0] ?? '/';
      if (/^\/shows\/[^/]+\/queue$/.test(path)) request.url = '/queue.html';
      else if (/^\/shows\/[^/]+\/record$/.test(path)) request.url = '/record.html';
      else if (/^\/(shows|bookings|tickets)(\/|$)/.test(path)) request.url = '/index.html';
      next();
    });
  },
};

/* The documents without their indentation, which a million fans need not load. */
const unindented: Plugin = {
  name: 'unindented',
  apply: 'build',
  transformIndexHtml: { order: 'post', handler: (html) => html.replace(/\n\s+/g, '\n') },
};

const onsale = process.env.ONSALE ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [addresses, unindented],
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: ['es2020', 'safari14'],
    outDir: process.env.ONSALE_PAGES ?? '../build-web/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      input: Object.fromEntries(documents.map((name) => [name, fileURLToPath(new URL(`${name}.html`, import.meta.url))])),
    },
  },
  server: { proxy: { '/api': { target: onsale, ws: true }, '/media': onsale, '/.well-known': onsale } },
});

/* Which page is shown: the address decides, and going there is a link like any other.
 *
 * A click on a link within the app changes the page without loading a document; the waiting room and the record are
 * documents of their own, and are loaded. Back, forward, a new tab and a bookmark work since nothing but the address
 * says where one is. */
import { useEffect, useState } from 'preact/hooks';

const OTHER_DOCUMENTS = /^\/shows\/[^/]+\/(queue|record)$|^\/(api|media|assets)\//;
const MOVED = 'onsale-moved';

export function go(path: string, replace = false): void {
  if (OTHER_DOCUMENTS.test(path.split('?')[0] ?? path)) {
    if (replace) location.replace(path);
    else location.assign(path);
    return;
  }
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  window.dispatchEvent(new Event(MOVED));
  if (!replace) window.scrollTo(0, 0);
}

export function usePath(): string {
  const [path, set] = useState(location.pathname);
  useEffect(() => {
    const moved = () => set(location.pathname);
    const clicked = (event: MouseEvent) => {
      const link = (event.target as Element | null)?.closest?.('a');
      if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
      if (link.pathname === location.pathname && link.hash) return; /* within the page */
      event.preventDefault();
      go(link.pathname + link.search);
    };
    window.addEventListener('popstate', moved);
    window.addEventListener(MOVED, moved);
    document.addEventListener('click', clicked);
    return () => {
      window.removeEventListener('popstate', moved);
      window.removeEventListener(MOVED, moved);
      document.removeEventListener('click', clicked);
    };
  }, []);
  return path;
}

/* The parts of a path that a pattern's `:names` stand for, or null. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.replace(/(.)\/$/, '$1').split('/');
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (let i = 0; i < wanted.length; i++) {
    const part = wanted[i] ?? '';
    if (part.startsWith(':')) found[part.slice(1)] = given[i] ?? '';
    else if (part !== given[i]) return null;
  }
  return found;
}

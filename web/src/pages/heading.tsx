/* A page's heading: names the document, and takes the focus when one comes here from another page, so that a screen
 * reader says where one is and the next Tab begins at the top. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

let shown_path = location.pathname; /* the document was loaded with it: the browser has told */

/* `title` stands in the tab; `prefix` before it changes without the page being another one. */
export function Heading({ title, prefix, children, class: name }: { title: string; prefix?: string | undefined; children?: ComponentChildren; class?: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${prefix ? `${prefix} · ` : ''}${title} · onsale`;
  }, [title, prefix]);
  useEffect(() => {
    if (location.pathname === shown_path) return;
    shown_path = location.pathname;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <h1 ref={heading} tabIndex={-1} class={name}>
      {children ?? title}
    </h1>
  );
}

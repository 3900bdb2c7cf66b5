/* Whether the shop can be reached, as far as we know: what the browser says, and how the last calls went. */

const watchers = new Set<() => void>();
let failed = false;

function tell(): void {
  for (const watcher of [...watchers]) watcher();
}

window.addEventListener('online', () => {
  failed = false;
  tell();
});
window.addEventListener('offline', tell);

export function connection_lost(): boolean {
  return failed || !navigator.onLine;
}

/* How a call went. An answer of any kind is a connection. */
export function connection_told(reached: boolean): void {
  if (failed === !reached) return;
  failed = !reached;
  tell();
}

/* Calls whenever it may have changed; returns what ends it. */
export function connection_watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

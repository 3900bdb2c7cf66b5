/* What this device remembers, under the names and in the forms of base/device.ts, with which the shop finds place and
 * pass; a test holds the two together. Not that module itself: this page shares no part with the shop. */
const memory: Record<string, string> = {}; /* where storage is refused */

export function recall(name: string): any {
  try {
    return JSON.parse(memory[name] ?? localStorage[`onsale.${name}`]);
  } catch {
    return undefined;
  }
}

export function keep(name: string, value: unknown): void {
  const text = JSON.stringify(value);
  try {
    localStorage[`onsale.${name}`] = text;
  } catch {
    memory[name] = text;
  }
}

/* Who the fan is here: drawn at random, since nobody else may guess it. */
export function user(): string {
  let id = recall('user');
  if (!/^[!-~]{8,128}$/.test(id ?? '')) keep('user', (id = `fan-${crypto.getRandomValues(new Uint32Array(4)).join('')}`));
  return id;
}

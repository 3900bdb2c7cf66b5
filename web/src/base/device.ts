/* What this device remembers: who the fan is here, and per show their place, their pass and what they hold.
 *
 * In localStorage, so that all tabs share it and a reload, a crash or a dead battery loses nothing; where that is
 * refused (private windows of some browsers) it is kept in memory for this visit. A tab hears of what another one changes
 * (`device_watch`). Nothing here is trusted: what another program wrote there is read as nothing. */

const PREFIX = 'onsale.';
const memory = new Map<string, string>();
const watchers = new Set<() => void>();

function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function read(name: string): unknown {
  try {
    return JSON.parse(memory.get(name) ?? storage()?.getItem(PREFIX + name) ?? 'null');
  } catch {
    return null;
  }
}

function write(name: string, value: unknown): void {
  const text = JSON.stringify(value);
  try {
    const kept = storage();
    if (!kept) throw new Error('no storage');
    kept.setItem(PREFIX + name, text);
    memory.delete(name);
  } catch {
    memory.set(name, text);
  }
  for (const watcher of [...watchers]) watcher();
}

window.addEventListener('storage', (event) => {
  if (event.key === null || event.key.startsWith(PREFIX)) for (const watcher of [...watchers]) watcher();
});

/* Calls whenever something changed, here or in another tab; returns what ends it. */
export function device_watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

export interface HeldSeats {
  reservation_id: string;
  seat_ids: string[];
  amount: number;
  currency: string;
  deadline_ms: number; /* the server's time */
  attempts_left?: number; /* after a card was declined */
  confirm_key?: string; /* the Idempotency-Key of the payment under way, and with what it began */
  payment_token?: string;
  booking_id?: string; /* a payment that has not ended */
}

export interface ShowMemory {
  queue_ticket?: string;
  position?: number | null;
  joined_ms?: number;
  ahead_first?: number | null; /* so many were ahead when this place was given */
  pass?: string;
  pass_ends_ms?: number; /* the server's time */
  held?: HeldSeats;
  lost?: { seat_ids: string[] }; /* held before, and gone without the fan's doing: offered again */
  taking?: { key: string; wish: string }; /* asked for, and not answered yet: the Idempotency-Key, and the wish as JSON */
}

export interface BookingMemory {
  booking_id: string;
  show_id: string;
  event_name: string;
  booked_ms: number;
}

const ID = /^[\x21-\x7e]{8,128}$/;

/* Who the fan is on this device: drawn at random, since nobody else may guess it. */
export function device_user(): string {
  const kept = read('user');
  if (typeof kept === 'string' && ID.test(kept)) return kept;
  const made = `fan-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  write('user', made);
  return made;
}

export function device_show(show_id: string): ShowMemory {
  const kept = read(`show.${show_id}`);
  return typeof kept === 'object' && kept ? (kept as ShowMemory) : {};
}

/* Members that are undefined are forgotten. */
export function device_remember(show_id: string, changes: { [Member in keyof ShowMemory]?: ShowMemory[Member] | undefined }): void {
  write(`show.${show_id}`, { ...device_show(show_id), ...changes });
}

export function device_bookings(): BookingMemory[] {
  const kept = read('bookings');
  return Array.isArray(kept) ? kept.filter((entry) => typeof entry?.booking_id === 'string') : [];
}

export function device_add_booking(booking: BookingMemory): void {
  write('bookings', [booking, ...device_bookings().filter((other) => other.booking_id !== booking.booking_id)].slice(0, 100));
}

export function device_drop_booking(booking_id: string): void {
  write('bookings', device_bookings().filter((other) => other.booking_id !== booking_id));
}

export function device_setting(name: string): string | null {
  const kept = read(name);
  return typeof kept === 'string' ? kept : null;
}

export function device_set(name: string, value: string): void {
  write(name, value);
}

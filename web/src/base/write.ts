/* Money and times as the fan's language has them. */
import { locale } from './language';

/* A map writes the same few prices in every frame, and a format takes a quarter of a millisecond to make. */
const written = new Map<string, string>();

export function write_money(minor_units: number, currency: string): string {
  const key = locale + currency + minor_units;
  let text = written.get(key);
  if (!text) {
    const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
    const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
    const value = minor_units / 10 ** digits;
    /* Whole amounts without their zeros: prices of seats mostly are. */
    text = Number.isInteger(value) ? new Intl.NumberFormat(locale, { style: 'currency', currency, minimumFractionDigits: 0 }).format(value) : format.format(value);
    written.set(key, text);
  }
  return text;
}

export function write_date(time: string | number): string {
  return new Date(time).toLocaleString(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: 'numeric', minute: '2-digit' });
}

export function write_day(time: string | number): string {
  return new Date(time).toLocaleDateString(locale, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
}

export function write_time(time: string | number): string {
  return new Date(time).toLocaleTimeString(locale, { hour: 'numeric', minute: '2-digit' });
}

/* 9:05, of milliseconds; never below 0:00. */
export function write_countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/* 26:03:09, of milliseconds, for long waits: hours only where there are any. */
export function write_long_countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const rest = `${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/* "in 3 days", from one time to another. */
export function write_days_until(from_ms: number, to_ms: number): string {
  return new Intl.RelativeTimeFormat(locale, { numeric: 'always' }).format(Math.floor((to_ms - from_ms) / 86_400_000), 'day');
}

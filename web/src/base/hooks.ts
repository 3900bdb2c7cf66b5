/* What several pages need of the world around them, as hooks. */
import { useEffect, useState } from 'preact/hooks';
import { problem_from } from './api';
import { clock_now } from './clock';
import { connection_lost, connection_watch } from './connection';
import { device_watch } from './device';
import type { Problem } from './types';

/* What `read` finds in the device's memory, now and whenever it changes. A page that comes back from the browser's
 * back-forward cache has heard of nothing meanwhile, so it looks again. */
export function useDevice<T>(read: () => T, subject: string): T {
  const [, set] = useState(0);
  useEffect(() => {
    const changed = () => set((times) => times + 1);
    const end = device_watch(changed);
    window.addEventListener('pageshow', changed);
    return () => {
      end();
      window.removeEventListener('pageshow', changed);
    };
  }, [subject]);
  return read();
}

/* The server's time in steps; it stands still while nobody looks. */
export function useNow(step_ms = 1000): number {
  const [now, set] = useState(clock_now);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tick = () => {
      clearTimeout(timer);
      const time = clock_now();
      set(time);
      if (!document.hidden) timer = setTimeout(tick, step_ms - (time % step_ms) + 5);
    };
    tick();
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [step_ms]);
  return now;
}

export function useConnectionLost(): boolean {
  const [lost, set] = useState(connection_lost);
  useEffect(() => connection_watch(() => set(connection_lost())), []);
  return lost;
}

/* False at first, so that what is there in a moment shows nothing before. */
export function useLate(milliseconds = 300): boolean {
  const [late, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return late;
}

export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
  again: () => void;
}

/* Loads when `subject` changes, and again when asked to; what was loaded before stays meanwhile, also when it fails. */
export function useLoaded<T>(subject: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [times, set_times] = useState(0);
  const [loaded, set] = useState<{ subject: string; value: T | null; problem: Problem | null }>({ subject, value: null, problem: null });
  useEffect(() => {
    const ends = new AbortController();
    load(ends.signal).then(
      (value) => ends.signal.aborted || set({ subject, value, problem: null }),
      (error) => ends.signal.aborted || set((before) => ({ subject, value: before.subject === subject ? before.value : null, problem: problem_from(error) })),
    );
    return () => ends.abort();
  }, [subject, times]);
  const is_ours = loaded.subject === subject;
  return { value: is_ours ? loaded.value : null, problem: is_ours ? loaded.problem : null, again: () => set_times((count) => count + 1) };
}

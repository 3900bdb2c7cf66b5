/* Fingers, mouse and wheel on the map: drag, throw, pinch, tap, double tap, and zoom by the wheel.
 *
 * A tap is answered at once; a second one soon after, where the first met nothing, zooms in. */
import type { Camera } from './view';

const TAP_REACH = 9; /* CSS pixels: less is no drag */
const TAP_MS = 500;
const DOUBLE_MS = 320;

export interface Hand {
  /* True: something was there. */
  tap(x: number, y: number, by_finger: boolean): boolean;
  hover(x: number, y: number): void;
  leave(): void;
}

interface Pointer {
  x: number;
  y: number;
  from_x: number;
  from_y: number;
  since_ms: number;
}

export function gestures_attach(element: HTMLElement, camera: Camera, hand: Hand): () => void {
  const pointers = new Map<number, Pointer>();
  let dragged = false;
  let trail: { x: number; y: number; ms: number }[] = [];
  let last_tap = { x: 0, y: 0, ms: -Infinity };

  const place = (event: MouseEvent): [number, number] => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [one, other] = [...pointers.values()];
    return one && other ? { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) } : null;
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const [x, y] = place(event);
    element.setPointerCapture(event.pointerId);
    camera.halt();
    hand.leave();
    if (pointers.size === 0) dragged = false;
    else dragged = true;
    pointers.set(event.pointerId, { x, y, from_x: x, from_y: y, since_ms: event.timeStamp });
    trail = [];
  };

  const move = (event: PointerEvent) => {
    const [x, y] = place(event);
    const pointer = pointers.get(event.pointerId);
    if (!pointer) {
      if (event.pointerType === 'mouse') hand.hover(x, y);
      return;
    }
    if (pointers.size === 1) {
      if (!dragged && Math.hypot(x - pointer.from_x, y - pointer.from_y) > TAP_REACH) dragged = true;
      if (dragged) camera.pan(x - pointer.x, y - pointer.y);
      trail.push({ x, y, ms: event.timeStamp });
      if (trail.length > 8) trail.shift();
      [pointer.x, pointer.y] = [x, y];
      return;
    }
    const before = spread();
    [pointer.x, pointer.y] = [x, y];
    const after = spread();
    if (!before || !after || before.apart < 4) return;
    camera.pan(after.x - before.x, after.y - before.y);
    camera.zoom(after.x, after.y, after.apart / before.apart);
  };

  const up = (event: PointerEvent) => {
    const pointer = pointers.get(event.pointerId);
    if (!pointer) return;
    pointers.delete(event.pointerId);
    if (event.type === 'pointercancel' || pointers.size > 0) return;
    if (dragged) {
      const recent = trail.filter((step) => event.timeStamp - step.ms < 90);
      const [first, last] = [recent[0], recent[recent.length - 1]];
      if (first && last && last.ms > first.ms) camera.throw((last.x - first.x) / (last.ms - first.ms), (last.y - first.y) / (last.ms - first.ms));
      return;
    }
    if (event.timeStamp - pointer.since_ms > TAP_MS) return;
    const [x, y] = place(event);
    if (event.timeStamp - last_tap.ms < DOUBLE_MS && Math.hypot(x - last_tap.x, y - last_tap.y) < 30) {
      last_tap.ms = -Infinity;
      camera.zoom(x, y, 2.4, 320);
      return;
    }
    if (!hand.tap(x, y, event.pointerType !== 'mouse')) last_tap = { x, y, ms: event.timeStamp };
  };

  const wheel = (event: WheelEvent) => {
    const lines = event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 240 : 1;
    const amount = event.deltaY * lines;
    /* The whole venue is seen already: the page scrolls. */
    if (amount > 0 && camera.is_whole && !event.ctrlKey) return;
    event.preventDefault();
    const [x, y] = place(event);
    const factor = Math.exp(-Math.max(-240, Math.min(240, amount)) * (event.ctrlKey ? 0.01 : 0.0026));
    camera.zoom(x, y, factor, Math.abs(amount) >= 60 && !event.ctrlKey ? 180 : 0);
  };

  const leave = () => hand.leave();

  element.addEventListener('pointerdown', down);
  element.addEventListener('pointermove', move);
  element.addEventListener('pointerup', up);
  element.addEventListener('pointercancel', up);
  element.addEventListener('pointerleave', leave);
  element.addEventListener('wheel', wheel, { passive: false });
  return () => {
    element.removeEventListener('pointerdown', down);
    element.removeEventListener('pointermove', move);
    element.removeEventListener('pointerup', up);
    element.removeEventListener('pointercancel', up);
    element.removeEventListener('pointerleave', leave);
    element.removeEventListener('wheel', wheel);
  };
}

/* The camera: where the window on the plan is, and how it moves there. It asks for frames only while it moves. */
import { fit, keep_within, to_plan, zoom_at, type Box, type View } from './geometry';

const FRICTION_MS = 260; /* a thrown map has lost two thirds of its speed after this */
const LARGEST_SEAT = 44; /* CSS pixels from seat to seat, zoomed in all the way */
export const PADDING = 20;

const ease = (share: number) => 1 - (1 - share) ** 3;

/* Between two windows: the scale by its logarithm, and the place so that one point of the screen stands still. */
export function between(from: View, to: View, share: number): View {
  const scale = from.scale * (to.scale / from.scale) ** share;
  const ratio = from.scale / to.scale;
  const moved = Math.abs(1 - ratio) < 1e-6 ? share : (1 - from.scale / scale) / (1 - ratio);
  return { ...to, scale, x: from.x + (to.x - from.x) * moved, y: from.y + (to.y - from.y) * moved };
}

export class Camera {
  view: View = { x: 0, y: 0, scale: 1, width: 0, height: 0 };
  least_scale = 0.01;
  most_scale = 100;
  calm = false; /* no motion but what the hand makes */

  private glide: { from: View; to: View; begun_ms: number; takes_ms: number } | null = null;
  private speed: { x: number; y: number; at_ms: number } | null = null;

  constructor(
    readonly box: Box,
    private readonly pitch: () => number,
    private readonly moved: () => void,
  ) {}

  whole(): View {
    return fit(this.box, this.view.width, this.view.height, PADDING);
  }

  get is_whole(): boolean {
    return this.view.scale <= this.least_scale * 1.02;
  }

  resize(width: number, height: number): void {
    const first = this.view.width === 0;
    const was_whole = first || this.is_whole;
    this.view = { ...this.view, width, height };
    this.least_scale = this.whole().scale;
    this.most_scale = Math.max(this.least_scale * 2, LARGEST_SEAT / this.pitch());
    this.glide = null;
    this.put(was_whole ? this.whole() : this.view);
    this.moved();
  }

  put(view: View): void {
    const kept = keep_within(view, this.box, this.least_scale, this.most_scale);
    const { x, y, scale, width, height } = this.view;
    if (kept.x === x && kept.y === y && kept.scale === scale && kept.width === width && kept.height === height) return;
    this.view = kept;
    this.moved();
  }

  /* The hand is on it: what was under way stops. */
  halt(): void {
    this.glide = this.speed = null;
  }

  pan(across: number, down: number): void {
    this.put({ ...this.view, x: this.view.x - across / this.view.scale, y: this.view.y - down / this.view.scale });
  }

  zoom(x: number, y: number, factor: number, takes_ms = 0): void {
    const from = takes_ms > 0 && this.glide ? this.glide.to : this.view;
    const scale = Math.min(Math.max(from.scale * factor, this.least_scale), this.most_scale);
    if (takes_ms > 0) {
      /* Keeps the point under the pointer in the end, too, when several turns of a wheel add up. */
      const [plan_x, plan_y] = to_plan(this.view, x, y);
      const to = { ...from, scale, x: plan_x - (x - from.width / 2) / scale, y: plan_y - (y - from.height / 2) / scale };
      this.glide_to(to, takes_ms);
    } else this.put(zoom_at(from, x, y, scale));
  }

  glide_to(to: View, takes_ms = 420): void {
    this.speed = null;
    const kept = keep_within(to, this.box, this.least_scale, this.most_scale);
    if (this.calm || takes_ms <= 0) {
      this.glide = null;
      this.put(kept);
      return;
    }
    this.glide = { from: this.view, to: kept, begun_ms: performance.now(), takes_ms };
    this.moved();
  }

  /* Pixels a millisecond. */
  throw(x: number, y: number): void {
    if (this.calm || Math.hypot(x, y) < 0.08) return;
    this.speed = { x, y, at_ms: performance.now() };
    this.moved();
  }

  glide_to_box(box: Box, padding = 28, least_scale = 0): void {
    const to = fit(box, this.view.width, this.view.height, padding);
    this.glide_to({ ...to, scale: Math.max(to.scale, least_scale) });
  }

  /* To be called once a frame; true while there is motion. */
  step(now_ms: number): boolean {
    if (this.glide) {
      const { from, to, begun_ms, takes_ms } = this.glide;
      const share = Math.min(1, Math.max(0, (now_ms - begun_ms) / takes_ms));
      this.view = share >= 1 ? { ...to } : between(from, to, ease(share));
      if (share >= 1) this.glide = null;
      return true;
    }
    if (this.speed) {
      const passed = Math.max(0, now_ms - this.speed.at_ms);
      const loss = Math.exp(-passed / FRICTION_MS);
      const path = FRICTION_MS * (1 - loss);
      const { x, y } = this.speed;
      this.view = keep_within(
        { ...this.view, x: this.view.x - (x * path) / this.view.scale, y: this.view.y - (y * path) / this.view.scale },
        this.box,
        this.least_scale,
        this.most_scale,
      );
      this.speed = Math.hypot(x, y) * loss < 0.02 ? null : { x: x * loss, y: y * loss, at_ms: Math.max(now_ms, this.speed.at_ms) };
      return true;
    }
    return false;
  }
}

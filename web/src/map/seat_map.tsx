/* The map as an element: the canvas, who touches it, and the frames, drawn only when something is different.
 *
 * Keyboard: one thing has the focus (a section, an area, a seat); arrows go to the next one in that direction and the map
 * follows; Enter opens or chooses it; + and - zoom, 0 shows everything. What has the focus is said in a live region. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { say } from '../strings/strings';
import { theme_read } from './colours';
import { Painter, shows_seats, type Marks, type Thing } from './draw';
import { AVAILABLE, type Changed } from './frames';
import { inside, meets, next_towards, to_plan, to_screen, visible_box } from './geometry';
import { gestures_attach } from './gestures';
import type { Plan, Section } from './plan';
import { Sign } from './sign';
import { Camera } from './view';

const SEATS_ASKED_FROM = 3; /* CSS pixels from seat to seat: soon to be seen */
const FINGER_FROM = 17; /* seats nearer to each other than this are not tapped but zoomed to */
const MOUSE_FROM = 8;
const EASY_SEAT = 30;
const LARGEST_RATIO = 2;

/* What the page may ask of the map. */
export interface MapHandle {
  changed(changes: Changed): void;
  refresh(): void;
  show_seats(seats: readonly number[]): void;
}

interface Props {
  plan: Plan;
  marks: Omit<Marks, 'focus' | 'hover' | 'stage'>;
  statuses_known: boolean;
  handle: { current: MapHandle | null };
  describe: (thing: Thing) => string;
  on_seat: (index: number) => void;
  on_area: (index: number) => void;
}

/* The seat at a point of the screen, no farther from it than a finger is wide. */
function seat_at(plan: Plan, camera: Camera, x: number, y: number, by_finger: boolean): { index: number; section: Section } | null {
  const [plan_x, plan_y] = to_plan(camera.view, x, y);
  let found: { index: number; section: Section } | null = null;
  let least = Infinity;
  for (const section of plan.sections) {
    const seats = section.seats_known;
    if (!seats || !shows_seats(section, camera.view)) continue;
    const reach = Math.max(section.pitch * 0.55, Math.min((by_finger ? 20 : 6) / camera.view.scale, section.pitch * 0.9));
    const at = seats.grid.nearest(plan_x, plan_y, reach);
    if (at < 0) continue;
    const distance = Math.hypot(seats.xs[at]! - plan_x, seats.ys[at]! - plan_y);
    if (distance < least) [found, least] = [{ index: section.first + at, section }, distance];
  }
  return found;
}

function place_of(plan: Plan, thing: Thing): [number, number] | null {
  if (thing.kind === 'section') {
    const label = plan.sections[thing.index]?.label;
    return label ? [label.x, label.y] : null;
  }
  if (thing.kind === 'area') {
    const label = plan.areas[thing.index]?.label;
    return label ? [label.x, label.y] : null;
  }
  const section = plan.home(thing.index).section;
  const seats = section?.seats_known;
  return section && seats ? [seats.xs[thing.index - section.first]!, seats.ys[thing.index - section.first]!] : null;
}

/* Seats where they are seen, else sections and areas. */
function nearest_thing(plan: Plan, camera: Camera): Thing | null {
  const { view } = camera;
  let best: Thing | null = null;
  let least = Infinity;
  const seen = visible_box(view);
  for (const section of plan.sections) {
    const seats = section.seats_known;
    if (!seats || !shows_seats(section, view) || !meets(section.box, seen)) continue;
    seats.grid.each(seen, (at) => {
      if (plan.statuses[section.first + at] !== AVAILABLE) return;
      const distance = Math.hypot(seats.xs[at]! - view.x, seats.ys[at]! - view.y);
      if (distance < least) [best, least] = [{ kind: 'seat', index: section.first + at }, distance];
    });
  }
  if (best) return best;
  for (const [kind, list] of [
    ['section', plan.sections],
    ['area', plan.areas],
  ] as const)
    for (const place of list) {
      if (!place.label) continue;
      const distance = Math.hypot(place.label.x - view.x, place.label.y - view.y);
      if (distance < least) [best, least] = [{ kind, index: place.index }, distance];
    }
  return best;
}

function next_seat(section: Section, plan: Plan, x: number, y: number, dx: number, dy: number): number {
  const seats = section.seats_known;
  const next = seats ? next_towards(x, y, dx, dy, seats.xs, seats.ys, (i) => plan.statuses[section.first + i] === AVAILABLE) : -1;
  return next < 0 ? -1 : section.first + next;
}

function next_thing(plan: Plan, { view }: Camera, from: Thing, dx: number, dy: number): Thing | null {
  const at = place_of(plan, from);
  if (!at) return null;
  if (from.kind === 'seat') {
    const home = plan.home(from.index).section;
    const near = home ? next_seat(home, plan, ...at, dx, dy) : -1;
    if (near >= 0) return { kind: 'seat', index: near };
    /* At the rim of its section: into another one whose seats are seen. */
    const seen = visible_box(view);
    const rims = plan.sections
      .filter((section) => section !== home && shows_seats(section, view) && meets(section.box, seen))
      .map((section) => next_seat(section, plan, ...at, dx, dy))
      .filter((index) => index >= 0);
    const places = rims.map((index) => place_of(plan, { kind: 'seat', index })!);
    const next = next_towards(
      ...at,
      dx,
      dy,
      places.map(([x]) => x),
      places.map(([, y]) => y),
    );
    return next < 0 ? null : { kind: 'seat', index: rims[next]! };
  }
  const places = [...plan.sections.map((place) => ({ kind: 'section' as const, place })), ...plan.areas.map((place) => ({ kind: 'area' as const, place }))].filter(({ place }) => place.label);
  const next = next_towards(
    at[0],
    at[1],
    dx,
    dy,
    places.map(({ place }) => place.label!.x),
    places.map(({ place }) => place.label!.y),
  );
  return next < 0 ? null : { kind: places[next]!.kind, index: places[next]!.place.index };
}

const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function SeatMap(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const parts = useRef<{ camera: Camera; painter: Painter; redraw: () => void; focus: (thing: Thing | null) => void; zoom_to_section: (index: number) => void } | null>(null);
  const [where, set_where] = useState(''); /* the section in the middle */
  const [whole, set_whole] = useState(true);
  const [seats_seen, set_seats_seen] = useState(false);
  const [spoken, set_spoken] = useState('');

  useEffect(() => {
    const { plan } = props;
    const element = box.current!;
    const context = canvas.current!.getContext('2d', { alpha: false })!;
    const painter = new Painter(plan, theme_read());
    painter.marks.stage = say('map_stage');
    let scheduled = 0;
    let ratio = 1;
    let asked_ms = -Infinity;
    let drawn = false;
    let touched: { x: number; y: number; ms: number } | null = null; /* on the plan: stays in sight when the basket opens */
    const smallest_pitch = () => Math.min(...plan.sections.map((section) => section.pitch), (plan.box[2] - plan.box[0]) / 4);
    const redraw = () => {
      if (!scheduled) scheduled = requestAnimationFrame(frame);
    };
    const camera = new Camera(plan.box, smallest_pitch, redraw);

    const frame = (now_ms: number) => {
      scheduled = 0;
      if (camera.view.width === 0) return;
      const moving = camera.step(now_ms);
      const more = painter.frame(context, camera.view, ratio, now_ms);
      if (!drawn) performance.mark('map-frame'); /* the first one: for whoever measures */
      drawn = true;
      if (now_ms - asked_ms > 120) {
        asked_ms = now_ms;
        look();
      } else if (!moving && !more) setTimeout(look, 130);
      if (moving || more) redraw();
    };

    /* What is seen is fetched, and told. */
    const look = () => {
      const { view } = camera;
      const seen = visible_box(view);
      let middle = '';
      let seats = false;
      for (const section of plan.sections) {
        if (!meets(section.box, seen)) continue;
        if (!section.seats_known && section.pitch * view.scale >= SEATS_ASKED_FROM) plan.seats(section.index).catch(() => undefined);
        if (section.seats_known && shows_seats(section, view)) seats = true;
        if (!camera.is_whole && shows_seats(section, view) && inside(section.outline, view.x, view.y)) middle = section.name;
      }
      if (middle !== painter.middle) {
        painter.middle = middle;
        redraw();
      }
      set_where(middle);
      set_whole(camera.is_whole);
      set_seats_seen(seats);
    };

    const resized = new ResizeObserver(() => {
      const { width, height } = element.getBoundingClientRect();
      ratio = Math.min(LARGEST_RATIO, window.devicePixelRatio || 1);
      if (width < 1 || height < 1) return;
      canvas.current!.width = Math.round(width * ratio);
      canvas.current!.height = Math.round(height * ratio);
      painter.repaint();
      camera.resize(width, height);
      if (!touched || performance.now() - touched.ms > 1500 || camera.is_whole) return;
      const [x, y] = to_screen(camera.view, touched.x, touched.y);
      const rim = 40;
      const [across, down] = [Math.min(0, x - rim) + Math.max(0, x - width + rim), Math.min(0, y - rim) + Math.max(0, y - height + rim)];
      if (across || down) camera.glide_to({ ...camera.view, x: camera.view.x + across / camera.view.scale, y: camera.view.y + down / camera.view.scale }, 260);
    });
    resized.observe(element);

    const zoom_to_section = (index: number) => {
      const section = plan.sections[index];
      if (!section) return;
      plan.seats(index).catch(() => undefined);
      camera.glide_to_box(section.box, 36, 6 / section.pitch);
    };
    const focus = (thing: Thing | null) => {
      painter.marks.focus = thing;
      set_spoken(thing ? latest.current.describe(thing) : '');
      redraw();
    };
    const hover = (index: number, x: number, y: number) => {
      const element = tip.current!;
      if (index !== painter.marks.hover) {
        painter.marks.hover = index;
        element.textContent = index < 0 ? '' : latest.current.describe({ kind: 'seat', index });
        redraw();
      }
      element.hidden = index < 0;
      box.current!.style.setProperty('cursor', index < 0 ? '' : 'pointer');
      if (index < 0) return;
      const side = Math.min(Math.max(x, 90), camera.view.width - 90);
      element.style.setProperty('transform', `translate(${Math.round(side)}px, ${Math.round(y)}px) translate(-50%, ${y < 60 ? '24px' : 'calc(-100% - 16px)'})`);
    };
    const detach = gestures_attach(element, camera, {
      tap(x, y, by_finger) {
        focus(null);
        const seat = seat_at(plan, camera, x, y, by_finger);
        if (seat) {
          const size = seat.section.pitch * camera.view.scale;
          if (size >= (by_finger ? FINGER_FROM : MOUSE_FROM)) {
            const [seat_x, seat_y] = place_of(plan, { kind: 'seat', index: seat.index })!;
            touched = { x: seat_x, y: seat_y, ms: performance.now() };
            latest.current.on_seat(seat.index);
          } else camera.zoom(x, y, EASY_SEAT / size, 360);
          return true;
        }
        const [plan_x, plan_y] = to_plan(camera.view, x, y);
        const section = plan.sections.find((section) => inside(section.outline, plan_x, plan_y));
        if (section) {
          if (shows_seats(section, camera.view)) return false;
          zoom_to_section(section.index);
          return true;
        }
        const area = plan.areas.find((area) => area.outline && inside(area.outline, plan_x, plan_y));
        if (area) latest.current.on_area(area.index);
        return area !== undefined;
      },
      hover(x, y) {
        const seat = seat_at(plan, camera, x, y, false);
        hover(seat && seat.section.pitch * camera.view.scale >= MOUSE_FROM ? seat.index : -1, x, y);
      },
      leave: () => hover(-1, 0, 0),
    });

    const restyled = () => {
      const theme = theme_read();
      camera.calm = theme.calm;
      painter.theme_set(theme);
      redraw();
    };
    camera.calm = theme_read().calm;
    const queries = ['(prefers-color-scheme: dark)', '(prefers-reduced-motion: reduce)'].map((query) => matchMedia(query));
    for (const query of queries) query.addEventListener('change', restyled);
    const accents = new MutationObserver(restyled);
    accents.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
    document.fonts?.ready.then(restyled, () => undefined);
    const unwatch = plan.watch((section) => {
      camera.most_scale = Math.max(camera.most_scale, 44 / section.pitch);
      painter.repaint_box([section.box[0] - 2, section.box[1] - 2, section.box[2] + 2, section.box[3] + 2]);
      redraw();
    });
    parts.current = { camera, painter, redraw, focus, zoom_to_section };
    props.handle.current = {
      changed(changes) {
        painter.changed(changes, performance.now());
        redraw();
      },
      refresh() {
        painter.repaint();
        redraw();
      },
      show_seats(seats) {
        const places = seats.flatMap((index) => {
          const at = place_of(plan, { kind: 'seat', index });
          return at ? [at] : [];
        });
        const pitch = plan.home(seats[0] ?? 0).section?.pitch;
        if (places.length === 0 || !pitch) return;
        const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
        const [x, y] = [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2];
        camera.glide_to({ ...camera.view, x, y, scale: Math.max(camera.view.scale, Math.min(EASY_SEAT / pitch, (camera.view.width - 60) / Math.max(1e-3, Math.max(...xs) - Math.min(...xs)))) });
      },
    };
    return () => {
      cancelAnimationFrame(scheduled);
      resized.disconnect();
      accents.disconnect();
      for (const query of queries) query.removeEventListener('change', restyled);
      detach();
      unwatch();
      props.handle.current = null;
      parts.current = null;
    };
  }, [props.plan]);

  useEffect(() => {
    const { painter, redraw } = parts.current ?? {};
    if (!painter || !redraw) return;
    const { focus, hover, stage, only } = painter.marks;
    const other_prices = only !== props.marks.only;
    painter.marks = { ...props.marks, focus, hover, stage };
    painter.statuses_known = props.statuses_known;
    if (other_prices) painter.repaint();
    redraw();
  }, [props.marks, props.statuses_known]);

  const key = (event: KeyboardEvent) => {
    const { camera, painter, focus, zoom_to_section } = parts.current ?? {};
    if (!camera || !painter || !focus || !zoom_to_section || event.ctrlKey || event.metaKey || event.altKey) return;
    const { plan } = props;
    const middle: [number, number] = [camera.view.width / 2, camera.view.height / 2];
    const arrow = arrows[event.key];
    const current = painter.marks.focus;
    /* Seats that are too small to be seen any more have no focus. */
    const follow = () => setTimeout(() => focus(nearest_thing(plan, camera)), 360);
    if (arrow) {
      const next = current ? next_thing(plan, camera, current, ...arrow) : nearest_thing(plan, camera);
      if (next) {
        const at = place_of(plan, next);
        const [x, y] = at ? to_screen(camera.view, ...at) : middle;
        focus(next);
        const near = Math.min(camera.view.width, camera.view.height) * 0.18;
        if (at && !camera.is_whole && (x < near || y < near || x > camera.view.width - near || y > camera.view.height - near)) camera.glide_to({ ...camera.view, x: at[0], y: at[1] }, 220);
      } else if (!camera.is_whole) {
        camera.glide_to({ ...camera.view, x: camera.view.x + (arrow[0] * 140) / camera.view.scale, y: camera.view.y + (arrow[1] * 140) / camera.view.scale }, 220);
        follow();
      }
    } else if (event.key === '+' || event.key === '=' || event.key === '-') {
      const at = current && place_of(plan, current);
      const [x, y] = at ? to_screen(camera.view, ...at) : middle;
      camera.zoom(x, y, event.key === '-' ? 1 / 1.8 : 1.8, 240);
      follow();
    } else if (event.key === '0' || event.key === 'Home' || (event.key === 'Escape' && !camera.is_whole)) {
      camera.glide_to(camera.whole());
      setTimeout(() => focus(nearest_thing(plan, camera)), 480);
    } else if (event.key === 'Enter' || event.key === ' ') {
      if (current?.kind === 'seat') {
        props.on_seat(current.index);
        setTimeout(() => set_spoken(latest.current.describe(current)), 60);
      } else if (current?.kind === 'section') {
        zoom_to_section(current.index);
        void plan.seats(current.index).then(
          () => setTimeout(() => focus(nearest_thing(plan, camera)), 480),
          () => undefined,
        );
      } else if (current?.kind === 'area') props.on_area(current.index);
      else focus(nearest_thing(plan, camera));
    } else return;
    event.preventDefault();
  };

  const middle_zoom = (factor: number) => {
    const camera = parts.current?.camera;
    if (camera) camera.zoom(camera.view.width / 2, camera.view.height / 2, factor, 260);
  };

  return (
    <div class="map">
      <div
        class="map-window"
        ref={box}
        tabIndex={0}
        role="application"
        aria-label={say('map_label')}
        aria-describedby="map-help"
        onKeyDown={key}
        onFocus={() => box.current?.matches(':focus-visible') && parts.current && parts.current.focus(parts.current.painter.marks.focus ?? nearest_thing(props.plan, parts.current.camera))}
        onBlur={() => parts.current?.focus(null)}
      >
        <canvas ref={canvas} aria-hidden="true" />
        <div class="map-tip" ref={tip} aria-hidden="true" hidden />
      </div>
      <p class="visually-hidden" id="map-help">
        {say('map_help')}
      </p>
      <p class="visually-hidden" aria-live="polite">
        {spoken}
      </p>
      {where && (
        <p class="map-where" aria-hidden="true">
          {say('seats_section', { name: where })}
        </p>
      )}
      {seats_seen && (
        <p class="map-key" aria-hidden="true">
          <span class="key key-held" /> {say('seats_key_held')} <span class="key key-gone" /> {say('seats_key_gone')}
        </p>
      )}
      <div class="map-buttons">
        <button type="button" class="map-button" aria-label={say('map_zoom_in')} onClick={() => middle_zoom(2)}>
          <Sign d="M5 12h14M12 5v14" />
        </button>
        <button type="button" class="map-button" aria-label={say('map_zoom_out')} aria-disabled={whole} onClick={() => middle_zoom(0.5)}>
          <Sign d="M5 12h14" />
        </button>
        {!whole && (
          <button type="button" class="map-button" aria-label={say('map_whole')} onClick={() => parts.current?.camera.glide_to(parts.current.camera.whole())}>
            <Sign d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5" />
          </button>
        )}
      </div>
    </div>
  );
}

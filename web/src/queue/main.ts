/* The waiting room: a page of its own that a million fans load at once, so it is small and shares nothing with the shop
 * but what this device remembers (memory.ts) and the look (queue.css).
 *
 * Happy path: step() asks for the status that all get → joins once and remembers the place → works out what lies ahead
 * → waits as long as the server says, or listens at queue/live near the front → claims the turn → the pass is
 * remembered, and the seats are shown. draw() writes what is known, once a second. All texts are one file a language,
 * by the status's name or the stage's.
 *
 * What can go wrong: no connection, a busy server (tried again, the place stays); sleep (asked at once on waking); a
 * turn missed, a place given up in another tab (one tap joins again); a queue ticket that the server does not know
 * (joins again, and gets the same place if there is one). */
import { chance, countdown, minutes, opening_ms, type Outlook, poll_ms, seats_a_fan, see, share_done, type Status } from './estimate';
import { keep, recall, user } from './memory';
import proof_worker from './proof_worker?worker&url';
import alarm from './alarm?worker&url';
import german from './words.de.json?url';
import english from './words.en.json?url';
import type words_of from './words.en.json';

const NEAR = 2000; /* ahead: the status is pushed from here on */
const GIVE_UP_MS = 15_000; /* of a call */
const SHOW_SEATS_MS = 1500; /* "Your turn!" is seen before the page changes */

interface Show {
  event_name: string;
  accent_color: string | null;
  waiting_room: { enabled: boolean; pre_queue_seconds: number; pre_queue_order: 'arrival' | 'shuffle' };
}

/* As base/device.ts has it, as far as this page is concerned. */
interface Place {
  queue_ticket?: string;
  position?: number | null;
  ahead_first?: number | null;
  pass?: string;
  pass_ends_ms?: number;
}

const shop = location.pathname.replace(/\/queue.*/, '');
const memory = `show.${shop.split('/')[2]}`;
const language = /^de/.test(recall('language') ?? navigator.language) ? 'de' : 'en';
const draw_once = Math.random(); /* this page's part in spreading a crowd */
const outlook: Outlook = { rate: 0, at_ms: 0, serving: 0 };
const element = (id: string) => document.getElementById(id) as HTMLElement;
const number = (value: number) => value.toLocaleString(language);

let words: typeof words_of;
/* Where this page stands; '': as the status says. */
let stage: '' | 'join' | 'proof' | 'door' | 'turn' | 'missed' | 'left' = 'join';
let show: Show | undefined;
let status: Status | undefined;
let place: Place = {};
let is_cut_off = false;
let failures = 0;
let runs = 0; /* the last one counts */
let behind_ms = 0; /* this device's clock, to the server's */
let wake: (value?: unknown) => void = () => {};
let is_pushed = false; /* the status came by itself, and has not been looked at */
let socket: WebSocket | null = null;
let bar = 0;

const time = () => Date.now() + behind_ms;
const is_over = () => /turn|missed|left/.test(stage);
const opens_ms = () => Date.parse(status?.opens_at!);
const gathers_ms = () => opens_ms() - (show?.waiting_room.pre_queue_seconds ?? 0) * 1000;
const ahead_now = () => (status && place.position ? Math.max(place.position - status.serving - 1, 0) : null);

/* ---- calls ---- */

/* The answer's members with `http` and `retry_ms`. A busy server is thrown, as a lost connection is. */
async function ask(path: string, body?: object): Promise<any> {
  const answer = await fetch(`/api/v1${shop}${path}`, {
    signal: AbortSignal.timeout?.(GIVE_UP_MS), /* where it is known */
    ...(body && { method: 'POST', body: new Blob([JSON.stringify(body)], { type: 'application/json' }) }),
  });
  const { headers, status: http } = answer;
  const off_ms = Date.parse(headers.get('Date')!) + 500 - time();
  if (Math.abs(off_ms) > 1500 && !headers.get('Age')) behind_ms += off_ms; /* the header has whole seconds */
  const result = { ...(await answer.json().catch(() => 0)), http, retry_ms: (+headers.get('Retry-After')! || 2) * 1000 };
  if (http > 428) throw result;
  return result;
}

async function join(): Promise<void> {
  let answer = await ask('/queue', { user_id: user() });
  if (answer.bits) {
    stage = 'proof';
    draw();
    const worker = new Worker(proof_worker, { type: 'module' });
    answer = await new Promise((done) => {
      worker.onmessage = worker.onerror = (event: any) => done(event.data ?? {});
      worker.postMessage([answer, `/api/v1${shop}/queue`, user()]);
    });
  }
  const { queue_ticket, position, ahead } = answer;
  stage = queue_ticket ? '' : 'join';
  if (queue_ticket)
    remember({ queue_ticket, position, ahead_first: (position === place.position && place.ahead_first) || ahead, pass: undefined });
}

async function claim(): Promise<number> {
  const answer = await ask('/queue/claim', { queue_ticket: place.queue_ticket });
  const { pass } = answer;
  stage = answer.code === 'at_the_door' ? 'door' : '';
  if (pass) remember({ pass, pass_ends_ms: time() + answer.expires_in_seconds * 1000 });
  else if (answer.http === 410) leave('missed');
  else if (answer.http < 404) await join(); /* not a ticket of this queue */
  return answer.retry_ms;
}

function remember(changes: Place): void {
  keep(memory, { ...recall(memory), ...changes });
  look_up();
}

function leave(to: typeof stage): void {
  stage = to;
  bar = 0;
  remember({ queue_ticket: undefined, position: undefined, ahead_first: undefined, pass: undefined });
}

/* What this tab or another has come to know. */
function look_up(): void {
  const was_in = place.queue_ticket;
  place = recall(memory) ?? {};
  if (was_in && !place.queue_ticket && !is_over()) stage = 'left';
  if (show && place.pass && place.pass_ends_ms! > time() && !is_over()) turn();
  draw();
}

/* ---- the way to the front ---- */

/* Until a moment that all know, or as long as the server says, whichever comes first. The status may be a second old, so
 * just behind that moment it is asked for again soon. */
function until(moment_ms: number, spread_ms: number, most_ms: number): number {
  const left_ms = moment_ms - time();
  return left_ms > -10_000 ? Math.min(Math.max(left_ms + spread_ms, 0) + 1500, most_ms) : most_ms;
}

/* Near the front what changes is told at once. */
function listen(): void {
  socket ??= new WebSocket(`${location.origin.replace('http', 'ws')}/api/v1${shop}/queue/live`);
  socket.onmessage = (event) => {
    status = JSON.parse(event.data);
    is_pushed = true;
    wake();
  };
  socket.onclose = () => (socket = null);
}

/* Gives how long to wait until the page has changed. */
function seats(): number {
  location.replace(`${shop}/seats`);
  return GIVE_UP_MS;
}

/* One look at how things stand; gives how long to wait before the next. */
async function step(): Promise<number> {
  if (!show) {
    const found = await ask('');
    if (found.http > 299) location.replace(shop); /* which says that there is none */
    document.body.style.setProperty('--accent', found.accent_color ?? '#3d2fd0');
    if (!found.waiting_room.enabled) return seats();
    if (place.pass) {
      if ((await fetch(`/api/v1${shop}/queue/check`, { headers: { Authorization: `Bearer ${place.pass}` } })).ok) return seats();
      place = {}; /* with the pass the place has ended */
      leave('join');
    }
    show = found as Show;
  }
  if (!is_pushed) {
    const found = await ask('/queue');
    if (found.http === 404) return seats(); /* its waiting room was switched off */
    status = found as Status;
  }
  is_pushed = false;
  const now = status as Status;
  const is_before = now.status === 'PRE_QUEUE';
  see(outlook, now, Date.now());
  if (stage === 'join' && (place.queue_ticket || /SCH|CLO/.test(now.status))) stage = '';
  if (now.status === 'SCHEDULED') return until(gathers_ms(), draw_once * 1000, now.retry_after_seconds * 1000);
  if (now.status === 'CLOSED') return 300_000;
  const { position } = place;
  if (!place.queue_ticket || (position ? position > now.issued : !is_before)) await join();
  const ahead = ahead_now();
  const wait_ms = poll_ms(now, ahead, Math.random());
  if (is_before) return until(opens_ms(), opening_ms(now, position ? position / now.issued : draw_once), wait_ms);
  if (ahead !== null && ahead <= NEAR) listen();
  if (place.position! <= now.serving && now.status === 'ON_SALE') return claim();
  stage = '';
  return socket ? Math.max(wait_ms, 20_000) : wait_ms;
}

/* A pass is here, from this tab's claim or another's. Whoever looks elsewhere is called, and goes on when they look. */
function turn(): void {
  stage = 'turn';
  socket?.close();
  const go = () => document.hidden || setTimeout(seats, SHOW_SEATS_MS);
  addEventListener('visibilitychange', go);
  go();
  dispatchEvent(new Event('turn'));
}

async function run(): Promise<void> {
  const mine = ++runs;
  while (mine === runs && !is_over()) {
    let wait_ms = 0;
    try {
      if (!words) {
        words = await (await fetch(language === 'de' ? german : english)).json();
        for (const id in words.page) write(id, words.page[id as keyof typeof words.page]);
      }
      wait_ms = await step();
      failures = 0;
      is_cut_off = false;
    } catch (fault: any) {
      is_cut_off = true;
      wait_ms = Math.random() * Math.min(1000 * 2 ** ++failures, 30_000) + (fault.retry_ms || 500);
    }
    draw();
    await new Promise((done) => {
      wake = done;
      setTimeout(done, wait_ms);
    });
  }
}

/* ---- what is seen ---- */

function write(id: string, text = ''): void {
  const to = element(id);
  if (to.textContent !== text) to.textContent = text;
  to.hidden = !text;
}

function time_left(ahead: number): string {
  const range = minutes(outlook, ahead);
  if (!range) return '';
  const unit = range[0] < 60 ? 1 : 60;
  return `${words.about} ${[...new Set(range.map((end) => number(end / unit || 1)))].join('–')} ${unit > 1 ? 'h' : 'min'}`;
}

function draw(): void {
  if (!words) return;
  const state = stage || status!.status;
  const is_open = state === 'ON_SALE';
  const is_in = !!place.queue_ticket && !is_over() && state !== 'CLOSED';
  const ahead = ahead_now();
  let [headline = '…', note = '', caption = ''] = (words as any)[state] ?? [];
  let big = stage === 'turn' ? '✓' : caption || !note ? '…' : '';
  let right = '';
  if (stage === 'turn') note = note.replace('{}', Math.round((place.pass_ends_ms! - time()) / 60_000));
  if (stage === 'missed') note = note.replace('{}', status!.claim_seconds);
  if (/PRE|SCH/.test(state)) {
    const left_ms = (is_in ? opens_ms() : gathers_ms()) - time();
    note = words[show!.waiting_room.pre_queue_order];
    if (left_ms > 0) big = countdown(left_ms);
    if (is_in) {
      right = words.here.replace('{}', number(status!.waiting || 1));
      bar = 1 - left_ms / (opens_ms() - gathers_ms());
    }
  } else if (ahead !== null && caption) {
    big = number(ahead);
    bar = Math.max(bar, share_done(ahead - (is_open ? Math.min((outlook.rate * (Date.now() - outlook.at_ms)) / 66_000, ahead * 0.9) : 0), place.ahead_first ?? ahead));
    if (is_open && ahead) right = time_left(ahead);
  }
  write('trouble', is_cut_off ? words.trouble : '');
  write('name', show?.event_name);
  write('news', headline);
  write('note', note);
  write('big', big);
  write('caption', caption);
  write('left', is_in && place.position ? words.place.replace('{}', number(place.position)) : '');
  write('right', right);
  element('panel').hidden = !big;
  element('in').hidden = element('bar').hidden = !is_in;
  element('bar').setAttribute('aria-valuenow', `${Math.round(bar * 100)}`);
  (element('bar').firstChild as HTMLElement).style.transform = `scaleX(${Math.min(Math.max(bar, 0.03), 1)})`;
  const has_odds = is_in && is_open && ahead !== null && status!.seats_left !== null;
  element('chance').hidden = !has_odds;
  if (has_odds) {
    const a_fan = seats_a_fan(outlook, status!);
    const odds = chance(status!, ahead, a_fan);
    element('chance').className = `odds${odds}`;
    write('odds', words.odds[odds]);
    write('why', words.why.replace('{}', number(status!.seats_left!)).replace('{}', number(Math.round(a_fan * 10) / 10)));
  }
  write('act', stage === 'turn' ? words.seats : is_over() ? words.again : '');
  document.title = `${caption ? big + ' ' + caption : headline} – ${show?.event_name}`;
}

/* ---- what is done ---- */

element('alert').onclick = () => {
  document.body.append(Object.assign(document.createElement('script'), { src: alarm, type: 'module' }));
  element('alert').setAttribute('aria-pressed', 'true');
};

element('act').onclick = () => {
  if (stage === 'turn') return seats();
  stage = 'join';
  run();
};

element('give').onclick = () => {
  ask('/queue/leave', { queue_ticket: place.queue_ticket }).catch(() => {});
  leave('left');
};

/* Back from sleep or from another tab; the net came or went. */
for (const event of ['visibilitychange', 'pageshow', 'online', 'offline']) addEventListener(event, () => wake());
addEventListener('storage', look_up);

document.documentElement.lang = language;
(element('show') as HTMLAnchorElement).href = shop;
look_up();
setInterval(draw, 1000);
run();

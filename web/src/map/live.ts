/* The seats as they go: a snapshot by HTTP, then the socket from exactly there on; resumed after every loss.
 *
 *     start ──seats.bits──▶ open socket ──frames──▶ … ──lost, gap, silence──▶ wait (full jitter) ──▶ open, ?since=
 *                                 └──cannot be had, again and again──▶ ask seats.bits now and then, and try again
 *
 * seats.bits comes first since it is one answer on a connection that stands already, and an edge can have it. A tab that
 * nobody looks at lets its socket go after a while, and resumes when it is looked at. A socket can be dead without
 * knowing, so after a silence the sequence is asked after (a 304 mostly). */
import { call, jitter_ms, pause } from '../base/api';
import { frame_apply, frame_read, statuses_from_bits, type Changed, type Frame, type Known } from './frames';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;
const REFUSED_BEFORE_POLLING = 3;
const POLL_MS = 4000;
const SILENCE_MS = 30_000;
const HIDDEN_MS = 30_000;

export type LiveState = 'connecting' | 'live' | 'polling' | 'lost';

export class Live {
  readonly known: Known;
  state: LiveState = 'connecting';
  has_statuses = false;

  private socket: WebSocket | null = null;
  private stopping = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private hidden_timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private refused = 0; /* sockets in a row that never opened */
  private polls = 0; /* which run of polling is the one that goes on */

  constructor(
    private readonly show_id: string,
    seats: number,
    private readonly changed: (changes: Changed) => void,
    private readonly moved: (state: LiveState) => void,
  ) {
    this.known = { feed: null, sequence: 0, statuses: new Uint8Array(seats) };
  }

  start(): void {
    window.addEventListener('online', this.wake);
    window.addEventListener('offline', this.lost);
    document.addEventListener('visibilitychange', this.looked_at);
    void this.begin();
  }

  stop(): void {
    this.stopping.abort();
    clearTimeout(this.timer);
    clearTimeout(this.hidden_timer);
    window.removeEventListener('online', this.wake);
    window.removeEventListener('offline', this.lost);
    document.removeEventListener('visibilitychange', this.looked_at);
    this.drop();
  }

  private go(state: LiveState): void {
    if (this.state === state) return;
    this.state = state;
    this.moved(state);
  }

  private async begin(): Promise<void> {
    await this.ask().catch(() => undefined);
    if (!this.stopping.signal.aborted) this.open();
  }

  /* seats.bits; an answer older than what is known changes nothing. */
  private async ask(): Promise<void> {
    const answer = await call('GET', `/api/v1/shows/${this.show_id}/seats.bits`, undefined, { signal: this.stopping.signal, attempts: 2 });
    const statuses = statuses_from_bits(new Uint8Array(await answer.arrayBuffer()), this.known.statuses.length);
    const sequence = Number(answer.headers.get('X-Sequence') ?? NaN);
    const feed = answer.headers.get('X-Feed');
    if (!statuses) return;
    const resumable = feed !== null && /^[0-9a-f]{16}$/.test(feed) && Number.isSafeInteger(sequence);
    if (resumable && feed === this.known.feed && sequence <= this.known.sequence && this.state !== 'polling') return;
    this.take({ kind: 'snapshot', feed: feed ?? '', sequence: resumable ? sequence : this.known.sequence, statuses });
    if (!resumable) this.known.feed = null;
  }

  /* True: the frame follows on what is known. */
  private take(frame: Frame): boolean {
    const first = !this.has_statuses;
    const applied = frame_apply(this.known, frame);
    if (applied.kind === 'gap') return false;
    if (applied.kind === 'applied') {
      this.has_statuses = true;
      if (first || applied.changed.indices.length > 0) this.changed(applied.changed);
    }
    return true;
  }

  private open(): void {
    clearTimeout(this.timer);
    this.drop();
    const since = this.known.feed ? `?since=${this.known.feed}.${this.known.sequence}` : '';
    let opened = false;
    let socket: WebSocket;
    try {
      socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/shows/${this.show_id}/live${since}`);
    } catch {
      this.refused++;
      this.wait();
      return;
    }
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      opened = true;
      this.refused = 0;
      this.go('live');
      this.listen();
    };
    socket.onmessage = (message) => {
      const frame = message.data instanceof ArrayBuffer ? frame_read(message.data, this.known.statuses.length) : null;
      /* Another run of the feed, or not the format that we know: all of it anew. */
      if (!frame || (frame.kind === 'delta' && frame.feed !== this.known.feed)) this.known.feed = null;
      if (frame && this.take(frame)) {
        this.attempt = 0;
        this.listen();
        return;
      }
      this.drop();
      this.wait();
    };
    socket.onclose = () => {
      this.socket = null;
      if (!opened) this.refused++;
      this.wait();
    };
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /* After a silence: is it quiet, or are we cut off? */
  private listen(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.doubt(), SILENCE_MS * (1 + Math.random()));
  }

  private async doubt(): Promise<void> {
    const socket = this.socket;
    const before = this.known.sequence;
    try {
      await this.ask();
    } catch {
      if (this.stopping.signal.aborted || this.socket !== socket) return;
      this.lost();
      this.wait();
      return;
    }
    if (this.stopping.signal.aborted || this.socket !== socket || !socket) return;
    if (this.known.sequence !== before) this.open();
    else this.listen();
  }

  private wait(): void {
    clearTimeout(this.timer);
    if (this.stopping.signal.aborted || document.hidden) return;
    if (this.refused >= REFUSED_BEFORE_POLLING && navigator.onLine) {
      void this.poll();
      return;
    }
    this.go(this.has_statuses ? 'lost' : 'connecting');
    this.timer = setTimeout(() => this.open(), jitter_ms(this.attempt++, FIRST_WAIT_MS, LONGEST_WAIT_MS));
  }

  /* Without a socket: what a proxy that knows no WebSocket leaves us. Now and then the socket is tried again. */
  private async poll(): Promise<void> {
    const mine = ++this.polls;
    for (let round = 1; mine === this.polls; round++) {
      try {
        await this.ask();
        this.go('polling');
      } catch {
        this.go('lost');
      }
      try {
        await pause(POLL_MS * (0.75 + Math.random() * 0.5), this.stopping.signal);
      } catch {
        return;
      }
      if (document.hidden || mine !== this.polls) return;
      if (round % 15 === 0) {
        this.open();
        return;
      }
    }
  }

  private wake = (): void => {
    if (this.socket?.readyState === WebSocket.OPEN && this.state === 'live') return;
    this.attempt = 0;
    this.refused = 0;
    this.polls++;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), Math.random() * FIRST_WAIT_MS);
  };

  private lost = (): void => {
    clearTimeout(this.timer);
    this.drop();
    this.go('lost');
  };

  private looked_at = (): void => {
    clearTimeout(this.hidden_timer);
    if (document.hidden)
      this.hidden_timer = setTimeout(() => {
        clearTimeout(this.timer);
        this.lost();
      }, HIDDEN_MS);
    else this.wake();
  };
}

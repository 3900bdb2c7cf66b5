/* The queue's record, checked by the fan's own browser: fetched and checked by a worker (worker.ts, check.ts), shown
 * here. The ticket is what this device remembers, or what the fan pastes.
 *
 * What can go wrong: no record, no connection, a browser that cannot: each is said in its own words; a record that is
 * not in order is said loudly, with the byte. Texts of the record are written as text. */
import '../design/font.css';
import '../design/tokens.css';
import '../design/base.css';
import './record.css';
import { accent_set } from '../design/accent';
import { device_show } from '../base/device';
import { fill, locale, write_number } from '../base/language';
import type { Show } from '../base/types';
import { checks, type FanFound, type Report, type Verdict } from './check';
import RecordWorker from './worker?worker';
import * as words from './words';

const show_id = location.pathname.split('/')[2] ?? '';
const address = `/api/v1/shows/${show_id}/queue/record`;
const marks: Record<Verdict, string> = { good: '✓', bad: '✗', unchecked: '–', later: '…', none: '–' };

type Child = Node | string | false | null;

function make<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Record<string, string>, ...children: Child[]): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

const moment = (time_ms: number) => new Date(time_ms).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'medium' });

const main = document.getElementById('main') as HTMLElement;
const name = make('p', { class: 'record-name' }, '\u00a0');
const verdict = make('div', { class: 'record-verdict', 'aria-live': 'polite' });
const results = make('div', { class: 'record-results' });
let worker: Worker | null = null;

/* ---- parts ---- */

function headline(kind: string, title: string, ...texts: string[]): void {
  verdict.className = `record-verdict record-${kind}`;
  verdict.replaceChildren(make('h2', {}, title), ...texts.map((text) => make('p', {}, text)));
}

function row(title: string, value: string): Node[] {
  return [make('dt', {}, title), make('dd', { class: 'numbers' }, value)];
}

function place_rows(fan: FanFound): Node[] {
  const when = (title: string, time_ms: number) => (time_ms ? row(title, moment(time_ms)) : []);
  return [
    ...row(words.NUMBER, write_number(fan.number)),
    ...row(words.POSITION, fan.position ? write_number(fan.position) : words.NOT_DRAWN),
    ...(fan.position ? row(words.FRONT, write_number(fan.position - 1)) : []),
    ...row(words.SERVED, write_number(fan.served_before)),
    ...when(words.JOINED, fan.joined_ms),
    ...row(words.CALLED, fan.called_ms ? moment(fan.called_ms) : words.NOT_YET),
    ...row(words.ADMITTED, fan.admitted_ms ? moment(fan.admitted_ms) : words.NOT_YET),
    ...when(words.LEFT, fan.left_ms),
    ...when(words.ENDED, fan.ended_ms),
  ];
}

function place_card(report: Report, ticket: string | null): Node {
  const input = make('input', { id: 'ticket', name: 'ticket', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' });
  input.value = ticket ?? '';
  const form = make(
    'form',
    { class: 'record-form' },
    make('div', { class: 'field' }, make('label', { for: 'ticket' }, words.TICKET), input),
    make('button', { class: 'button button-quiet' }, words.FIND),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    check(input.value.trim() || null);
  };
  const { fan } = report;
  const hint = report.verdicts.ticket === 'bad' ? (words.instead.ticket?.bad ?? '') : !ticket ? words.YOURS_NONE : fan?.is_unknown ? words.LOST : !report.is_whole ? words.IN_TIME : '';
  return make(
    'section',
    { class: 'card stack' },
    make('h2', {}, words.YOURS),
    !!hint && make('p', { class: 'soft' }, hint),
    fan && !fan.is_unknown && make('dl', { class: 'record-facts' }, ...place_rows(fan)),
    fan ? make('details', {}, make('summary', {}, words.TICKET), form) : form,
  );
}

function checks_card(report: Report): Node {
  const items = checks.map((check) => {
    const is_unreached = !!report.fault && report.verdicts[check] === 'later';
    const found = is_unreached ? 'unchecked' : report.verdicts[check];
    const told = is_unreached ? words.NOT_REACHED : words.instead[check]?.[found];
    return make(
      'li',
      { class: `record-${found}` },
      make('span', { class: 'record-mark', 'aria-hidden': 'true' }, marks[found]),
      make(
        'div',
        {},
        make('h3', {}, `${words.titles[check]} `, make('span', { class: 'record-word' }, words.verdicts[found])),
        make('p', { class: 'soft' }, told ?? (found === 'bad' ? (report.fault?.words ?? '') : words.texts[check])),
      ),
    );
  });
  return make('section', { class: 'card stack' }, make('h2', {}, words.CHECKED), make('ul', { class: 'record-checks' }, ...items));
}

function show_report(report: Report, ticket: string | null): void {
  const { fault } = report;
  if (fault) headline('bad', words.BAD, fill(words.BAD_TEXT, { words: fault.words, byte: fault.offset }));
  else if (report.is_whole) {
    const counts = { joined: report.joined, admitted: report.admitted, most: report.most_inside };
    const { beacon, frozen_ms } = report;
    headline(
      'good',
      words.GOOD,
      fill(words.GOOD_TEXT, counts),
      ...(report.unknown ? [fill(words.UNKNOWN, { count: report.unknown })] : []),
      ...(report.tail_bytes ? [fill(words.UNSIGNED, { bytes: report.tail_bytes })] : []),
      ...(beacon && frozen_ms ? [fill(words.BEACON, { beacon, time: moment(frozen_ms) })] : []),
    );
  } else headline('good', words.SO_FAR, words.SO_FAR_TEXT);
  const again = make('button', { class: 'button-text', type: 'button' }, words.AGAIN);
  again.onclick = () => check(ticket);
  const download = make('a', { class: 'button', href: address, download: `queue-${show_id}.json` }, words.DOWNLOAD);
  results.replaceChildren(place_card(report, ticket), checks_card(report), make('p', { class: 'row' }, download, again));
}

/* ---- checking ---- */

function problem(title: string, text: string, ticket: string | null): void {
  headline('problem', title, text);
  const again = make('button', { class: 'button button-quiet', type: 'button' }, words.AGAIN);
  again.onclick = () => check(ticket);
  results.replaceChildren(again);
}

function check(ticket: string | null): void {
  worker?.terminate();
  if (!crypto.subtle) return problem(words.NO_CRYPTO, words.NO_CRYPTO_TEXT, ticket);
  const bar = make('progress', { max: '1', 'aria-label': words.CHECKING });
  headline('wait', words.CHECKING);
  verdict.append(bar);
  results.replaceChildren();
  const mine = (worker = new RecordWorker());
  mine.onmessage = ({ data }: MessageEvent<number | Report | { problem: number }>) => {
    if (typeof data === 'number') {
      bar.value = data;
      return;
    }
    mine.terminate();
    if (!('problem' in data)) show_report(data, ticket);
    else if (data.problem === 404 || data.problem === 409) problem(words.NO_RECORD, words.NO_RECORD_TEXT, ticket);
    else problem(words.PROBLEM, words.PROBLEM_TEXT, ticket);
  };
  mine.onerror = () => problem(words.PROBLEM, words.PROBLEM_TEXT, ticket);
  mine.postMessage({ address, ticket });
}

async function read_show(): Promise<void> {
  const answer = await fetch(`/api/v1/shows/${show_id}`);
  if (!answer.ok) return;
  const show = (await answer.json()) as Show;
  accent_set(show.accent_color);
  name.textContent = show.event_name;
  document.title = `${words.TITLE} – ${show.event_name}`;
}

document.title = words.TITLE;
main.className = 'frame-main';
main.replaceChildren(
  make('div', { class: 'column stack record' }, name, make('h1', {}, words.TITLE), make('p', { class: 'record-lead soft' }, words.LEAD), verdict, results),
);
const bar = () => make('div', { class: 'frame-bar column column-wide' });
const [head, foot] = [bar(), bar()];
head.append(make('a', { class: 'frame-mark', href: '/' }, 'onsale'));
foot.append(make('a', { class: 'frame-link', href: `/shows/${show_id}` }, words.TO_SHOW), make('a', { class: 'frame-link', href: `/shows/${show_id}/queue` }, words.TO_QUEUE));
main.before(make('header', { class: 'frame-head' }, head));
main.after(make('footer', { class: 'frame-foot' }, foot));
document.body.className = 'frame';
read_show().catch(() => {});
check(device_show(show_id).queue_ticket ?? null);

/* What the record's page says, in English and German, side by side. */
import { language } from '../base/language';
import type { Check, Verdict } from './check';

const words = (english: string, german: string): string => (language === 'de' ? german : english);

export const TITLE = words('Check this queue', 'Diese Schlange nachprüfen');
export const LEAD = words(
  'Everything that happens in the queue is written into a sealed record, without names. Your own browser checks it here: you need not take our word for it.',
  'Alles, was in der Schlange geschieht, steht in einem versiegelten Protokoll, ohne Namen. Hier prüft es dein eigener Browser: Du musst uns nicht glauben.',
);
export const CHECKING = words('Checking…', 'Wird geprüft…');
export const GOOD = words('Everything is in order', 'Alles in Ordnung');
export const SO_FAR = words('All in order so far', 'Bis jetzt alles in Ordnung');
export const BAD = words('Something is wrong with this record', 'Mit diesem Protokoll stimmt etwas nicht');
export const BAD_TEXT = words(
  'Keep the file, and ask the organiser. What is wrong: {words} (byte {byte}).',
  'Heb die Datei auf und frag beim Veranstalter nach. Was nicht stimmt: {words} (Byte {byte}).',
);
export const GOOD_TEXT = words('{joined} fans joined, {admitted} were let in, at most {most} at once.', '{joined} Fans standen an, {admitted} davon eingelassen, höchstens {most} zugleich.');
export const SO_FAR_TEXT = words(
  'The whole record is published when the sale is closed. Until then sealed heads of it are: keep the file, and it shows later whether anything was changed.',
  'Das ganze Protokoll wird veröffentlicht, wenn der Verkauf geschlossen ist. Bis dahin gibt es versiegelte Zwischenstände: Heb die Datei auf, sie zeigt später, ob etwas geändert wurde.',
);
export const UNSIGNED = words('The last {bytes} bytes are not sealed yet.', 'Die letzten {bytes} Byte sind noch nicht versiegelt.');
export const UNKNOWN = words('{count} places are not accounted for: a power loss took what was written of them.', 'Von {count} Plätzen fehlt die Spur: Ein Stromausfall hat sie gelöscht.');

export const PROBLEM = words('The record could not be loaded', 'Das Protokoll ließ sich nicht laden');
export const PROBLEM_TEXT = words('Check your connection, and try again.', 'Prüf deine Verbindung und versuch es noch einmal.');
export const NO_RECORD = words('There is no record', 'Es gibt kein Protokoll');
export const NO_RECORD_TEXT = words('This show has no queue, or it has not begun yet.', 'Diese Veranstaltung hat keine Schlange, oder sie hat noch nicht begonnen.');
export const NO_CRYPTO = words('This browser cannot check here', 'Dieser Browser kann hier nicht prüfen');
export const NO_CRYPTO_TEXT = words('It does so only on pages that came encrypted (https).', 'Er tut es nur auf Seiten, die verschlüsselt kamen (https).');

export const YOURS = words('Your place', 'Dein Platz');
export const YOURS_NONE = words('There is no place in this queue on this device. Paste a queue ticket to find one.', 'Auf diesem Gerät ist kein Platz in dieser Schlange. Füg ein Schlangen-Ticket ein, um einen zu finden.');
export const TICKET = words('Queue ticket', 'Schlangen-Ticket');
export const FIND = words('Check with this ticket', 'Mit diesem Ticket prüfen');
export const NUMBER = words('You joined as number', 'Angestellt als Nummer');
export const POSITION = words('Your place in line', 'Dein Platz in der Reihe');
export const FRONT = words('Places before yours', 'Plätze vor deinem');
export const SERVED = words('Fans let in before you', 'Vor dir eingelassen');
export const JOINED = words('Joined', 'Angestellt');
export const CALLED = words('Called', 'Aufgerufen');
export const ADMITTED = words('Let in', 'Eingelassen');
export const LEFT = words('Left the queue', 'Schlange verlassen');
export const ENDED = words('Gave up the turn', 'Drinnen fertig');
export const NOT_YET = words('no', 'nein');
export const NOT_DRAWN = words('not drawn yet', 'noch nicht gelost');
export const LOST = words('What was written of your place was lost in a power loss.', 'Was über deinen Platz geschrieben war, ging bei einem Stromausfall verloren.');
export const IN_TIME = words('When the sale is closed, this page shows what became of it.', 'Wenn der Verkauf geschlossen ist, zeigt diese Seite, was daraus wurde.');

export const NOT_REACHED = words('Not looked at any more.', 'Nicht mehr angesehen.');
export const CHECKED = words('What was checked', 'Was geprüft wurde');
export const DOWNLOAD = words('Download the record', 'Protokoll herunterladen');
export const AGAIN = words('Check again', 'Noch einmal prüfen');
export const TO_SHOW = words('The show', 'Die Veranstaltung');
export const TO_QUEUE = words('The waiting room', 'Der Warteraum');
export const BEACON = words('Chance came from: {beacon}. It must have spoken after {time}, when the list was frozen: compare that with what it published.', 'Der Zufall kam von: {beacon}. Er muss nach {time} gesprochen haben, als die Liste feststand: Vergleich das mit dem, was dort veröffentlicht ist.');

export const verdicts: Record<Verdict, string> = {
  good: words('in order', 'in Ordnung'),
  bad: words('wrong', 'falsch'),
  unchecked: words('not checked', 'nicht geprüft'),
  later: words('once the sale is closed', 'wenn der Verkauf geschlossen ist'),
  none: words('not needed', 'nicht nötig'),
};

export const titles: Record<Check, string> = {
  document: words('The file', 'Die Datei'),
  signatures: words('The seals', 'Die Siegel'),
  chain: words('The chain', 'Die Kette'),
  shuffle: words('The draw', 'Die Auslosung'),
  order: words('The order', 'Die Reihenfolge'),
  drip: words('The pace', 'Das Tempo'),
  ticket: words('Your place', 'Dein Platz'),
};

export const texts: Record<Check, string> = {
  document: words('It can be read, and nothing is missing from it.', 'Sie lässt sich lesen, und es fehlt nichts.'),
  signatures: words('Every few seconds the shop signed what had happened so far; the signatures are genuine.', 'Alle paar Sekunden hat der Shop unterschrieben, was bis dahin geschah; die Unterschriften sind echt.'),
  chain: words('Nothing was changed, left out or put in afterwards.', 'Nichts wurde nachträglich geändert, weggelassen oder eingefügt.'),
  shuffle: words('The draw was fixed beforehand, and everybody has the place that it gave.', 'Die Auslosung stand vorher fest, und alle haben den Platz, den sie ergab.'),
  order: words('Nobody went in before being called, twice, or after leaving.', 'Niemand kam vor dem Aufruf hinein, doppelt, oder nach dem Verlassen.'),
  drip: words('Never more went in than the announced pace and room allow.', 'Nie kamen mehr hinein, als Tempo und Platz erlauben.'),
  ticket: words('It is in the record, under the number on your queue ticket.', 'Er steht im Protokoll, unter der Nummer auf deinem Schlangen-Ticket.'),
};

export const instead: Partial<Record<Check, Partial<Record<Verdict, string>>>> = {
  signatures: { unchecked: words('This browser does not know Ed25519 signatures. The hashes were checked.', 'Dieser Browser kennt Ed25519-Unterschriften nicht. Die Prüfsummen sind geprüft.') },
  shuffle: { none: words('This queue keeps the order of arrival: nothing was drawn.', 'Hier gilt die Reihenfolge des Kommens: Es wurde nichts gelost.') },
  ticket: {
    none: words('No queue ticket was given.', 'Es wurde kein Schlangen-Ticket angegeben.'),
    bad: words('This is no ticket of this queue, or not a whole one.', 'Das ist kein Ticket dieser Schlange, oder kein vollständiges.'),
  },
};

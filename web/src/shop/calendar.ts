/* A calendar's entry (RFC 5545), made here: nothing about the fan is sent anywhere. */

export interface CalendarEntry {
  uid: string;
  starts_ms: number;
  minutes?: number; /* left out: the end is not known, and none is written */
  title: string;
  location?: string;
  address?: string; /* a page that is no secret */
}

function moment(time_ms: number): string {
  return new Date(time_ms).toISOString().replace(/[-:]|\.\d+/g, '');
}

function text(value: string): string {
  return value.replace(/[\\;,]/g, '\\$&').replace(/\r?\n|\r/g, '\\n');
}

/* A line has 75 bytes at most; what follows begins with a space. No character is torn. */
function fold(line: string): string {
  const bytes = new TextEncoder();
  let folded = '';
  let length = 0;
  for (const character of line) {
    const size = bytes.encode(character).length;
    if (length + size > 74) {
      folded += '\r\n ';
      length = 1;
    }
    folded += character;
    length += size;
  }
  return folded;
}

export function calendar_write(entry: CalendarEntry, now_ms: number): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//onsale//shop//EN',
    'BEGIN:VEVENT',
    `UID:${entry.uid}@onsale`,
    `DTSTAMP:${moment(now_ms)}`,
    `DTSTART:${moment(entry.starts_ms)}`,
    ...(entry.minutes ? [`DURATION:PT${entry.minutes}M`] : []),
    `SUMMARY:${text(entry.title)}`,
    ...(entry.location ? [`LOCATION:${text(entry.location)}`] : []),
    ...(entry.address ? [`URL:${entry.address}`] : []),
    'END:VEVENT',
    'END:VCALENDAR',
  ];
  return lines.map(fold).join('\r\n') + '\r\n';
}

/* Has the browser keep a file. */
export function file_save(name: string, type: string, content: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

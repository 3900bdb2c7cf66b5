// The outcome as docs/performance.json, for programs, and docs/performance.md, for people.
import { cpus, totalmem, release } from 'node:os';
import { readFileSync } from 'node:fs';
import { BUILD, runNow } from './processes.mjs';

const firstLine = (command, words) => {
    try {
        return runNow(command, words).trim().split('\n')[0];
    } catch {
        return 'unknown';
    }
};

export function machine() {
    const [, system] = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [null, 'unknown'];
    const virtual = firstLine('systemd-detect-virt', []);
    const compiler = firstLine('cc', ['--version']);
    return [
        `${cpus().length} × ${cpus()[0].model.trim()}${virtual === 'none' || virtual === 'unknown' ? '' : ` (${virtual})`}`,
        `${Math.round(totalmem() / 2 ** 30)} GiB`,
        system,
        `Linux ${release()}`,
        compiler,
    ].join(', ');
}

export function versions() {
    return {
        onsale: firstLine(`${BUILD}/onsale`, ['version']),
        commit: firstLine('git', ['rev-parse', '--short=12', 'HEAD']),
        nginx: firstLine('sh', ['-c', 'nginx -v 2>&1']),
        sqlite: firstLine('sqlite3', ['--version']).split(' ')[0],
        node: process.version,
        'TCP congestion control': readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
    };
}

function number(value) {
    if (typeof value !== 'number') return String(value);
    if (value === 0 || Number.isInteger(value)) return value.toLocaleString('en');
    const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
    return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

const quantity = (row, ratio) =>
    row.limit === undefined ? `${number(ratio)}×` : `${number(ratio * row.limit)} ${row.unit}`;
const bar = (row) => (row.sense ? `${row.sense} ${quantity(row, row.bar)}` : '–');
const verdict = (row) => (row.met === null ? '–' : row.met ? 'yes' : '**no**');

export function asText(row) {
    if (row.error) return `${row.name}: could not be measured: ${row.error}`;
    return `${row.name}: ${quantity(row, row.ratio)} (${row.spread.map((one) => quantity(row, one)).join(' … ')}), bar: ${bar(row)}, met: ${verdict(row).replaceAll('*', '')}`;
}

export function asMarkdown({ machine, date, versions, rounds, rows }) {
    const table = rows.map((row) =>
        row.error
            ? `| ${row.name} | could not be measured | | | **no** |`
            : `| ${row.what} | ${quantity(row, row.ratio)} | ${row.spread.map((one) => quantity(row, one)).join(' … ')} | ${bar(row)} | ${verdict(row)} |`,
    );
    const details = rows.filter((row) => row.figures && Object.keys(row.figures).length > 0).map(
        (row) =>
            `### \`${row.name}\`\n\n${row.what}.\n\n| | |\n| --- | ---: |\n${Object.entries(row.figures)
                .map(([name, value]) => `| ${name} | ${number(value)} |`)
                .join('\n')}\n`,
    );
    return `# Performance

Written by \`script/bench\`; measure it yourself with that command. Figures that a program can read are in
[performance.json](performance.json).

- Machine: ${machine}
- Date: ${date}
- Versions: ${Object.entries(versions).map(([name, version]) => `${name} ${version.replace(/^nginx version: |^onsale /, '')}`).join(', ')}

How it is measured: the server on core 0, the load on core 1 of the same machine, over loopback (the sell-outs and the
memory share both cores as they like). CPU is what the kernel charged to the server's process, user and system, all its
threads, over the window, divided by the requests answered in it. Over loopback that includes about half of the
receiver's work, for both sides alike; the load never sleeps, so that nobody is charged for waking it up. It all runs
in a network namespace of its own, with Reno, since BBR paces loopback too. Ours and the peer take turns, ${rounds} rounds each in one run, and a ratio is made of each round: identical runs some minutes apart
differ by a tenth and more, their ratios hardly. The table has the median of the rounds and the least and the greatest.

| what | median | spread | bar | met |
| --- | ---: | ---: | ---: | --- |
${table.join('\n')}

## In detail

${details.join('\n')}`;
}

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { policy as identityPolicy } from '../services/identity/policy.ts';
import { policy as ratelimitPolicy } from '../services/ratelimit/policy.ts';
import { apiReference } from './api-reference.ts';
import { anchorOf } from './markdown.ts';
import { ROOT } from './run-command.ts';
import { settingGroups } from './setting-groups.ts';
import { settingsReference } from './settings-reference.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const headings = (text: string) =>
  [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading ?? '');

describe('docs/configuration.md', () => {
  const text = read('docs/configuration.md');
  const factsOf = (name: string) => {
    const [, section = ''] = text.split(`\n### ${name}\n`);
    return section
      .split('\n### ')[0]
      ?.match(/^\|---.*\n\| (.*) \|$/m)?.[1]
      ?.split(' | ');
  };

  it('is what `node scripts/settings-reference.ts` prints', () => {
    expect(text).toBe(settingsReference());
  });

  it('has each setting once, under its name', () => {
    const names = settingGroups().flatMap(({ variables }) => variables.map(({ env }) => env));
    const sections = headings(text).filter((heading) => /^[A-Z\d_]+$/.test(heading));
    expect(sections.toSorted()).toEqual(
      [...names, ...['OPTIX_API_KEY', 'OPTIX_IDENTITY_ADDRESS', 'OPTIX_RATELIMIT_ADDRESS']].toSorted(),
    );
  });

  it('tells type, range and default', () => {
    expect(factsOf('DATABASE_POOL_SIZE')).toEqual(['whole number, 1 to 1,000', '`20`', 'no', 'identity']);
    expect(factsOf('ADMIN_RPCS')).toEqual(['`on`, `off`', '`on`', 'no', 'identity, ratelimit']);
    expect(factsOf('TLS_MIN_VERSION')?.[0]).toBe('`1.2`, `1.3`');
    expect(factsOf('RATELIMIT_TLS_KEY_FILE')?.[0]).toBe('path of a file (PEM)');
    expect(factsOf('TRUSTED_DEVICE_ROLES')?.slice(0, 2)).toEqual([
      'list between commas: admin, premium, user, trial',
      '`premium,user,trial`',
    ]);
  });

  it('tells what a service does not start without', () => {
    expect(factsOf('DATABASE_URL')?.[2]).toBe('always; by `npm start` in production');
    expect(factsOf('IDENTITY_ENCRYPTION_KEY')?.[2]).toBe('in production; by docker compose');
    expect(factsOf('RATELIMIT_CALLER_KEYS')?.[2]).toBe(
      'in production, or [CALLERS_FILE](#callers_file); by docker compose',
    );
  });
});

describe('docs/api', () => {
  let pages: ReadonlyMap<string, string>;
  beforeAll(async () => {
    pages = await apiReference();
  });

  it('is what `node scripts/api-reference.ts` makes', () => {
    const committed = readdirSync(join(ROOT, 'docs/api'));
    expect(committed.toSorted()).toEqual([...pages.keys()].toSorted());
    for (const [name, text] of pages) expect(read(`docs/api/${name}`), name).toBe(text);
  });

  it('has each RPC of each policy, with its scope', () => {
    for (const policy of [identityPolicy, ratelimitPolicy]) {
      for (const rpc of policy.rpcs) {
        if (rpc.startsWith('GET ')) continue;
        const [service, method] = rpc.split('/');
        const [, section = ''] = pages.get(`${service}.md`)?.split(`\n### ${method}\n`) ?? [];
        const facts = section.split('\n### ')[0];
        expect(facts, rpc).toContain(`| HTTP | \`POST /${rpc}\` |`);
        expect(facts, rpc).toContain(policy.needOf(rpc));
      }
    }
  });

  it('gives every field and value of an enum a meaning', () => {
    for (const [name, text] of pages) {
      for (const [row] of text.matchAll(/^\| `\w+` \| .*$/gm)) expect(row, name).not.toMatch(/\| *\|$/);
    }
  });

  it('gives each heading an anchor of its own', () => {
    for (const [name, text] of pages) {
      const anchors = headings(text).map(anchorOf);
      expect(anchors, name).toEqual([...new Set(anchors)]);
    }
  });
});

/** A figure of docs/limits.md in the unit of its constant: bytes, milliseconds, seconds, microseconds or a count. */
function inUnitOf(constant: string, figure: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (KiB|MiB|ms|s|days)\b)?/.exec(figure) ?? [];
  const amount = Number(digits.replaceAll(',', ''));
  if (unit === 'KiB') return constant.endsWith('_KIB') ? amount : amount * 1024;
  if (unit === 'MiB') return amount * 1024 ** 2;
  const ms = { ms: 1, s: 1000, days: 86_400_000 }[unit];
  if (ms === undefined || constant.endsWith('_DAYS')) return amount;
  if (constant.endsWith('_MICROS')) return amount * ms * 1000;
  return constant.endsWith('_SECONDS') ? (amount * ms) / 1000 : amount * ms;
}

describe('docs/limits.md', () => {
  const rows = [
    ...read('docs/limits.md').matchAll(/^\| (.+) \| (.+) \| \[`([A-Z_]+)`\]\(\.\.\/(.+)\) \|$/gm),
  ];

  it.each(rows.map(([, what, figure, constant, file]) => ({ what, figure, constant, file })))(
    '$what: $figure',
    ({ figure = '', constant = '', file = '' }) => {
      const source = read(file);
      const [, value] = new RegExp(`const ${constant} = ([\\d_ *]+);`).exec(source) ?? [];
      if (value === undefined) {
        // No number: a pattern or a list, which has the figure in it.
        const [, text = ''] = new RegExp(`const ${constant} = (.+);`).exec(source) ?? [];
        for (const [word] of figure.matchAll(/^\d+|(?<=`)[a-z]+(?=`)/g)) expect(text).toContain(word);
        expect(text).not.toBe('');
        return;
      }
      const number = value
        .split('*')
        .reduce((product, part) => product * Number(part.replaceAll('_', '')), 1);
      expect(inUnitOf(constant, figure)).toBe(number);
    },
  );

  it('names a constant for most of them', () => {
    expect(rows.length).toBeGreaterThan(90);
  });
});

describe('docs/sizing.md', () => {
  it('quotes each measured figure as the page has it that it names', () => {
    const [, section = ''] = read('docs/sizing.md').split('\n## Measured figures\n');
    const rows = [
      ...(section.split('\n## ')[0] ?? '').matchAll(/^\| .+ \| (.+) \| \[.+\]\(([^#)]+).*\) \|$/gm),
    ];
    expect(rows.length).toBeGreaterThan(15);
    for (const [row, figure = '', page = ''] of rows) expect(read(`docs/${page}`), row).toContain(figure);
  });
});

describe('links of the references', () => {
  const files = [
    'docs/configuration.md',
    'docs/limits.md',
    'docs/sizing.md',
    ...readdirSync(join(ROOT, 'docs/api')).map((name) => `docs/api/${name}`),
  ];

  it.each(files)('of %s lead somewhere', (file) => {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target.startsWith('https://')) continue;
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? file : normalize(join(dirname(file), path));
      expect(existsSync(join(ROOT, linked)), `${file}: ${target}`).toBe(true);
      if (anchor === undefined || !statSync(join(ROOT, linked)).isFile()) continue;
      expect(headings(read(linked)).map(anchorOf), `${file}: ${target}`).toContain(anchor);
    }
  });
});

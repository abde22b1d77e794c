import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { envExample, REQUIRED_BY_COMPOSE } from '../scripts/env-example.ts';
import { settings as identity, readConfig as readIdentity } from '../services/identity/config.ts';
import { settings as ratelimit, readConfig as readRateLimit } from '../services/ratelimit/config.ts';

const text = readFileSync(fileURLToPath(new URL('../.env.example', import.meta.url)), 'utf8');
const DATABASE_URL = 'postgresql://optix:unguessable@127.0.0.1:5432/optix';

/** The file with its defaults uncommented. */
const uncommented = parseEnv(text.replace(/^# (?=[A-Z][A-Z0-9_]*=)/gm, ''));

describe('.env.example', () => {
  it('is what `node scripts/env-example.ts` prints', () => {
    expect(text).toBe(envExample());
  });

  it('has each setting of both services once', () => {
    const names = [...text.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=(?!backend=<)/gm)].map(([, name]) => name);
    const settings = [...Object.values(identity), ...Object.values(ratelimit)].map(({ env }) => env);
    expect(names).toEqual([...new Set(names)]);
    expect(names).toEqual(expect.arrayContaining(settings));
  });

  it('shows the defaults', () => {
    const shown = { ...uncommented, DATABASE_URL };
    expect(readIdentity(shown)).toEqual(readIdentity({ DATABASE_URL }));
    expect(readRateLimit(shown)).toEqual(readRateLimit({}));
  });

  it('copied as it is sets nothing: every secret waits to be filled in', () => {
    expect(parseEnv(text)).toEqual(Object.fromEntries(REQUIRED_BY_COMPOSE.map((name) => [name, ''])));
  });
});

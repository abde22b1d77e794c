import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidSettings, readSettings } from '../../runtime/settings.ts';
import { makeAuthority, makeCertificate } from '../../testing/certificates.ts';
import { limiterTls, limiterTlsSettings } from './limiter-tls-settings.ts';

type Env = Readonly<Record<string, string>>;

let directory: string;
const file = (name: string) => join(directory, name);
const tls = (env: Env) => limiterTls(readSettings(limiterTlsSettings, env));

function problems(env: Env): readonly string[] {
  try {
    tls(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-limiter-tls-'));
  makeAuthority(directory, 'authority');
  for (const name of ['one', 'two']) makeCertificate(directory, name, 'authority');
  writeFileSync(file('garbage'), 's3cret');
});
afterAll(() => rmSync(directory, { recursive: true }));

const mutual = (): Env => ({
  RATELIMIT_TLS: 'on',
  RATELIMIT_TLS_CA_FILE: file('authority.crt'),
  RATELIMIT_TLS_CERT_FILE: file('one.crt'),
  RATELIMIT_TLS_KEY_FILE: file('one.key'),
});

describe('limiterTls', () => {
  it('is off unless told', () => {
    expect(tls({})).toBeUndefined();
  });

  it('trusts the authorities that Node knows unless told', () => {
    expect(tls({ RATELIMIT_TLS: 'on' })).toEqual({ ca: undefined, cert: undefined, key: undefined });
  });

  it('is what the files hold', () => {
    expect(tls(mutual())).toEqual({
      ca: readFileSync(file('authority.crt'), 'utf8'),
      cert: readFileSync(file('one.crt'), 'utf8'),
      key: readFileSync(file('one.key'), 'utf8'),
    });
  });

  it.each([
    ['RATELIMIT_TLS_KEY_FILE must be set where RATELIMIT_TLS_CERT_FILE is', { RATELIMIT_TLS_KEY_FILE: '' }],
    ['RATELIMIT_TLS_CERT_FILE must be set where RATELIMIT_TLS_KEY_FILE is', { RATELIMIT_TLS_CERT_FILE: '' }],
    [
      'RATELIMIT_TLS_KEY_FILE must hold the private key of the certificate in RATELIMIT_TLS_CERT_FILE',
      { RATELIMIT_TLS_KEY_FILE: 'two.key' },
    ],
    [
      'RATELIMIT_TLS_CA_FILE must name a file that holds certificates in PEM',
      { RATELIMIT_TLS_CA_FILE: 'garbage' },
    ],
    [
      'RATELIMIT_TLS_CERT_FILE must name a file that can be read (ENOENT)',
      { RATELIMIT_TLS_CERT_FILE: 'nowhere' },
    ],
  ])('says "%s"', (problem, change: Env) => {
    const absolute = Object.entries(change).map(([name, path]) => [name, path === '' ? '' : file(path)]);
    expect(problems({ ...mutual(), ...Object.fromEntries(absolute) })).toEqual([problem]);
  });

  it('lets nobody believe in TLS who only names its files', () => {
    expect(problems({ ...mutual(), RATELIMIT_TLS: 'off' })).toEqual([
      'RATELIMIT_TLS_CA_FILE is for RATELIMIT_TLS=on only',
      'RATELIMIT_TLS_CERT_FILE is for RATELIMIT_TLS=on only',
      'RATELIMIT_TLS_KEY_FILE is for RATELIMIT_TLS=on only',
    ]);
  });
});

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority, makeCertificate } from '../testing/certificates.ts';
import { InvalidSettings, readSettings } from './settings.ts';
import { tlsOptions, tlsSettings } from './tls-settings.ts';

type Env = Readonly<Record<string, string>>;

let directory: string;
const file = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-tls-settings-'));
  makeAuthority(directory, 'authority');
  for (const name of ['one', 'two']) makeCertificate(directory, name, 'authority');
  const chain = readFileSync(file('one.crt'), 'utf8') + readFileSync(file('authority.crt'), 'utf8');
  writeFileSync(file('chain.crt'), chain);
  writeFileSync(file('half.crt'), chain.slice(0, -100));
  writeFileSync(file('garbage'), 's3cret');
  writeFileSync(file('thirteenth.crt'), withMonth13(readFileSync(file('one.crt'))));
  execFileSync(
    'openssl',
    ['ec', '-in', file('one.key'), '-aes128', '-passout', 'pass:s3cret', '-out', file('locked.key')],
    {
      stdio: 'ignore',
    },
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The certificate with an end in the thirteenth month: its form is good. */
function withMonth13(pem: Buffer): string {
  const der = Buffer.from(new X509Certificate(pem).raw);
  const UTC_TIME = Buffer.from([0x17, 0x0d]);
  const end = der.indexOf(UTC_TIME, der.indexOf(UTC_TIME) + 1) + UTC_TIME.length;
  der.write('13', end + 'YY'.length);
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

const pair = (): Env => ({ TLS_CERT_FILE: file('one.crt'), TLS_KEY_FILE: file('one.key') });
const options = (env: Env) => tlsOptions(readSettings(tlsSettings, env));

function problems(env: Env): readonly string[] {
  try {
    options(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

describe('tlsOptions', () => {
  it('is none without TLS_CERT_FILE', () => {
    expect(options({})).toBeUndefined();
  });

  it('asks clients for no certificate, and takes TLS 1.2, unless told', () => {
    expect(options(pair())).toEqual({
      certFile: file('one.crt'),
      keyFile: file('one.key'),
      clientCaFile: undefined,
      clientAuth: 'off',
      minVersion: 'TLSv1.2',
    });
  });

  it('takes the whole of what can be set', () => {
    const env = {
      ...pair(),
      TLS_CERT_FILE: file('chain.crt'),
      TLS_CLIENT_AUTH: 'required',
      TLS_CLIENT_CA_FILE: file('authority.crt'),
      TLS_MIN_VERSION: '1.3',
    };
    expect(options(env)).toMatchObject({
      clientCaFile: file('authority.crt'),
      clientAuth: 'required',
      minVersion: 'TLSv1.3',
    });
  });

  it.each([
    ['TLS_KEY_FILE must be set where TLS_CERT_FILE is', { TLS_KEY_FILE: '' }],
    ['TLS_CERT_FILE must be set where TLS_KEY_FILE is', { TLS_CERT_FILE: '' }],
    ['TLS_CERT_FILE must name a file that can be read (ENOENT)', { TLS_CERT_FILE: 'nowhere' }],
    ['TLS_CERT_FILE must name a file that can be read (EISDIR)', { TLS_CERT_FILE: '/' }],
    [
      'TLS_CERT_FILE must name a file that holds certificates in PEM and nothing else',
      { TLS_CERT_FILE: 'garbage' },
    ],
    [
      'TLS_CERT_FILE must name a file that holds certificates in PEM and nothing else',
      { TLS_CERT_FILE: 'half.crt' },
    ],
    ['TLS_CERT_FILE holds a certificate whose end is no time', { TLS_CERT_FILE: 'thirteenth.crt' }],
    [
      'TLS_KEY_FILE must name a file that holds a private key in PEM, not encrypted',
      { TLS_KEY_FILE: 'garbage' },
    ],
    [
      'TLS_KEY_FILE must name a file that holds a private key in PEM, not encrypted',
      { TLS_KEY_FILE: 'locked.key' },
    ],
    [
      'TLS_KEY_FILE must hold the private key of the certificate in TLS_CERT_FILE',
      { TLS_KEY_FILE: 'two.key' },
    ],
    ['TLS_CLIENT_CA_FILE must be set when TLS_CLIENT_AUTH=required', { TLS_CLIENT_AUTH: 'required' }],
    ['TLS_CLIENT_CA_FILE must be set when TLS_CLIENT_AUTH=optional', { TLS_CLIENT_AUTH: 'optional' }],
    [
      'TLS_CLIENT_CA_FILE is for TLS_CLIENT_AUTH=optional or required only',
      { TLS_CLIENT_CA_FILE: 'authority.crt' },
    ],
    [
      'TLS_CLIENT_CA_FILE must name a file that holds certificates in PEM and nothing else',
      { TLS_CLIENT_AUTH: 'optional', TLS_CLIENT_CA_FILE: 'garbage' },
    ],
    ['TLS_MIN_VERSION must be one of 1.2, 1.3, not "1.1"', { TLS_MIN_VERSION: '1.1' }],
    ['TLS_CLIENT_AUTH must be one of off, optional, required, not "on"', { TLS_CLIENT_AUTH: 'on' }],
  ])('says "%s"', (problem, change: Env) => {
    const absolute = Object.entries(change).map(([name, text]) => [
      name,
      name.endsWith('_FILE') && text !== '' && !text.startsWith('/') ? file(text) : text,
    ]);
    expect(problems({ ...pair(), ...Object.fromEntries(absolute) })).toEqual([problem]);
  });

  it('lets nobody believe that the ports speak TLS who only set the rest of it', () => {
    const env = {
      TLS_CLIENT_AUTH: 'required',
      TLS_CLIENT_CA_FILE: file('authority.crt'),
      TLS_MIN_VERSION: '1.3',
    };
    expect(problems(env)).toEqual([
      'TLS_CLIENT_AUTH needs TLS_CERT_FILE and TLS_KEY_FILE',
      'TLS_CLIENT_CA_FILE needs TLS_CERT_FILE and TLS_KEY_FILE',
      'TLS_MIN_VERSION needs TLS_CERT_FILE and TLS_KEY_FILE',
    ]);
  });
});

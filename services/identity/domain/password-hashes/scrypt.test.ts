import { expect, test } from 'vitest';
import { parseScrypt } from './scrypt.ts';
import type { StoredHash } from './stored-hash.ts';
import { formatUnpaddedBase64 } from './unpadded-base64.ts';

function read(text: string): StoredHash {
  const parsed = parseScrypt(text);
  if (!parsed?.ok) throw new Error(parsed?.reason ?? 'of another kind');
  return parsed.value;
}

const base64 = (bytes: Buffer) => formatUnpaddedBase64(bytes);

test.each([
  [
    'password',
    'NaCl',
    'ln=10,r=8,p=16',
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
  ],
  [
    'pleaseletmein',
    'SodiumChloride',
    'ln=14,r=8,p=1',
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
  ],
])('verifies %j against RFC 7914 section 12', async (password, salt, parameters, tag) => {
  const hash = read(`$scrypt$${parameters}$${base64(Buffer.from(salt))}$${base64(Buffer.from(tag, 'hex'))}`);
  expect(await hash.verify(password)).toBe(true);
  expect(await hash.verify(`${password} `)).toBe(false);
});

test.each([
  '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
  '$scrypt$ln=8,r=8,p=1$WKs1xljLudd6z9kbY0wpJQ$yCR4iDZYDKv+iEJj6yHY0lv/epnfB6f/w1EbXrsJOuQ',
])('verifies what passlib wrote: %s', async (text) => {
  expect(await read(text).verify('password')).toBe(true);
  expect(await read(text).verify('Password')).toBe(false);
});

test('tells the cost, which is the same for hashes that take equally long', () => {
  const text = '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E';
  expect(read(text)).toMatchObject({ algorithm: 'scrypt', cost: 'scrypt ln=16 r=8 p=1' });
});

test.each(['', 'scrypt$ln=16', '$scrypt', '$7$C6..../....'])('leaves %j to others', (text) => {
  expect(parseScrypt(text)).toBeNull();
});

const SALT = 'aM15713r3Xsvxbi31lqr1Q';
const TAG = 'nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E';

test.each([
  [`$scrypt$ln=18,r=8,p=1$${SALT}$${TAG}`, /256 MiB/],
  [`$scrypt$ln=20,r=8,p=1$${SALT}$${TAG}`, /256 MiB/],
  [`$scrypt$ln=99,r=8,p=1$${SALT}$${TAG}`, /256 MiB/],
  [`$scrypt$ln=1,r=9999,p=9999$${SALT}$${TAG}`, /256 MiB/],
  [`$scrypt$ln=15,r=8,p=17$${SALT}$${TAG}`, /512 MiB/],
  [`$scrypt$ln=16,r=1,p=1$${SALT}$${TAG}`, /ln less than 16 r/],
  [`$scrypt$ln=0,r=8,p=1$${SALT}$${TAG}`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8$${SALT}$${TAG}`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8,p=1$${SALT}`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8,p=1$$${TAG}`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8,p=1$${SALT}=$${TAG}`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8,p=1$${SALT}$${TAG}\n`, /must be \$scrypt/],
  [`$scrypt$ln=16,r=8,p=1$${SALT}$nFNh2CVHVjNldFVK`, /16 to 64/],
])('refuses %j', (text, reason) => {
  const parsed = parseScrypt(text);
  expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect(JSON.stringify(parsed)).not.toContain(SALT);
});

test('what is admitted can be computed, also with much memory for p', async () => {
  for (const parameters of ['ln=17,r=8,p=1', 'ln=15,r=1,p=9', 'ln=1,r=99,p=5000']) {
    expect(await read(`$scrypt$${parameters}$${SALT}$${TAG}`).verify('password')).toBe(false);
  }
});

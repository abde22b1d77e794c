import { expect, test } from 'vitest';
import { otpauthUri } from './otpauth.ts';

// The secret of the example in the Key Uri Format: JBSWY3DPEHPK3PXP.
const secret = Buffer.from('Hello!\xde\xad\xbe\xef', 'latin1');

test('says all that an app needs', () => {
  expect(otpauthUri({ issuer: 'Optix', account: 'ada@example.com', secret })).toBe(
    'otpauth://totp/Optix:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Optix&algorithm=SHA1&digits=6&period=30',
  );
});

test('keeps names with any character apart from what is around them', () => {
  const issuer = 'Größe & Söhne?=#/%';
  const account = "o'hara+a&b=c?#/%@example.com";
  const uri = otpauthUri({ issuer, account, secret });
  expect(uri).toMatch(/^[A-Za-z0-9:/?=&%.'-]+$/);
  const { protocol, host, pathname, searchParams } = new URL(uri);
  expect([protocol, host]).toEqual(['otpauth:', 'totp']);
  expect(pathname.slice(1).split(':').map(decodeURIComponent)).toEqual([issuer, account]);
  expect(Object.fromEntries(searchParams)).toEqual({
    ...{ secret: 'JBSWY3DPEHPK3PXP', issuer },
    ...{ algorithm: 'SHA1', digits: '6', period: '30' },
  });
});

test('writes a space as %20', () => {
  const uri = otpauthUri({ issuer: 'Big Corporation', account: 'a@example.com', secret });
  expect(uri).toContain('/Big%20Corporation:a%40example.com?');
  expect(uri).toContain('&issuer=Big%20Corporation&');
});

test.each([
  ['a colon in the issuer', 'Optix: test', 'a@example.com'],
  ['a colon in the account', 'Optix', 'a:b'],
  ['no issuer', '', 'a@example.com'],
])('refuses %s', (_case, issuer, account) => {
  expect(() => otpauthUri({ issuer, account, secret })).toThrow(RangeError);
});

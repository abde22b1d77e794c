import { expect, test } from 'vitest';
import { parsePbkdf2 } from './pbkdf2.ts';
import type { StoredHash } from './stored-hash.ts';
import { formatUnpaddedBase64 } from './unpadded-base64.ts';

function read(text: string): StoredHash {
  const parsed = parsePbkdf2(text);
  if (!parsed?.ok) throw new Error(parsed?.reason ?? 'of another kind');
  return parsed.value;
}

test.each([
  ['RFC 6070', 'sha1', 1, 'password', 'salt', '0c60c80f961f0e71f3a9b524af6012062fe037a6'],
  ['RFC 6070', 'sha1', 4096, 'password', 'salt', '4b007901b765489abead49d926f721d065a429c1'],
  [
    'RFC 6070',
    'sha1',
    4096,
    'passwordPASSWORDpassword',
    'saltSALTsaltSALTsaltSALTsaltSALTsalt',
    '3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038',
  ],
  ['RFC 6070', 'sha1', 4096, 'pass\0word', 'sa\0lt', '56fa6aa75548099dcc37d7f03425e0c3'],
  [
    'RFC 7914',
    'sha256',
    1,
    'passwd',
    'salt',
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783',
  ],
  [
    'RFC 7914',
    'sha256',
    80_000,
    'Password',
    'NaCl',
    '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d',
  ],
] as const)(
  'verifies %s with %s and %i iterations',
  async (_rfc, digest, iterations, password, salt, tag) => {
    const text = [
      `$pbkdf2-${digest}$i=${iterations}`,
      formatUnpaddedBase64(Buffer.from(salt)),
      formatUnpaddedBase64(Buffer.from(tag, 'hex')),
    ].join('$');
    expect(await read(text).verify(password)).toBe(true);
    expect(await read(text).verify(`${password} `)).toBe(false);
  },
);

test.each([
  [
    'passlib',
    'password',
    '$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M',
  ],
  ['passlib', 'password', '$pbkdf2-sha256$8000$XAuBMIYQQogxRg$tRRlz8hYn63B9LYiCd6PRo6FMiunY9ozmMMI3srxeRE'],
  [
    'passlib',
    'password',
    '$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ',
  ],
  ['passlib', 'password', '$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI'],
  [
    'passlib',
    'password',
    '$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww',
  ],
  ['Django', 'not a password', 'pbkdf2_sha1$10000$wz5B6WkasRoF$atJmJ1o+XfJxKq1+Nu1f1i57Z5I='],
  ['Django', 'l\u00e8tmein', 'pbkdf2_sha256$36000$seasalt$mEUPPFJkT/xtwDU8rB7Q+puHRZnR07WRjerTkt/3HI0='],
])('verifies what %s wrote for %j', async (_maker, password, text) => {
  expect(await read(text).verify(password)).toBe(true);
  expect(await read(text).verify(`${password} `)).toBe(false);
});

test('takes the password in the form it was typed', async () => {
  const hash = read('pbkdf2_sha256$36000$seasalt$mEUPPFJkT/xtwDU8rB7Q+puHRZnR07WRjerTkt/3HI0=');
  expect(await hash.verify('l\u00e8tmein')).toBe(true);
  expect(await hash.verify('le\u0300tmein')).toBe(false);
});

const SALT = '0ZrzXitFSGltTQnBWOsdAw';
const TAG = 'Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M';

test('reads the length that the PHC format may carry, and refuses a wrong one', () => {
  expect(read(`$pbkdf2-sha256$i=6400,l=32$${SALT}$${TAG}`).cost).toBe('pbkdf2-sha256 i=6400');
  expect(parsePbkdf2(`$pbkdf2-sha256$i=6400,l=33$${SALT}$${TAG}`)).toMatchObject({ ok: false });
});

test.each(['', 'pbkdf2', '$pbkdf1$1$', 'sha256$x$y'])('leaves %j to others', (text) => {
  expect(parsePbkdf2(text)).toBeNull();
});

test.each([
  [`$pbkdf2-sha256$i=2000001$${SALT}$${TAG}`, /at most 2000000/],
  [`$pbkdf2-sha256$i=9999999999$${SALT}$${TAG}`, /at most 2000000/],
  // 32 bytes of SHA-1 are two blocks, each of all iterations.
  [`$pbkdf2$1000001$${SALT}$${TAG}`, /at most 2000000/],
  [`pbkdf2_sha256$2000001$seasalt$${TAG}=`, /at most 2000000/],
  [`$pbkdf2-sha256$0$${SALT}$${TAG}`, /must be PBKDF2/],
  [`$pbkdf2-sha256$-1$${SALT}$${TAG}`, /must be PBKDF2/],
  [`$pbkdf2-md5$6400$${SALT}$${TAG}`, /must be PBKDF2/],
  [`$pbkdf2-sha256$6400$${SALT}`, /must be PBKDF2/],
  [`$pbkdf2-sha256$6400$$${TAG}`, /must be PBKDF2/],
  [`$pbkdf2-sha256$6400$${SALT}$${TAG}\n`, /must be PBKDF2/],
  [`$pbkdf2-sha256$6400$${SALT}$${TAG}=`, /must be PBKDF2/],
  [`$pbkdf2-sha256$6400$${SALT}$Y11AchqV4b0sUisd`, /16 to 64/],
  [`$pbkdf2-sha256$6400$${'a'.repeat(400)}$${TAG}`, /4 to 64 bytes/],
  [`pbkdf2_sha256$36000$seasalt$${TAG}`, /must be PBKDF2/],
  [`pbkdf2_sha512$36000$seasalt$${TAG}=`, /must be PBKDF2/],
])('refuses %j', (text, reason) => {
  const parsed = parsePbkdf2(text);
  expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect(JSON.stringify(parsed)).not.toContain(TAG.slice(0, 16));
});

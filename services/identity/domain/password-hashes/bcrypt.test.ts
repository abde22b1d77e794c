import { expect, test } from 'vitest';
import { parseBcrypt } from './bcrypt.ts';
import type { StoredHash } from './stored-hash.ts';

function read(text: string): StoredHash {
  const parsed = parseBcrypt(text);
  if (!parsed?.ok) throw new Error(parsed?.reason ?? 'of another kind');
  return parsed.value;
}

const DIGITS_TO_72 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

// Of crypt_blowfish's self-test (Openwall), OpenBSD's regress test and jBCrypt's.
test.each([
  ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
  ['U*U*U', '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
  ['', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'],
  [
    `${DIGITS_TO_72}chars after 72 are ignored`,
    '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  ],
  ['0'.repeat(72), '$2b$05$CCCCCCCCCCCCCCCCCCCCC.6.O1dLNbjod2uo0DVcW.jHucKbPDdHS'],
  ['a', '$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe'],
  ['abc', '$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
  ['abcdefghijklmnopqrstuvwxyz', '$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC'],
  ['~!@#$%^&*()      ~!@#$%^&*()PNBFRD', '$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO'],
])('verifies %j against a published vector', async (password, text) => {
  expect(await read(text).verify(password)).toBe(true);
  expect(await read(text).verify(`x${password}`)).toBe(false);
});

test.each(['a', 'b', 'y'])('$2%s$ is the same hash under another name', async (version) => {
  const hash = read(`$2${version}$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`);
  expect(await hash.verify('U*U')).toBe(true);
  expect(hash).toMatchObject({ algorithm: 'bcrypt', cost: 'bcrypt 5' });
});

test('takes the password as UTF-8, in the form it was typed', async () => {
  const hash = read('$2a$10$.TtQJ4Jr6isd4Hp.mVfZeuh6Gws4rOQ/vdBczhDx.19NFK0Y84Dle');
  expect(await hash.verify('\u03c0'.repeat(8))).toBe(true);
});

test.each(['a', 'b', 'y'])('72 bytes count in $2%s$, however long the password', async (version) => {
  const hash = read(`$2${version}$05$CCCCCCCCCCCCCCCCCCCCC.6.O1dLNbjod2uo0DVcW.jHucKbPDdHS`);
  expect(await hash.verify('0'.repeat(72))).toBe(true);
  expect(await hash.verify('0'.repeat(255))).toBe(true);
  expect(await hash.verify('0'.repeat(71))).toBe(false);
  // The length of this one, with its NUL, overflowed to none in the makers with the flaw.
  expect(await hash.verify(`0${'1'.repeat(254)}`)).toBe(false);
});

test('a NUL is a byte like others, but the end of the password in $2y$', async () => {
  // Of node.bcrypt's tests, where the whole counts; the other is of the part before the NUL.
  const whole = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.VHy/kzL4sCcX3Ib3wN5rNGiRt.TpfxS';
  expect(await read(whole).verify('Passw\0rd123')).toBe(true);
  expect(await read(whole).verify('Passw')).toBe(false);
  expect(await read(whole.replace('2b', '2y')).verify('Passw\0rd123')).toBe(false);
  const cut = '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
  expect(await read(cut).verify('U*U\0 and more')).toBe(true);
});

test('bits of the salt that belong to no byte do not matter, whoever left them set', async () => {
  expect(await read('$2a$05$CCCCCCCCCCCCCCCCCCCCCAVGOzA784oUp/Z0DY336zx7pLYAy0lwK').verify('U*U*')).toBe(
    true,
  );
});

test.each(['', 'plain', '$2', '$argon2id$', '2b$05$'])('leaves %j to others', (text) => {
  expect(parseBcrypt(text)).toBeNull();
});

const REST = 'CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

test.each([
  [`$2$05$${REST}`, /known flaws/],
  [`$2x$05$${REST}`, /known flaws/],
  [`$2c$05$${REST}`, /must be \$2b\$/],
  [`$2b$03$${REST}`, /4 to 15 bcrypt rounds/],
  [`$2b$16$${REST}`, /4 to 15 bcrypt rounds/],
  [`$2b$31$${REST}`, /4 to 15 bcrypt rounds/],
  [`$2b$5$${REST}`, /must be \$2b\$/],
  [`$2b$05$${REST.slice(1)}`, /must be \$2b\$/],
  [`$2b$05$${REST}.`, /must be \$2b\$/],
  [`$2b$05$${REST}\n`, /must be \$2b\$/],
  [`$2b$05$${REST.replace('E', '+')}`, /must be \$2b\$/],
  [`$2b$05$${REST.replace('E', '\0')}`, /must be \$2b\$/],
  // A last character that no bcrypt writes: the text was cut or changed.
  [`$2b$05$${REST.slice(0, -1)}X`, /must be \$2b\$/],
])('refuses %j', (text, reason) => {
  const parsed = parseBcrypt(text);
  expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect(JSON.stringify(parsed)).not.toContain(REST.slice(5, 20));
});

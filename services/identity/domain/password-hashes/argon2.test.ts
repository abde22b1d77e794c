import { argon2Sync } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Argon2Hash, argon2Hash, deriveArgon2, formatArgon2, parseArgon2 } from './argon2.ts';

const SALT = 'c29tZXNhbHQ';
const TAG = 'CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';

function read(text: string): Argon2Hash {
  const parsed = parseArgon2(text);
  if (!parsed?.ok) throw new Error(parsed?.reason ?? 'of another kind');
  return parsed.value;
}

test.each([
  ['argon2d', 5.1, '512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb'],
  ['argon2i', 5.2, 'c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8'],
  ['argon2id', 5.3, '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659'],
] as const)('the %s underneath gives the tag of RFC 9106 section %s', (variant, _section, expected) => {
  const tag = argon2Sync(variant, {
    message: Buffer.alloc(32, 1),
    nonce: Buffer.alloc(16, 2),
    secret: Buffer.alloc(8, 3),
    associatedData: Buffer.alloc(12, 4),
    memory: 32,
    passes: 3,
    parallelism: 4,
    tagLength: 32,
  });
  expect(tag.toString('hex')).toBe(expected);
});

// The first two from the reference implementation's tests, the third from passlib's.
test.each([
  ['argon2id', `$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${TAG}`],
  ['argon2i', `$argon2i$v=19$m=65536,t=2,p=1$${SALT}$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA`],
  ['argon2d', '$argon2d$v=19$m=102400,t=2,p=8$g2RodLh8j8WbSdCp+lUy/A$zzAJqL/HSjm809PYQu6qkA'],
])('verifies an %s hash that another implementation made', async (algorithm, text) => {
  const hash = read(text);
  expect(hash.algorithm).toBe(algorithm);
  expect(await hash.verify('password')).toBe(true);
  expect(await hash.verify('Password')).toBe(false);
});

test('tells the cost, which is the same for hashes that take equally long', () => {
  expect(read(`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${TAG}`).cost).toBe('argon2id m=65536 t=2 p=1');
});

test('what it writes, it reads', async () => {
  const parameters = {
    variant: 'argon2id',
    memoryKiB: 64,
    passes: 1,
    parallelism: 1,
    salt: Buffer.alloc(16, 1),
  } as const;
  const text = formatArgon2(argon2Hash(parameters, await deriveArgon2('correct horse', parameters, 32)));
  expect(text).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$AQEBAQEBAQEBAQEBAQEBAQ\$[A-Za-z0-9+/]{43}$/);
  expect(formatArgon2(read(text))).toBe(text);
  expect(await read(text).verify('correct horse')).toBe(true);
});

test.each(['', 'plain', '$argon2', '$2b$12$', 'argon2id$v=19$', ' $argon2id$v=19$'])(
  'leaves %j to others',
  (text) => {
    expect(parseArgon2(text)).toBeNull();
  },
);

test.each([
  [`$argon2id$m=65536,t=2,p=1$${SALT}$${TAG}`, /version 1\.3/],
  [`$argon2id$v=16$m=65536,t=2,p=1$${SALT}$${TAG}`, /version 1\.3/],
  [`$argon2id$v=19$m=65536,t=2,p=1,keyid=Hj5+$${SALT}$${TAG}`, /keyid or data/],
  [`$argon2id$v=19$m=65536,t=2,p=1,data=abcd$${SALT}$${TAG}`, /keyid or data/],
  [`$argon2id$v=19$m=262145,t=2,p=1$${SALT}$${TAG}`, /at most m=262144/],
  [`$argon2id$v=19$m=4294967295,t=2,p=1$${SALT}$${TAG}`, /at most m=262144/],
  [`$argon2id$v=19$m=65536,t=11,p=1$${SALT}$${TAG}`, /t=10/],
  [`$argon2id$v=19$m=65536,t=2,p=17$${SALT}$${TAG}`, /p=16/],
  [`$argon2id$v=19$m=31,t=2,p=4$${SALT}$${TAG}`, /8 times p/],
  [`$argon2id$v=19$m=0,t=2,p=1$${SALT}$${TAG}`, /must be \$argon2id/],
  [`$argon2id$v=19$m=064,t=2,p=1$${SALT}$${TAG}`, /must be \$argon2id/],
  [`$argon2id$v=19$m=1e3,t=2,p=1$${SALT}$${TAG}`, /must be \$argon2id/],
  [`$argon2id$v=19$t=2,m=65536,p=1$${SALT}$${TAG}`, /must be \$argon2id/],
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}`, /must be \$argon2id/],
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${TAG}$`, /must be \$argon2id/],
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${TAG}\n`, /must be \$argon2id/],
  // Padding, the other alphabet, bits that belong to no byte, seven bytes of salt, fifteen of tag.
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}=$${TAG}`, /without padding/],
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$${TAG.slice(0, -2)}_8`, /without padding/],
  [`$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHR$${TAG}`, /without padding/],
  [`$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbA$${TAG}`, /8 to 64 bytes/],
  [`$argon2id$v=19$m=65536,t=2,p=1$${SALT}$AAAAAAAAAAAAAAAAAAAA`, /16 to 64/],
])('refuses %s', (text, reason) => {
  const parsed = parseArgon2(text);
  expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  expect(JSON.stringify(parsed)).not.toContain(SALT);
});

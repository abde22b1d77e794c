import { argon2, argon2Sync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { HashingOverloaded } from './errors.ts';
import { PasswordHasher } from './password-hasher.ts';
import { argon2Hash, formatArgon2 } from './password-hashes/argon2.ts';
import { type NewPassword, normalizePassword, parseNewPassword } from './password-policy.ts';

// The real one, watched.
vi.mock('node:crypto', async (importOriginal) => {
  const actual = await importOriginal<typeof import('node:crypto')>();
  return { ...actual, argon2: vi.fn(actual.argon2) };
});

/** Of `U*U`, by another implementation, at the least cost. */
const BCRYPT = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
/** Of `lètmein`, by Django. */
const DJANGO = 'pbkdf2_sha256$36000$seasalt$mEUPPFJkT/xtwDU8rB7Q+puHRZnR07WRjerTkt/3HI0=';

/** Cheap enough for tests; the rules are the same at any cost. */
const CHEAP = { memoryKiB: 64, passes: 1, parallelism: 1 };

function chosen(text: string): NewPassword {
  const parsed = parseNewPassword(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

test('verifies a hash that the reference implementation made', async () => {
  const stored = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  const hasher = new PasswordHasher();
  expect(await hasher.verify('password', stored)).toBe(true);
  expect(await hasher.verify('Password', stored)).toBe(false);
  expect(hasher.needsRehash(stored)).toBe(true);
});

test('hashes at 19 MiB, two passes, one lane, with 16 bytes of salt and a tag of 32', async () => {
  const hasher = new PasswordHasher();
  const stored = await hasher.hash(chosen('correct horse'));
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await hasher.verify('correct horse', stored)).toBe(true);
  expect(await hasher.verify('correct house', stored)).toBe(false);
  expect(hasher.needsRehash(stored)).toBe(false);
  expect(stored.startsWith(hasher.prefix)).toBe(true);
});

test('two hashes of one password differ', async () => {
  const hasher = new PasswordHasher(CHEAP);
  expect(await hasher.hash(chosen('correct horse'))).not.toBe(await hasher.hash(chosen('correct horse')));
});

test('the composed and the decomposed form are one password', async () => {
  const hasher = new PasswordHasher(CHEAP);
  const stored = await hasher.hash(chosen('caf\u00e9 caf\u00e9'));
  expect(await hasher.verify('cafe\u0301 cafe\u0301', stored)).toBe(true);
});

test.each([
  ['nobody has the address', 'correct horse', null],
  ['the stored text is no hash', 'correct horse', 'plain'],
  ['the hash is of an unknown kind', 'correct horse', '$6$rounds=5000$salt$hash'],
  ['the hash is malformed', 'correct horse', '$2b$12$abcdefghijklmnopqrstuv'],
  ['the hash asks for more rounds than allowed', 'correct horse', `$2b$31${BCRYPT.slice(6)}`],
  [
    'the hash asks for more memory than allowed',
    'x',
    '$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  ],
  ['the password is empty', '', null],
  ['the password is longer than any can be', 'x'.repeat(129), null],
])('says no where %s, after as much work as for a real one', async (_case, password, stored) => {
  const hasher = new PasswordHasher();
  const real = await hasher.hash(chosen('correct horse'));
  const costOf = async (work: () => Promise<boolean>) => {
    vi.mocked(argon2).mockClear();
    expect(await work()).toBe(false);
    return vi.mocked(argon2).mock.calls.map(([algorithm, { memory, passes, parallelism, tagLength }]) => ({
      ...{ algorithm, memory, passes, parallelism, tagLength },
    }));
  };
  const forReal = await costOf(() => hasher.verify('wrong horse', real));
  expect(forReal).toEqual([
    { algorithm: 'argon2id', memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 },
  ]);
  expect(await costOf(() => hasher.verify(password, stored))).toEqual(forReal);
});

test('an empty password never matches, not even its own hash', async () => {
  const salt = Buffer.alloc(16, 7);
  const tag = argon2Sync('argon2id', {
    message: '',
    nonce: salt,
    memory: 64,
    passes: 1,
    parallelism: 1,
    tagLength: 32,
  });
  const stored = formatArgon2(argon2Hash({ ...CHEAP, variant: 'argon2id', salt }, tag));
  expect(await new PasswordHasher(CHEAP).verify('', stored)).toBe(false);
});

test('a hash at another cost still verifies, and asks to be replaced', async () => {
  const stored = await new PasswordHasher(CHEAP).hash(chosen('correct horse'));
  const today = new PasswordHasher({ ...CHEAP, passes: 2 });
  expect(await today.verify('correct horse', stored)).toBe(true);
  expect(today.needsRehash(stored)).toBe(true);
});

test.each([
  ['bcrypt', 'U*U', BCRYPT],
  [
    'scrypt',
    'password',
    '$scrypt$ln=8,r=8,p=1$WKs1xljLudd6z9kbY0wpJQ$yCR4iDZYDKv+iEJj6yHY0lv/epnfB6f/w1EbXrsJOuQ',
  ],
  ['PBKDF2', 'l\u00e8tmein', DJANGO],
  [
    'argon2i',
    'password',
    '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA',
  ],
])('an imported %s hash verifies, and asks to be replaced', async (_kind, password, stored) => {
  const hasher = new PasswordHasher(CHEAP);
  expect(await hasher.verify(password, stored)).toBe(true);
  expect(await hasher.verify(`${password}!`, stored)).toBe(false);
  expect(await hasher.verify('', stored)).toBe(false);
  expect(hasher.needsRehash(stored)).toBe(true);

  const replaced = await hasher.hash(normalizePassword(password));
  expect(await hasher.verify(password, replaced)).toBe(true);
  expect(hasher.needsRehash(replaced)).toBe(false);
});

test('what another system hashed is compared as typed, and only ours in the normal form', async () => {
  const hasher = new PasswordHasher(CHEAP);
  expect(await hasher.verify('le\u0300tmein', DJANGO)).toBe(false);
  const ours = await hasher.hash(normalizePassword('l\u00e8tmein'));
  expect(await hasher.verify('le\u0300tmein', ours)).toBe(true);
});

test('needs a rehash for an empty, an unknown and a short-salted hash too', () => {
  const hasher = new PasswordHasher(CHEAP);
  expect(hasher.needsRehash('')).toBe(true);
  expect(hasher.needsRehash('plain')).toBe(true);
  const parameters = { ...CHEAP, variant: 'argon2id', salt: Buffer.alloc(8, 1) } as const;
  expect(hasher.needsRehash(formatArgon2(argon2Hash(parameters, Buffer.alloc(32, 1))))).toBe(true);
});

test('imported hashes wait for their turn like all others', async () => {
  const hasher = new PasswordHasher({ ...CHEAP, concurrency: 1, queueLimit: 3 });
  const stored = BCRYPT.replace('$05$', '$10$');
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => hasher.verify('U*U', stored)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  for (const result of results.filter((settled) => settled.status === 'rejected')) {
    expect(result.reason).toBeInstanceOf(HashingOverloaded);
  }
  // The next one is told of four that take what bcrypt was seen to take, and not what argon2id does.
  const blocked = [1, 2, 3, 4].map(() => hasher.verify('U*U', stored));
  const refusal = await hasher.verify('U*U', stored).catch((error: unknown) => error);
  expect((refusal as HashingOverloaded).retryAfterMs).toBeGreaterThan(50);
  await Promise.all(blocked);
  expect(hasher.figures).toEqual({ running: 0, waiting: 0 });
});

/** How long a check of a wrong password lasts until it is refused, in ms. */
async function refusalMs(hasher: PasswordHasher, stored: string | null): Promise<number> {
  const from = performance.now();
  const { matches, evenOut } = await hasher.check('wrong horse', stored);
  expect(matches).toBe(false);
  await evenOut();
  return performance.now() - from;
}

test('a refusal lasts as long for nobody as for an imported account, from the first on', async () => {
  const hasher = new PasswordHasher(CHEAP);
  const stored = BCRYPT.replace('$05$', '$10$');
  await hasher.learnCosts([BCRYPT, stored]);
  const slow = await refusalMs(hasher, stored);
  expect(await refusalMs(hasher, null)).toBeGreaterThan(slow / 3);
  expect(await refusalMs(hasher, BCRYPT)).toBeGreaterThan(slow / 3);
});

test('without imported hashes a refusal waits for nothing', async () => {
  const hasher = new PasswordHasher(CHEAP);
  await hasher.learnCosts([await hasher.hash(chosen('correct horse')), 'no hash at all']);
  await hasher.verify('wrong horse', null);
  const { evenOut } = await hasher.check('wrong horse', null);
  const from = performance.now();
  await evenOut();
  expect(performance.now() - from).toBeLessThan(5);
});

test('sheds load past the bound, serves what it took on, and is free again', async () => {
  const hasher = new PasswordHasher({ ...CHEAP, memoryKiB: 4096, concurrency: 1, queueLimit: 3 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, () => hasher.hash(chosen('correct horse'))),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  for (const result of results.filter((settled) => settled.status === 'rejected')) {
    expect(result.reason).toBeInstanceOf(HashingOverloaded);
    expect(result.reason.retryAfterMs).toBeGreaterThanOrEqual(1);
  }
  expect(hasher.figures).toEqual({ running: 0, waiting: 0 });
  await expect(hasher.hash(chosen('correct horse'))).resolves.toMatch(/^\$argon2id/);
});

test('drops a queued call whose caller has gone, before it costs anything', async () => {
  const hasher = new PasswordHasher({ ...CHEAP, memoryKiB: 65_536, concurrency: 1, queueLimit: 3 });
  const running = hasher.hash(chosen('correct horse'));
  const gone = new AbortController();
  const queued = hasher.verify('correct horse', null, gone.signal);
  gone.abort(new Error('the caller has gone'));
  await expect(queued).rejects.toThrow('the caller has gone');
  expect(hasher.figures).toEqual({ running: 1, waiting: 0 });
  await running;
  expect(hasher.figures).toEqual({ running: 0, waiting: 0 });
});

test('the event loop stays free while passwords are hashed', async () => {
  const hasher = new PasswordHasher({ concurrency: 1 });
  const hashing = Promise.all([1, 2, 3].map(() => hasher.hash(chosen('correct horse'))));
  let turns = 0;
  const counting = (async () => {
    while (hasher.figures.running > 0) {
      turns += 1;
      await sleep(1);
    }
  })();
  await hashing;
  await counting;
  expect(turns).toBeGreaterThan(5);
});

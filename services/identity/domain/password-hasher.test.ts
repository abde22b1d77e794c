import { argon2, argon2Sync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { formatArgon2id, parseArgon2id } from './argon2id-phc.ts';
import { HashingOverloaded } from './errors.ts';
import { PasswordHasher } from './password-hasher.ts';
import { type NewPassword, parseNewPassword } from './password-policy.ts';

// The real one, watched.
vi.mock('node:crypto', async (importOriginal) => {
  const actual = await importOriginal<typeof import('node:crypto')>();
  return { ...actual, argon2: vi.fn(actual.argon2) };
});

/** Cheap enough for tests; the rules are the same at any cost. */
const CHEAP = { memoryKiB: 64, passes: 1, parallelism: 1 };

function chosen(text: string): NewPassword {
  const parsed = parseNewPassword(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

test('the argon2id underneath gives the tag of RFC 9106 section 5.3', () => {
  const tag = argon2Sync('argon2id', {
    message: Buffer.alloc(32, 1),
    nonce: Buffer.alloc(16, 2),
    secret: Buffer.alloc(8, 3),
    associatedData: Buffer.alloc(12, 4),
    memory: 32,
    passes: 3,
    parallelism: 4,
    tagLength: 32,
  });
  expect(tag.toString('hex')).toBe('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659');
});

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
  ['the hash is of another kind', 'correct horse', '$2b$12$abcdefghijklmnopqrstuv'],
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
  const stored = formatArgon2id({ ...CHEAP, salt, tag });
  expect(await new PasswordHasher(CHEAP).verify('', stored)).toBe(false);
});

test('a hash at another cost still verifies, and asks to be replaced', async () => {
  const stored = await new PasswordHasher(CHEAP).hash(chosen('correct horse'));
  const today = new PasswordHasher({ ...CHEAP, passes: 2 });
  expect(await today.verify('correct horse', stored)).toBe(true);
  expect(today.needsRehash(stored)).toBe(true);
});

test('PHC strings survive a round trip', () => {
  const hash = {
    memoryKiB: 19_456,
    passes: 2,
    parallelism: 1,
    salt: Buffer.alloc(16, 1),
    tag: Buffer.alloc(32, 2),
  };
  expect(parseArgon2id(formatArgon2id(hash))).toEqual(hash);
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

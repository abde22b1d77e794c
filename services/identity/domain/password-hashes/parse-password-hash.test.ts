import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePasswordHash } from './parse-password-hash.ts';

const GOOD = [
  ['argon2id', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
  ['argon2i', '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA'],
  ['argon2d', '$argon2d$v=19$m=102400,t=2,p=8$g2RodLh8j8WbSdCp+lUy/A$zzAJqL/HSjm809PYQu6qkA'],
  ['bcrypt', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['scrypt', '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E'],
  ['pbkdf2', '$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M'],
] as const;

test.each(GOOD)('knows %s', (algorithm, text) => {
  expect(parsePasswordHash(text)).toMatchObject({ ok: true, value: { algorithm } });
});

test.each(['', 'password', '5f4dcc3b5aa765d61d8327deb882cf99', '$1$salt$hash', '$6$salt$hash', '{SSHA}abcd'])(
  'does not know %j, and does not repeat it',
  (text) => {
    const parsed = parsePasswordHash(text);
    expect(parsed).toEqual({ ok: false, reason: expect.stringMatching(/must be a hash of a known kind/) });
    if (text !== '' && text !== 'password') expect(JSON.stringify(parsed)).not.toContain(text);
  },
);

test('refuses a text that no hash is as long as, at once', () => {
  expect(parsePasswordHash(`$argon2id$v=19$${'m=1,'.repeat(1_000_000)}`)).toEqual({
    ok: false,
    reason: 'must have at most 512 characters',
  });
});

test('a hash with any character changed is either refused or another hash, and never an exception', () => {
  const mutated = fc.tuple(
    fc.constantFrom(...GOOD.map(([, text]) => text)),
    fc.nat(120),
    fc.oneof(fc.string({ maxLength: 3, unit: 'binary' }), fc.constantFrom('$', ',', '=', '9', '\0')),
  );
  fc.assert(
    fc.property(mutated, ([text, position, insert]) => {
      const changed = text.slice(0, position) + insert + text.slice(position + 1);
      const parsed = parsePasswordHash(changed);
      expect(parsed.ok || parsed.reason).toBeTruthy();
    }),
    { numRuns: 2000 },
  );
});

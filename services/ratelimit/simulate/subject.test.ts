import { describe, expect, it } from 'vitest';
import { readSubjects, type Sender, type Subject, senderIdentifier } from './subject.ts';

function sender(change: Partial<Sender> = {}): Sender {
  return { ip: '203.0.113.9', user: undefined, header: () => undefined, ...change };
}

function by(text: string): readonly Subject[] {
  return readSubjects(text) ?? [];
}

describe('senderIdentifier', () => {
  it('is what the middleware and forward-auth count by', () => {
    expect(senderIdentifier(by('ip'), sender())).toBe('ip:203.0.113.9');
    expect(senderIdentifier(by('ip'), sender({ ip: '2001:DB8:1:2:3::4' }))).toBe('ip:2001:db8:1:2::/64');
    expect(senderIdentifier(by('ip'), sender({ ip: '::ffff:203.0.113.9' }))).toBe('ip:203.0.113.9');
    expect(senderIdentifier(by('user'), sender({ user: 'ada' }))).toBe('user:ada');
    expect(senderIdentifier(by('header:X-Tenant'), sender({ header: (name) => name }))).toBe(
      'x-tenant:x-tenant',
    );
  });

  it('takes the first that the request has', () => {
    expect(senderIdentifier(by('user,ip'), sender({ user: '-' }))).toBe('ip:203.0.113.9');
    expect(senderIdentifier(by('user,ip'), sender({ user: 'ada' }))).toBe('user:ada');
    expect(senderIdentifier(by('user'), sender({ user: '' }))).toBeUndefined();
  });

  it('takes the SHA-256 of what CheckLimit would refuse, and of credentials', () => {
    const hashed = /^[a-z-]+:sha256:[0-9a-f]{64}$/;
    expect(senderIdentifier(by('user'), sender({ user: 'x'.repeat(300) }))).toMatch(hashed);
    expect(senderIdentifier(by('user'), sender({ user: 'a\u001b[2Jb' }))).toMatch(hashed);
    expect(senderIdentifier(by('header:x-api-key'), sender({ header: () => 'hush' }))).toMatch(hashed);
    expect(senderIdentifier(by('user'), sender({ user: 'Zoë' }))).toBe('user:Zoë');
  });
});

describe('readSubjects', () => {
  it.each(['', 'IP', 'ip,', 'cookie', 'header:', 'header:a b'])('knows no %j', (text) => {
    expect(readSubjects(text)).toBeUndefined();
  });
});

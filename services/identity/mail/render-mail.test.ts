import { describe, expect, test } from 'vitest';
import { mailLinkProblem, renderMail } from './render-mail.ts';

const AT = new Date('2026-11-22T13:05:59.999Z');
const UNTIL = new Date('2026-11-22T13:35:00Z');
const TOKEN = 'x'.repeat(43);
const LINKS = { verifyEmail: 'https://app.example/verify#{token}', resetPassword: undefined };

describe('a mail says what happened, when in UTC, and what to do:', () => {
  test('a link where a page is set', () => {
    const message = { template: 'verify_email', token: TOKEN, expiresAt: UNTIL } as const;
    const { to, subject, text } = renderMail('ada@example.com', message, LINKS);
    expect({ to, subject }).toEqual({ to: 'ada@example.com', subject: 'Verify your e-mail address' });
    expect(text).toContain(`\nhttps://app.example/verify#${TOKEN}\n`);
    expect(text).toContain('until 2026-11-22 13:35 UTC');
  });

  test('else the bare token', () => {
    const message = { template: 'reset_password', token: TOKEN, expiresAt: UNTIL } as const;
    expect(renderMail('ada@example.com', message, LINKS).text).toContain(`\nYour code: ${TOKEN}\n`);
  });

  test.each([
    { template: 'password_changed', at: AT } as const,
    { template: 'email_changed', at: AT } as const,
    { template: 'account_locked', at: AT, until: UNTIL } as const,
  ])('$template', (message) => {
    const { subject, text } = renderMail('ada@example.com', message, LINKS);
    expect(subject).not.toMatch(/\p{Cc}/u);
    expect(text).toContain('2026-11-22 13:05 UTC');
    expect(text).toMatch(/If it was not you/);
    for (const line of text.split('\n')) expect(Buffer.byteLength(line)).toBeLessThan(998);
  });
});

test.each([
  ['https://app.example/reset?token={token}', true],
  ['http://localhost:3000/{token}', true],
  ['https://app.example/reset', false],
  ['https://app.example/{token}/{token}', false],
  ['javascript:alert({token})', false],
  ['https://app.example/a b{token}', false],
])('%s is a page that takes tokens: %s', (url, good) => {
  expect(mailLinkProblem(url) === undefined).toBe(good);
});

import { describe, expect, it } from 'vitest';
import { InvalidSettings } from '../../../runtime/settings.ts';
import { type IdentityConfig, readConfig } from '../config.ts';

const DATABASE_URL = 'postgresql://optix:unguessable@db.internal/optix';

function problems(env: Record<string, string>): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
}

function read(env: Record<string, string>): IdentityConfig {
  return readConfig({ DATABASE_URL, ...env });
}

describe('settings that are good by themselves and not together', () => {
  it.each([
    [
      { SESSION_IDLE_TIMEOUT_SECONDS: '900', ACCESS_TOKEN_LIFETIME_SECONDS: '900' },
      'SESSION_IDLE_TIMEOUT_SECONDS must be longer than ACCESS_TOKEN_LIFETIME_SECONDS',
    ],
    [{ LOCKOUT_BASE_SECONDS: '7200' }, 'LOCKOUT_MAX_SECONDS must be at least LOCKOUT_BASE_SECONDS'],
  ])('%j', (env, problem) => {
    expect(problems(env)).toEqual([problem]);
  });
});

describe('DATABASE_REPLICA_URLS', () => {
  it('is a list', () => {
    const one = 'postgresql://optix:first-secret@one.internal/optix';
    const two = 'postgresql://optix:second-secret@two.internal/optix';
    expect(read({ DATABASE_REPLICA_URLS: `${one}, ${two}` }).databaseReplicaUrls).toEqual([one, two]);
    expect(read({}).databaseReplicaUrls).toBeUndefined();
  });

  it('names the variable where one is wrong, and shows none', () => {
    const [problem, ...others] = problems({
      DATABASE_REPLICA_URLS:
        'postgresql://optix:first-secret@one.internal/optix,mysql://optix:second-secret@two/x',
    });
    expect(others).toEqual([]);
    expect(problem).toMatch(/^DATABASE_REPLICA_URLS /);
    expect(problem).not.toContain('secret');
  });

  it('needs a password in production, as the database itself does', () => {
    const production = {
      ENVIRONMENT: 'production',
      IDENTITY_CALLER_KEYS: `gateway=${'0'.repeat(64)}`,
      IDENTITY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
    };
    expect(problems(production)).toEqual([]);
    expect(
      problems({ ...production, DATABASE_REPLICA_URLS: 'postgresql://optix:optix@one.internal/optix' }),
    ).toEqual(['DATABASE_REPLICA_URLS has the password of an example, which everybody knows']);
  });
});

describe('mail', () => {
  it.each([
    ['MAIL_URL', 'https://mail.example'],
    ['MAIL_URL', 'smtp://user@mail.example'],
    ['MAIL_FROM', 'nobody'],
    ['EMAIL_VERIFICATION_URL', 'https://app.example/verify'],
    ['PASSWORD_RESET_URL', 'javascript:{token}'],
  ])('%s refuses %s', (name, text) => {
    expect(problems({ [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} must `))]);
  });

  it('never shows the password of the mail server', () => {
    const [problem] = problems({ MAIL_URL: 'smtp://user:very-secret@mail.example/path' });
    expect(problem).toMatch(/^MAIL_URL /);
    expect(problem).not.toContain('very-secret');
  });

  it('is read', () => {
    const config = read({
      MAIL_URL: 'smtps://user:very-secret@mail.example',
      MAIL_FROM: 'Example <no-reply@example.com>',
      PASSWORD_RESET_URL: 'https://app.example/reset#{token}',
    });
    expect(config.mailUrl).toMatchObject({ kind: 'smtp', host: 'mail.example', port: 465, tls: 'implicit' });
    expect(config.passwordResetUrl).toBe('https://app.example/reset#{token}');
  });
});

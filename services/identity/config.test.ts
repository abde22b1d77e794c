import { describe, expect, it } from 'vitest';
import { InvalidSettings } from '../../runtime/settings.ts';
import { readConfig } from './config.ts';

const DATABASE_URL = 'postgresql://optix:unguessable@db.internal/optix';
const PRODUCTION = {
  ENVIRONMENT: 'production',
  IDENTITY_CALLER_KEYS: `gateway=${'0'.repeat(64)}`,
  IDENTITY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
};

function problems(env: Record<string, string>): readonly string[] {
  try {
    readConfig({ DATABASE_URL, ...env });
  } catch (error) {
    if (error instanceof InvalidSettings) return error.problems;
    throw error;
  }
  return [];
}

describe('RATELIMIT_API_KEY', () => {
  it.each(['clé', 'a b', 'a\tb', 'a\nb', 'a\u007fb', '\u{1f511}'])(
    'refuses %j without repeating it',
    (key) => {
      expect(problems({ RATELIMIT_API_KEY: key })).toEqual([
        'RATELIMIT_API_KEY must be printable ASCII characters without spaces',
      ]);
    },
  );

  it('takes every printable character', () => {
    expect(problems({ RATELIMIT_API_KEY: '!~aZ09+/=_-' })).toEqual([]);
  });
});

describe('RATELIMIT_ADDRESS', () => {
  it.each([
    'http://x:1',
    'nohost',
    'a b:1',
    '127.0.0.1:99999',
    '127.0.0.1:0',
    ':50052',
    '::1:50052',
    '[nothing]:50052',
    '[::1]',
    '[127.0.0.1]:50052',
    'x:1/path',
    'dns:',
  ])('refuses %s', (address) => {
    expect(problems({ RATELIMIT_ADDRESS: address })).toEqual([
      `RATELIMIT_ADDRESS must be host:port, or a gRPC target that starts with dns: or unix:, not "${address}"`,
    ]);
  });

  it.each([
    '127.0.0.1:1',
    'ratelimit:65535',
    'rate_limit.prod-1.internal:50052',
    '[::1]:50052',
    '[::ffff:127.0.0.1]:50052',
    'dns:///ratelimit.internal:50052',
    'unix:/run/ratelimit.sock',
  ])('takes %s', (address) => {
    expect(readConfig({ DATABASE_URL, RATELIMIT_ADDRESS: address }).rateLimitAddress).toBe(address);
  });
});

describe('TOKEN_ISSUER', () => {
  it.each([
    'identity',
    'id.example.com',
    'ftp://id.example.com',
    'https:id.example.com',
    'https://',
    'https://id.example.com/?tenant=1',
    'https://id.example.com?',
    'https://id.example.com/#here',
    'https://id.example.com/a b',
  ])('refuses %s', (issuer) => {
    expect(problems({ TOKEN_ISSUER: issuer })).toEqual([
      `TOKEN_ISSUER must be a URL that starts with https:// or http://, without a query or a fragment, not "${issuer}"`,
    ]);
  });

  it.each(['https://id.example.com', 'https://id.example.com/tenants/1', 'http://[::1]:8081/'])(
    'takes %s as it is written',
    (issuer) => {
      expect(readConfig({ DATABASE_URL, TOKEN_ISSUER: issuer }).tokenIssuer).toBe(issuer);
    },
  );

  it('has a default', () => {
    expect(readConfig({ DATABASE_URL }).tokenIssuer).toBe('http://127.0.0.1:8081');
  });
});

describe('CORS_ORIGINS', () => {
  it.each([
    'app.example.com',
    'https://x/',
    '*.example.com',
    'https://*.example.com/',
    'https://X.example.com',
    'https://x:443',
    'null',
    'file:///x',
  ])('refuses %s, which no browser sends', (origin) => {
    const [problem, ...others] = problems({ CORS_ORIGINS: `https://good.example.com,${origin}` });
    expect(problem).toMatch(/^CORS_ORIGINS must be \* or origins/);
    expect(problem).toContain(`not "${origin}"`);
    expect(problem).not.toContain('good');
    expect(others).toEqual([]);
  });

  it('takes origins and *', () => {
    const config = readConfig({ DATABASE_URL, CORS_ORIGINS: 'https://a.example.com, http://[::1]:3000,*' });
    expect(config.corsOrigins).toEqual(['https://a.example.com', 'http://[::1]:3000', '*']);
  });
});

describe('DATABASE_URL', () => {
  it.each([
    ['postgres:', 'DATABASE_URL must name a host'],
    ['postgresql:///optix', 'DATABASE_URL must name a host'],
    ['postgresql://optix:hush@db', 'DATABASE_URL must name a database after the host, such as /optix'],
    [
      'postgresql://optix:hush%@db/optix',
      'DATABASE_URL must have each % of a user name or password written as %25',
    ],
    [
      'postgresql://hush%zz:p@db/optix',
      'DATABASE_URL must have each % of a user name or password written as %25',
    ],
    [
      'postgresql://db/optix?password=hush%',
      'DATABASE_URL must have each % of a user name or password written as %25',
    ],
  ])('refuses %s', (url, problem) => {
    expect(problems({ DATABASE_URL: url })).toEqual([problem]);
    expect(problems({ ...PRODUCTION, DATABASE_URL: url })).toEqual([problem]);
  });

  it.each([
    'postgresql://optix:100%25@db/optix',
    'postgresql://optix@%2Fvar%2Frun%2Fpostgresql/optix',
    'postgresql:///optix?host=/var/run/postgresql',
  ])('takes %s', (url) => {
    expect(problems({ DATABASE_URL: url })).toEqual([]);
  });
});

describe('production', () => {
  it('takes passwords of its own', () => {
    expect(problems({ ...PRODUCTION, REDIS_URL: 'redis://:unguessable@redis/0' })).toEqual([]);
  });

  it.each([
    'postgresql://optix:postgres@db/optix',
    'postgresql://optix:Postgres@db/optix',
    'postgresql://optix:p%61ssword@db/optix',
    'postgresql://optix@db/optix?password=postgres',
    'postgresql://optix:unguessable@db/optix?password=CHANGE-ME',
    'postgresql:///optix?host=/run/postgresql&password=postgres',
  ])('refuses the example password of %s', (url) => {
    expect(problems({ DATABASE_URL: url })).toEqual([]);
    expect(problems({ ...PRODUCTION, DATABASE_URL: url })).toEqual([
      'DATABASE_URL has the password of an example, which everybody knows',
    ]);
  });

  it.each([
    'postgresql://db/optix',
    'postgresql://optix@127.0.0.1/optix',
    'postgresql://optix:@db/optix?password=',
    'postgresql://optix@db/optix?sslmode=verify-full',
    'postgresql://optix@db/optix?sslcert=',
    'postgresql://optix@db/optix?sslcert=/run/client.pem&sslmode=disable',
    'postgresql://optix@%2Frun%2Fpostgresql/optix?host=db',
  ])('refuses %s, which authenticates by nothing', (url) => {
    expect(problems({ DATABASE_URL: url })).toEqual([]);
    const [problem, ...others] = problems({ ...PRODUCTION, DATABASE_URL: url });
    expect(problem).toMatch(/^DATABASE_URL must have a password when ENVIRONMENT=production/);
    expect(others).toEqual([]);
  });

  it.each([
    'postgresql://optix@%2Frun%2Fpostgresql/optix',
    'postgresql://optix@db/optix?host=/run/postgresql',
    'postgresql://optix@db/optix?sslcert=/run/client.pem&sslkey=/run/client.key',
    'postgresql://db/optix?user=optix&password=unguessable',
  ])('takes %s', (url) => {
    expect(problems({ ...PRODUCTION, DATABASE_URL: url })).toEqual([]);
  });

  it('names every default secret at once, and shows none', () => {
    const found = problems({
      ...PRODUCTION,
      IDENTITY_ENCRYPTION_KEY: '',
      DATABASE_URL: 'postgresql://optix:change-me@db/optix',
      REDIS_URL: 'redis://:foobared@redis',
    });
    expect(found.map((problem) => problem.split(' ')[0])).toEqual([
      'IDENTITY_ENCRYPTION_KEY',
      'DATABASE_URL',
      'REDIS_URL',
    ]);
    expect(found.join()).not.toMatch(/change-me|foobared/);
  });
});

import { describe, expect, it } from 'vitest';
import { originProblem, parseOrigins, parseRpId } from './relying-party.ts';

describe('the domain of a relying party', () => {
  it.each(['example.com', 'app.example.com', 'localhost', 'xn--bcher-kva.example'])('%s', (text) => {
    expect(parseRpId(text)).toBe(text);
  });

  it.each([
    '',
    'com',
    'Example.com',
    'example.com.',
    'https://example.com',
    'example.com:443',
    'example.com/app',
    '-a.example.com',
    'bücher.example',
    '127.0.0.1',
    '[::1]',
    `${'a.'.repeat(127)}com`,
  ])('is not %j', (text) => {
    expect(() => parseRpId(text)).toThrow(/^must be a domain in lower case/);
  });
});

describe('origins', () => {
  it('are a list, each once', () => {
    expect(parseOrigins('https://example.com, https://app.example.com:8443,https://example.com')).toEqual([
      'https://example.com',
      'https://app.example.com:8443',
    ]);
  });

  it.each(['http://localhost:3000', 'http://app.localhost', 'http://127.0.0.1:3000'])(
    'may be %s, for development',
    (text) => {
      expect(parseOrigins(text)).toEqual([text]);
    },
  );

  it.each([
    '',
    'https://example.com,',
    'example.com',
    'http://example.com',
    'http://localhost.example.com',
    'https://example.com/',
    'https://example.com/app',
    'https://example.com:443',
    'https://EXAMPLE.com',
    'https://user@example.com',
    'https://*.example.com',
    'javascript:alert(1)',
    'null',
  ])('are not %j', (text) => {
    expect(() => parseOrigins(text)).toThrow(/^must be origins between commas/);
  });

  it('are of the domain or below it', () => {
    const origins = ['https://example.com', 'https://app.example.com:8443'];
    expect(originProblem('example.com', origins)).toBeUndefined();
    expect(originProblem('localhost', ['http://localhost:3000', 'http://app.localhost'])).toBeUndefined();
  });

  it.each([
    ['example.com', 'https://badexample.com'],
    ['example.com', 'https://example.com.evil.test'],
    ['app.example.com', 'https://example.com'],
    ['localhost', 'http://127.0.0.1:3000'],
  ])('of %s do not include %s', (id, origin) => {
    expect(originProblem(id, [`https://${id}`, origin])).toBe(
      `must be ${id} and hosts below it, and ${origin} is not`,
    );
  });
});

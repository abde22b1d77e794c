import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CallerKeys } from './caller-auth.ts';
import { requireCallerAuthentication } from './common-settings.ts';
import { InvalidSettings } from './settings.ts';

function digest(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

describe('CallerKeys', () => {
  const keys = CallerKeys.parse(
    `gateway=${digest('one')}, gateway=${digest('two')},orders=${digest('three')}`,
  );

  it('knows each caller by any of its keys, so that keys can be rotated', () => {
    expect(keys.authenticate('Bearer one')?.name).toBe('gateway');
    expect(keys.authenticate('bearer two')?.name).toBe('gateway');
    expect(keys.authenticate('Bearer three')?.name).toBe('orders');
  });

  it.each([
    [undefined],
    [''],
    ['Bearer '],
    ['Bearer four'],
    ['Basic one'],
    ['one'],
    [`Bearer ${digest('one')}`],
  ])('knows nobody by %s', (authorization) => {
    expect(keys.authenticate(authorization)).toBeUndefined();
  });

  it.each([
    ['gateway'],
    ['gateway=abc'],
    [`=${digest('x')}`],
    [`Gate Way=${digest('x')}`],
    [`a=${digest('x')},`],
  ])('refuses the setting %s without repeating it', (text) => {
    expect(() => CallerKeys.parse(text)).toThrow(/entries between commas; entry \d does not$/);
  });
});

describe('requireCallerAuthentication', () => {
  const check = (environment: 'development' | 'production', bindAddress: string, configured: boolean) => () =>
    requireCallerAuthentication({ environment, bindAddress }, 'SOME_KEYS', configured);

  it('lets a developer on loopback go without', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1']) {
      expect(check('development', address, false)).not.toThrow();
    }
  });

  it('refuses to go without in production, and on any other address', () => {
    expect(check('production', '127.0.0.1', false)).toThrow(InvalidSettings);
    expect(check('production', '127.0.0.1', false)).toThrow('SOME_KEYS must be set');
    for (const address of ['0.0.0.0', '::', '192.168.1.1']) {
      expect(check('development', address, false)).toThrow('SOME_KEYS must be set');
    }
  });

  it('is content with keys', () => {
    expect(check('production', '0.0.0.0', true)).not.toThrow();
  });
});

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CallerKeys } from './caller-auth.ts';
import { requireCallerAuthentication } from './common-settings.ts';
import { InvalidSettings } from './settings.ts';

function digest(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

describe('CallerKeys', () => {
  it('holds each entry with its scopes, in order; a name may come twice, so that keys can be rotated', () => {
    const text = `gateway=${digest('one')}, gateway=${digest('two')};limits.check,ops=${digest('three')};rules.read;*`;
    expect(CallerKeys.parse(text).entries).toEqual([
      { name: 'gateway', digest: digest('one'), scopes: undefined },
      { name: 'gateway', digest: digest('two'), scopes: ['limits.check'] },
      { name: 'ops', digest: digest('three'), scopes: ['rules.read', '*'] },
    ]);
  });

  it.each([
    ['gateway'],
    ['gateway=abc'],
    [`=${digest('x')}`],
    [`Gate Way=${digest('x')}`],
    [`a=${digest('x')},`],
    [`a=${digest('x')};`],
    [`a=${digest('x')};Rules`],
    [`a=${digest('x')} ;rules.read`],
  ])('refuses the setting %s without repeating it', (text) => {
    expect(() => CallerKeys.parse(text)).toThrow(/with scopes after semicolons; entry \d does not$/);
  });

  it('refuses one key for two callers', () => {
    const text = `a=${digest('x')},b=${digest('x')}`;
    expect(() => CallerKeys.parse(text)).toThrow('must not hold a key twice, as entry 2 does');
  });
});

describe('requireCallerAuthentication', () => {
  const check = (
    environment: 'development' | 'production',
    bindAddress: string,
    { keys = false, file }: { readonly keys?: boolean; readonly file?: string } = {},
  ) => {
    const settings = { environment, bindAddress, callersFile: file };
    return () => requireCallerAuthentication(settings, 'SOME_KEYS', keys);
  };

  it('lets a developer on loopback go without', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1']) {
      expect(check('development', address)).not.toThrow();
    }
  });

  it('refuses to go without in production, and on any other address', () => {
    expect(check('production', '127.0.0.1')).toThrow(InvalidSettings);
    expect(check('production', '127.0.0.1')).toThrow(
      'SOME_KEYS must be set when ENVIRONMENT=production, or CALLERS_FILE',
    );
    for (const address of ['0.0.0.0', '::', '192.168.1.1']) {
      expect(check('development', address)).toThrow(/^SOME_KEYS must be set when .*, or CALLERS_FILE$/);
    }
  });

  it('is content with keys, and with a callers file', () => {
    expect(check('production', '0.0.0.0', { keys: true })).not.toThrow();
    expect(check('production', '0.0.0.0', { file: 'callers.yaml' })).not.toThrow();
  });
});

import { describe, expect, it } from 'vitest';
import { fillIdentifier, templateKeys } from './identifier-template.ts';

describe('a template', () => {
  it.each([
    ['fixed', []],
    ['user:{user_id}', ['user_id']],
    ['{a}{b}-{a}', ['a', 'b', 'a']],
  ])('names keys: %s', (template, keys) => {
    expect(templateKeys(template)).toEqual(keys);
  });

  it.each(['{', '}', '{}', 'user:{a', 'a}', '{{a}}', '{a}}', '}{'])(
    'has its braces in pairs: not %s',
    (template) => {
      expect(templateKeys(template)).toBeUndefined();
    },
  );

  it('is filled with the values of a descriptor, of a key that is there twice with the last', () => {
    const entries = [
      { key: 'a', value: '{b}' },
      { key: 'b', value: '1' },
      { key: 'b', value: '$&' },
    ];
    expect(fillIdentifier('user:{b}/{a}', entries)).toBe('user:$&/{b}');
    expect(fillIdentifier('fixed', entries)).toBe('fixed');
  });

  it('is filled with a digest where the text would be longer than 256 bytes', () => {
    expect(fillIdentifier('user:{a}', [{ key: 'a', value: 'x'.repeat(252) }])).toMatch(
      /^sha256:[0-9a-f]{64}$/,
    );
  });
});

import { expect, test } from 'vitest';
import { withoutSecrets } from './logger-redaction.ts';

test('fields with the name of a secret are left out, however deep and written', () => {
  const entry = {
    a: 1,
    password: 'hush',
    headers: { 'x-optix-authorization': 'hush', accept: 'text/plain' },
    deep: { deeper: { refresh_token: 'hush', rest: [1] } },
  };
  expect(withoutSecrets(entry)).toEqual({
    a: 1,
    password: '[redacted]',
    headers: { 'x-optix-authorization': '[redacted]', accept: 'text/plain' },
    deep: { deeper: { refresh_token: '[redacted]', rest: [1] } },
  });
  expect(entry.password).toBe('hush');
});

test('they are left out of lists, and of objects without a prototype', () => {
  const bare = Object.assign(Object.create(null), { token: 'hush' });
  expect(withoutSecrets({ users: [{ id: 1, password: 'hush' }, 2], bare })).toEqual({
    users: [{ id: 1, password: '[redacted]' }, 2],
    bare: { token: '[redacted]' },
  });
});

test('what has none is the same object', () => {
  const entry = { a: 1, of: { b: [2] }, token: undefined };
  expect(withoutSecrets(entry)).toBe(entry);
});

test('what leads back to itself has an end', () => {
  const entry: Record<string, unknown> = { secret: 'hush' };
  entry['again'] = entry;
  expect(withoutSecrets(entry)).toMatchObject({ secret: '[redacted]', again: { secret: '[redacted]' } });
});

import { expect, test } from 'vitest';
import { readableWarning } from './log-line.ts';

const readable = (entry: object) => readableWarning('identity', JSON.stringify(entry));

test('warnings and worse are shown in one line, with their cause', () => {
  expect(readable({ level: 40, msg: 'Redis is away' })).toBe('identity warning: Redis is away');
  expect(readable({ level: 50, msg: 'call failed', err: { message: 'first\n  second' } })).toBe(
    'identity error: call failed (first second)',
  );
  expect(readable({ level: 45, msg: 'own level' })).toBe('identity level 45: own level');
  expect(readable({ level: 60 })).toBe('identity fatal:');
});

test('what is below a warning is not shown', () => {
  expect(readable({ level: 30, msg: 'a call' })).toBeUndefined();
  expect(readable({ msg: 'no level' })).toBeUndefined();
  expect(readableWarning('identity', '')).toBeUndefined();
});

test('text that is no log entry is shown as it is', () => {
  expect(readableWarning('identity', 'FATAL ERROR: heap')).toBe('identity: FATAL ERROR: heap');
  expect(readableWarning('identity', '42')).toBe('identity: 42');
});

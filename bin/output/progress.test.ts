import { expect, test } from 'vitest';
import { fitting, openProgress } from './progress.ts';

function terminal(isTTY = true) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string | Uint8Array) => written.push(String(text)) > 0 };
}

test('what has no end known is counted', () => {
  let now = 0;
  const shown = terminal();
  const progress = openProgress(shown, () => now);
  now = 500;
  progress.show({ count: 12_345, what: 'users' });
  progress[Symbol.dispose]();
  expect(shown.written).toEqual(['\r12,345 users\x1b[K', '\r\x1b[K']);
});

test('a line is never as wide as the terminal, which would break it', () => {
  expect(fitting('verifying up to entry 5', 10)).toBe('verifying');
  expect(fitting('short', 10)).toBe('short');
  expect(fitting('nobody knows the width', undefined)).toBe('nobody knows the width');
});

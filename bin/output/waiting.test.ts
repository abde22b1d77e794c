import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openWaiting } from './waiting.ts';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return {
    isTTY,
    columns: 12,
    written,
    write: (text: string | Uint8Array) => written.push(String(text)) > 0,
  };
}

test('a terminal is told what goes on, in one line that goes', async () => {
  const shown = terminal(true);
  {
    using _waiting = openWaiting(shown, () => 'waiting for something');
    await sleep(700);
  }
  expect(shown.written).toEqual(['\rwaiting for\x1b[K', '\r\x1b[K']);
});

test('nothing is written where nobody sees it', async () => {
  const shown = terminal(false);
  {
    using _waiting = openWaiting(shown, () => 'waiting');
    await sleep(600);
  }
  expect(shown.written).toEqual([]);
});

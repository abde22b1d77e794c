import type { WriteStream } from 'node:tty';
import { fitting } from './progress.ts';

const EVERY_MS = 500;

/** A line on a terminal that tells what goes on, and for how long; nothing where nobody sees it. Disposed of, it is gone. */
export function openWaiting(
  terminal: Pick<WriteStream, 'isTTY' | 'write'> & { readonly columns?: number },
  what: () => string,
): Disposable {
  if (!terminal.isTTY) return { [Symbol.dispose]: () => undefined };
  const startedAt = performance.now();
  const show = () => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    terminal.write(`\r${fitting(`${what()}, ${seconds} s`, terminal.columns)}\x1b[K`);
  };
  const timer = setInterval(show, EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      terminal.write('\r\x1b[K');
    },
  };
}

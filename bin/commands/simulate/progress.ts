import type { WriteStream } from 'node:tty';

/** How far a file has been read. */
export interface FileProgress {
  readonly sizeBytes: number | undefined;
  readonly readBytes: number;
}

/** A bar on a terminal. */
export interface Progress extends Disposable {
  show(progress: FileProgress): void;
  /** Leaves the line as it was. */
  clear(): void;
}

/** What is over sooner needs no bar. */
const FIRST_AFTER_MS = 500;
const EVERY_MS = 100;
const BAR_WIDTH = 30;
const MEBIBYTE = 1024 * 1024;

/** Shows how much of a file was read, on what takes long, and only where somebody sees it. */
export function openProgress(
  terminal: Pick<WriteStream, 'isTTY' | 'write'>,
  now = () => performance.now(),
): Progress {
  let nextAt = now() + FIRST_AFTER_MS;
  let isShown = false;
  const clear = () => {
    if (isShown) terminal.write('\r\x1b[K');
    isShown = false;
  };
  return {
    show(progress) {
      if (!terminal.isTTY || now() < nextAt) return;
      nextAt = now() + EVERY_MS;
      isShown = true;
      terminal.write(`\r${barText(progress)}\x1b[K`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

function barText({ sizeBytes, readBytes }: FileProgress): string {
  const read = `${(readBytes / MEBIBYTE).toFixed(1)} MiB`;
  if (sizeBytes === undefined || sizeBytes === 0) return read;
  const share = Math.min(1, readBytes / sizeBytes);
  const done = Math.round(share * BAR_WIDTH);
  const bar = '='.repeat(done).padEnd(BAR_WIDTH);
  return `[${bar}] ${Math.floor(share * 100)}% of ${(sizeBytes / MEBIBYTE).toFixed(1)} MiB`;
}

import type { WriteStream } from 'node:tty';

/** How far a file has been read. */
export interface FileProgress {
  /** Undefined where nobody knows, as of a pipe. */
  readonly sizeBytes: number | undefined;
  readonly readBytes: number;
}

/** How many of how many nobody knows. */
export interface CountProgress {
  readonly count: number;
  /** Of what, in the plural. */
  readonly what: string;
}

/** A bar on a terminal. */
export interface Progress extends Disposable {
  show(progress: FileProgress | CountProgress): void;
  /** Leaves the line as it was. */
  clear(): void;
}

/** What is over sooner needs no bar. */
const FIRST_AFTER_MS = 500;
const EVERY_MS = 100;
const BAR_WIDTH = 30;
const MEBIBYTE = 1024 * 1024;

/** Shows how far something has come that takes long, and only where somebody sees it. */
export function openProgress(
  terminal: Pick<WriteStream, 'isTTY' | 'write'> & { readonly columns?: number },
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
      const text = 'what' in progress ? countText(progress) : barText(progress);
      terminal.write(`\r${fitting(text, terminal.columns)}\x1b[K`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

/** What goes on in one line: a line that the terminal breaks could not be taken back. */
export function fitting(text: string, columns: number | undefined): string {
  return columns === undefined ? text : text.slice(0, Math.max(0, columns - 1));
}

function countText({ count, what }: CountProgress): string {
  return `${count.toLocaleString('en')} ${what}`;
}

function barText({ sizeBytes, readBytes }: FileProgress): string {
  const read = `${(readBytes / MEBIBYTE).toFixed(1)} MiB`;
  if (sizeBytes === undefined || sizeBytes === 0) return read;
  const share = Math.min(1, readBytes / sizeBytes);
  const done = Math.round(share * BAR_WIDTH);
  const bar = '='.repeat(done).padEnd(BAR_WIDTH);
  return `[${bar}] ${Math.floor(share * 100)}% of ${(sizeBytes / MEBIBYTE).toFixed(1)} MiB`;
}

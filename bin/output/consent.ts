import { createInterface } from 'node:readline/promises';
import { UsageError } from '../usage.ts';
import { printable } from './printable.ts';

/** As a shell tells of a process that Ctrl-C ended: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * Asks on the terminal before something that can't be undone. Only `y` and `yes` go on. Ctrl-C ends the process with 130.
 *
 * @throws UsageError where there is no terminal to ask on; Error where the answer is another
 */
export async function requireConsent(command: string, question: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new UsageError(`${command}: --yes must be given where nobody can be asked`);
  }
  using terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.on('SIGINT', () => process.exit(INTERRUPTED));
  // At Ctrl-D the question is never answered, and nothing would keep the process.
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  const answer = await Promise.race([terminal.question(`${printable(question)} [y/N] `), closed]);
  if (!/^y(es)?$/i.test(answer.trim())) throw new Error('nothing was changed');
}

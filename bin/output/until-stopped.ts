import { watchInterruption } from '../interruption.ts';
import { EXIT } from './exit-code.ts';

/**
 * For commands that go on until they are stopped: aborts at Ctrl-C, and when nobody reads what they print, as in
 * `optix tail | head`. A second Ctrl-C ends the process at once.
 */
export function untilStopped(): AbortSignal {
  const unread = new AbortController();
  process.stdout.on('error', () => unread.abort());
  const { signal } = watchInterruption(() => process.exit(EXIT.FAILURE));
  return AbortSignal.any([signal, unread.signal]);
}

/** npm passes Ctrl-C on to a program that the terminal has told already: what comes this soon is the same key press. */
const SAME_SIGNAL_MS = 500;
const PARENT_CHECK_MS = 1_000;

/** Tells when this process is asked to stop. */
export interface Interruption {
  /** Aborts at the first request. */
  readonly signal: AbortSignal;
  /** Settles at the first request. */
  readonly requested: Promise<void>;
}

/**
 * Watches for SIGINT, SIGTERM and SIGHUP, and for the end of the npm that started this process: killed by SIGKILL, it
 * can't pass anything on.
 *
 * @param force called for a second request, by somebody who no longer wants to wait.
 */
export function watchInterruption(force: () => void): Interruption {
  const controller = new AbortController();
  const requested = Promise.withResolvers<void>();
  let first: number | undefined;
  const request = () => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      controller.abort();
      requested.resolve();
    } else if (now - first > SAME_SIGNAL_MS) {
      force();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, request);
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const parent = process.ppid;
    const check = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(check);
      request();
    }, PARENT_CHECK_MS);
    check.unref();
  }
  return { signal: controller.signal, requested: requested.promise };
}

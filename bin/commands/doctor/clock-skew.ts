import type { Findings } from './finding.ts';

/** Below this nobody notices; what is measured has to be more than the way there and back can explain. */
const NOTICED_MS = 500;
/** Codes of authenticator apps hold for 30 seconds, and tokens are dated by the machine's clock. */
const HARMFUL_MS = 10_000;

/** One reading of another clock, in milliseconds since 1970, and of this machine's before and after. */
export interface ClockReading {
  readonly beforeMs: number;
  readonly theirsMs: number;
  readonly afterMs: number;
}

/** Compares another clock with this machine's. */
export function checkClock(
  whose: string,
  { beforeMs, theirsMs, afterMs }: ClockReading,
  findings: Findings,
): void {
  const skewMs = theirsMs - (beforeMs + afterMs) / 2;
  const doubtMs = (afterMs - beforeMs) / 2;
  const sureMs = Math.abs(skewMs) - doubtMs;
  const text = `${whose}'s clock is ${Math.abs(skewMs).toFixed(0)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} this machine's (± ${doubtMs.toFixed(0)} ms)`;
  if (sureMs < NOTICED_MS) {
    findings.ok(text);
    return;
  }
  findings.add(
    sureMs < HARMFUL_MS ? 'warning' : 'problem',
    text,
    'tokens, sessions and windows of limits end too early or too late by as much',
    'keep the clocks of all machines in time by NTP (chrony, systemd-timesyncd)',
  );
}

/** Tells the time in integer µs since the epoch. */
export type Clock = () => number;

const ORIGIN_MICROS = performance.timeOrigin * 1000;

/** The time of this process: set to the wall clock at its start, and monotonic since. */
export const epochMicros: Clock = () => Math.floor(ORIGIN_MICROS + performance.now() * 1000);

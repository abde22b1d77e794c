/** What a command ends with, for scripts. */
export const EXIT = {
  DONE: 0,
  /** It could not be done: standard error says why, on one line. */
  FAILURE: 1,
  /** The command line can't be understood. */
  USAGE: 2,
  /** It was done, and the answer is no: denied, different, unhealthy. */
  NO: 3,
} as const;

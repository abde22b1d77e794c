/** The longest that a timer of Node can wait, in milliseconds (2^31 - 1); a longer one ends at once. */
export const MAX_TIMER_MS = 2_147_483_647;

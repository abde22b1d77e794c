import { integerSetting, textSetting } from '../../../runtime/settings.ts';

/** Passwords, their hashing, and what wrong ones bring about. */
export const signInSettings = {
  passwordMinLength: integerSetting(
    'PASSWORD_MIN_LENGTH',
    8,
    { min: 8, max: 64 },
    'The least number of characters of a new password. NIST asks for 15 where a password is all there is.',
  ),
  passwordBlocklistFile: textSetting(
    'PASSWORD_BLOCKLIST_FILE',
    undefined,
    'Passwords that may not be chosen, beside the common ones that are built in: one a line, or sorted SHA-1 digests in hex (`HASH:count`), as breach lists come. Unset: none.',
  ),
  hashingConcurrency: integerSetting(
    'HASHING_CONCURRENCY',
    0,
    { min: 0, max: 64 },
    'Passwords hashed at the same time; 0 means one a core, at most 3.',
  ),
  hashingQueue: integerSetting(
    'HASHING_QUEUE',
    64,
    { min: 0, max: 10_000 },
    'Sign-ins that may wait to be hashed; past it they are refused with a time to retry after.',
  ),
  accountLockoutThreshold: integerSetting(
    'ACCOUNT_LOCKOUT_THRESHOLD',
    5,
    { min: 2, max: 100 },
    'Wrong passwords in a row that lock an account for LOCKOUT_BASE_SECONDS; each further one doubles that. NIST allows at most 100.',
  ),
  networkLockoutThreshold: integerSetting(
    'NETWORK_LOCKOUT_THRESHOLD',
    100,
    { min: 2, max: 1_000_000 },
    'Failed sign-ins within an hour from an IPv4 address or IPv6 /64 that lock it out, as for accounts.',
  ),
  lockoutBaseSeconds: integerSetting(
    'LOCKOUT_BASE_SECONDS',
    60,
    { min: 1, max: 86_400 },
    'The first lockout, in seconds.',
  ),
  lockoutMaxSeconds: integerSetting(
    'LOCKOUT_MAX_SECONDS',
    3600,
    { min: 1, max: 604_800 },
    'The longest lockout, in seconds.',
  ),
};

import { defineEntity, p } from '@mikro-orm/postgresql';

/** Networks that failed sign-ins come from. Those of accounts are counted on the account. */
export const SignInThrottleEntity = defineEntity({
  name: 'SignInThrottle',
  tableName: 'sign_in_throttles',
  indexes: [{ name: 'sign_in_throttles_last_failure_at_index', properties: ['lastFailureAt'] }],
  checks: [{ name: 'sign_in_throttles_failures_check', expression: 'failures >= 0' }],
  properties: {
    /** An IPv4 address, or an IPv6 network of 64 bits. */
    network: p.text().primary(),
    failures: p.integer(),
    lastFailureAt: p.datetime().columnType('timestamptz'),
    lockedUntil: p.datetime().columnType('timestamptz').nullable(),
    /** Pieces of hashes of the accounts that were tried since `accounts_since`: how many there are tells of stuffing. */
    recentAccounts: p.bigint().array().default([]),
    accountsSince: p.datetime().columnType('timestamptz').nullable(),
  },
});

import { defineRule, type Rule } from './rule.ts';

const MINUTE_MICROS = 60_000_000;

/**
 * The rules a service starts with. Sign-in stays guarded by each process alone while Redis is away (guessing
 * passwords must not become free); the rest stays open (an outage of the limiter must not become one of the API).
 */
export const DEFAULT_RULES: readonly Rule[] = Object.freeze([
  defineRule({ name: 'auth_login', limit: 5, windowMicros: MINUTE_MICROS, onStoreFailure: 'FAIL_LOCAL' }),
  defineRule({ name: 'auth_register', limit: 3, windowMicros: MINUTE_MICROS, onStoreFailure: 'FAIL_LOCAL' }),
  defineRule({ name: 'auth_refresh', limit: 10, windowMicros: MINUTE_MICROS, onStoreFailure: 'FAIL_LOCAL' }),
  defineRule({ name: 'auth_mfa', limit: 5, windowMicros: MINUTE_MICROS, onStoreFailure: 'FAIL_LOCAL' }),
  defineRule({ name: 'api_default', limit: 100, windowMicros: MINUTE_MICROS, onStoreFailure: 'FAIL_OPEN' }),
]);

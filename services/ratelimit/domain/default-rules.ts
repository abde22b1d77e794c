import { defineRule, type Rule, type StoreFailurePolicy } from './rule.ts';

const MINUTE_MICROS = 60_000_000;

/**
 * The rules of a service without a rules file. Sign-in stays guarded by each process alone while Redis is away (guessing
 * passwords must not become free); the rest stays open (an outage of the limiter must not become one of the API).
 */
export const DEFAULT_RULES: readonly Rule[] = Object.freeze([
  perMinute('auth_login', 5, 'FAIL_LOCAL'),
  perMinute('auth_register', 3, 'FAIL_LOCAL'),
  perMinute('auth_refresh', 10, 'FAIL_LOCAL'),
  perMinute('auth_mfa', 5, 'FAIL_LOCAL'),
  perMinute('auth_password_reset', 3, 'FAIL_LOCAL'),
  perMinute('auth_email_verification', 3, 'FAIL_LOCAL'),
  perMinute('api_default', 100, 'FAIL_OPEN'),
]);

function perMinute(name: string, limit: number, onStoreFailure: StoreFailurePolicy): Rule {
  return defineRule({ name, limits: [{ limit, windowMicros: MINUTE_MICROS }], onStoreFailure });
}

import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../../runtime/errors.ts';
import { InvalidRule } from './domain/errors.ts';
import {
  LiveRulesFull,
  RuleAlreadyExists,
  RuleEtagMismatch,
  RuleNotFound,
  RuleNotLive,
} from './domain/rule-errors.ts';
import { ERROR_DOMAIN } from './errors.ts';

/** More would not fit into the headers that carry an error. */
const MAX_VIOLATIONS = 20;

/** What callers are told of the errors that changes of rules end with; undefined for all others. */
export function toRuleRpcError(error: unknown): ConnectError | undefined {
  if (error instanceof InvalidRule) {
    const violations = error.faults.slice(0, MAX_VIOLATIONS).map(({ field, description }) => {
      return { field: `rule.${field}`, description };
    });
    const message = violations.map(({ field, description }) => `${field} ${description}`).join('; ');
    return rpcError(Code.InvalidArgument, {
      message,
      reason: 'INVALID_RULE',
      domain: ERROR_DOMAIN,
      violations,
    });
  }
  if (error instanceof RuleNotFound) {
    return refusal(Code.NotFound, 'RULE_NOT_FOUND', 'no rule in force has this name', { rule: error.rule });
  }
  if (error instanceof RuleAlreadyExists) {
    return refusal(Code.AlreadyExists, 'RULE_ALREADY_EXISTS', 'a rule in force has this name: update it', {
      rule: error.rule,
    });
  }
  if (error instanceof RuleEtagMismatch) {
    const message = 'the rule was changed meanwhile: get it again';
    return refusal(Code.Aborted, 'RULE_ETAG_MISMATCH', message, { rule: error.rule, etag: error.etag });
  }
  if (error instanceof RuleNotLive) {
    const message = 'the rule stands in the rules file or is built in: update it to mode DISABLED instead';
    return refusal(Code.FailedPrecondition, 'RULE_NOT_LIVE', message, { rule: error.rule });
  }
  if (error instanceof LiveRulesFull) {
    return refusal(Code.ResourceExhausted, 'LIVE_RULES_FULL', `can't keep ${error.message}`, {});
  }
  return undefined;
}

function refusal(
  code: Code,
  reason: string,
  message: string,
  metadata: Readonly<Record<string, string>>,
): ConnectError {
  return rpcError(code, { message, reason, domain: ERROR_DOMAIN, metadata });
}

import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type {
  RateLimitAdminService,
  Rule as RuleMessage,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import type { Rule } from '../../../services/ratelimit/domain/rule.ts';
import { ruleMessage } from '../../../services/ratelimit/rpc/rate-limit-admin/rule-message.ts';
import type { RuleChange } from './plan-changes.ts';

/** A rule was changed by somebody else since it was read. Nothing of theirs was lost. */
export class ChangedMeanwhile extends Error {
  override name = 'ChangedMeanwhile';
}

/**
 * Makes one change, unless the rule was changed since it was read.
 *
 * @returns the rule in force; undefined for one that was deleted
 * @throws ChangedMeanwhile
 */
export async function makeChange(
  admin: Client<typeof RateLimitAdminService>,
  change: RuleChange,
): Promise<RuleMessage | undefined> {
  try {
    if (change.kind === 'create') return (await admin.createRule({ rule: message(change.after, '') })).rule;
    if (change.kind === 'update') {
      const rule = message(change.after, change.etag);
      return (await admin.updateRule({ rule, updateMask: { paths: ['*'] } })).rule;
    }
    await admin.deleteRule({ name: change.before.name, etag: change.etag });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConnectError) || !OVERTAKEN.has(error.code)) throw error;
    const name = change.kind === 'delete' ? change.before.name : change.after.name;
    throw new ChangedMeanwhile(`somebody else changed the rule ${name} meanwhile`, { cause: error });
  }
}

/** What has come of the rule that was read: changed, made, or gone. */
const OVERTAKEN: ReadonlySet<Code> = new Set([Code.Aborted, Code.AlreadyExists, Code.NotFound]);

function message(rule: Rule, etag: string): RuleMessage {
  return Object.assign(ruleMessage({ rule, origin: 'LIVE' }), { etag });
}

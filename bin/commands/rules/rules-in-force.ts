import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type {
  RateLimitAdminService,
  Rule as RuleMessage,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';

const PAGE_SIZE = 1_000;

/** All rules in force, by name. */
export async function rulesInForce(admin: Client<typeof RateLimitAdminService>): Promise<RuleMessage[]> {
  const rules: RuleMessage[] = [];
  let pageToken = '';
  do {
    const page = await admin.listRules({ pageSize: PAGE_SIZE, pageToken });
    rules.push(...page.rules);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return rules;
}

/**
 * One rule in force.
 *
 * @throws Error that says how to find the names there are
 */
export async function ruleInForce(
  admin: Client<typeof RateLimitAdminService>,
  name: string,
): Promise<RuleMessage> {
  try {
    const { rule } = await admin.getRule({ name });
    if (rule === undefined) throw new Error('the service answered without a rule');
    return rule;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
    throw new Error(`there is no rule "${name}": optix rules list shows those there are`);
  }
}

import { toBinary } from '@bufbuild/protobuf';
import type { MethodImpl } from '@connectrpc/connect';
import {
  ListRulesRequestSchema,
  type RateLimitAdminService,
  type Rule,
  RuleSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { requestRules } from '../../../../runtime/validation.ts';
import type { RuleBook } from '../../domain/rule-book.ts';
import { ruleMessage } from './rule-message.ts';
import { readPageToken, writePageToken } from './rule-page-token.ts';

const MAX_PAGE_SIZE = 1_000;
const DEFAULT_PAGE_SIZE = 100;
/** A page is shorter than asked for rather than larger than this: clients of gRPC take 4 MiB at once. */
const PAGE_BYTES = 1024 * 1024;

export const listRulesRules = requestRules(ListRulesRequestSchema, ({ pageSize, pageToken }, violations) => {
  if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
    violations.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}`);
  }
  if (readPageToken(pageToken) === undefined) violations.add('page_token', 'is none that was given');
});

/** optix.ratelimit.v1.RateLimitAdminService/ListRules */
export function listRules({
  rules,
}: {
  readonly rules: RuleBook;
}): MethodImpl<typeof RateLimitAdminService.method.listRules> {
  return ({ pageSize, pageToken }) => {
    const after = readPageToken(pageToken) ?? '';
    const rest = rules.list().filter(({ rule }) => rule.name > after);
    const page: Rule[] = [];
    let bytes = 0;
    for (const placed of rest.slice(0, pageSize || DEFAULT_PAGE_SIZE)) {
      const message = ruleMessage(placed);
      bytes += toBinary(RuleSchema, message).length;
      if (bytes > PAGE_BYTES && page.length > 0) break;
      page.push(message);
    }
    const last = page.at(-1);
    const isLast = last === undefined || page.length === rest.length;
    return { rules: page, nextPageToken: isLast ? '' : writePageToken(last.name) };
  };
}

import { create } from '@bufbuild/protobuf';
import { AlgorithmSchema, type Limit } from '../../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  ListRulesResponseSchema,
  RuleModeSchema,
  RuleOriginSchema,
  StoreFailurePolicySchema,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { tableText } from '../../output/table.ts';
import { durationText } from '../../output/time-text.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from '../rate-limit-connection.ts';
import { rulesInForce } from './rules-in-force.ts';

const HELP = `Usage: optix rules list [options]

Shows the rules in force, by name, and where each stands: built in, in the rules file, or live.

  --json              print JSON
${RATE_LIMIT_CONNECTION_HELP}

  optix rules list
  optix rules list --json | jq -r '.rules[] | select(.origin == "RULE_ORIGIN_LIVE").name'`;

const TITLES = ['rule', 'origin', 'mode', 'limits', 'overrides', 'bypass', 'without Redis'];

/** `optix rules list` */
export async function listRulesCommand(args: string[]): Promise<number> {
  const given = readArguments({ name: 'rules list', help: HELP, options: CONNECTION_FLAGS }, args);
  if (given === undefined) return EXIT.DONE;
  const rules = await withLimiterAdmin(given.values, rulesInForce);
  if (given.values.json) {
    printJson(messageJson(ListRulesResponseSchema, create(ListRulesResponseSchema, { rules })));
    return EXIT.DONE;
  }
  const rows = rules.map((rule) => [
    rule.name,
    enumName(RuleOriginSchema, rule.origin),
    enumName(RuleModeSchema, rule.mode),
    rule.limits.map(limitText).join(', '),
    String(rule.overrides.length),
    rule.bypassRoles.join(','),
    enumName(StoreFailurePolicySchema, rule.onStoreFailure),
  ]);
  console.log(tableText(TITLES, rows));
  return EXIT.DONE;
}

/** `5/1m`, with what is not usual about it. */
function limitText({ name, limit, window, algorithm, burst, shadow }: Limit): string {
  const words = [`${limit}/${durationText(window)}`];
  if (name !== '') words.unshift(`${name}:`);
  const counts = enumName(AlgorithmSchema, algorithm);
  if (counts !== 'SLIDING_WINDOW_LOG') words.push(counts);
  if (burst > 0 && burst !== limit) words.push(`burst ${burst}`);
  if (shadow) words.push('shadow');
  return words.join(' ');
}

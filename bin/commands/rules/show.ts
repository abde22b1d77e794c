import { RuleOriginSchema, RuleSchema } from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from '../rate-limit-connection.ts';
import { ruleOf, ruleYaml } from './rule-yaml.ts';
import { ruleInForce } from './rules-in-force.ts';

const HELP = `Usage: optix rules show <name> [options]

Shows a rule in force as YAML, the way an entry of a rules file is written.

  --json              print JSON
${RATE_LIMIT_CONNECTION_HELP}

  optix rules show api_default
  optix rules show orders --json | jq -r .etag`;

/** `optix rules show` */
export async function showRuleCommand(args: string[]): Promise<number> {
  const form = { name: 'rules show', help: HELP, options: CONNECTION_FLAGS, positionals: ['name'] };
  const given = readArguments(form, args);
  if (given === undefined) return EXIT.DONE;
  const [name = ''] = given.positionals;
  const rule = await withLimiterAdmin(given.values, async (admin) => await ruleInForce(admin, name));
  if (given.values.json) printJson(messageJson(RuleSchema, rule));
  else {
    const origin = enumName(RuleOriginSchema, rule.origin);
    console.log(`# ${origin}, version ${rule.etag}\n${ruleYaml(ruleOf(rule)).trimEnd()}`);
  }
  return EXIT.DONE;
}

import { createInterface } from 'node:readline/promises';
import {
  type Rule as RuleMessage,
  RuleSchema,
} from '../../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from '../rate-limit-connection.ts';
import { editRule } from './edit-rule.ts';
import { makeChange } from './make-change.ts';
import { changesDiff } from './plan-changes.ts';
import { ruleOf } from './rule-yaml.ts';
import { ruleInForce } from './rules-in-force.ts';

const HELP = `Usage: optix rules edit <name> [options]

Opens a rule in force as YAML in the editor that VISUAL or EDITOR names, and makes it live when the editor ends, unless
somebody else changed the rule meanwhile. A rule with a mistake is refused by line and column, and on a terminal you may
go on editing; else your text is kept, and you are told where.

  --json              print the rule in force then as JSON
${RATE_LIMIT_CONNECTION_HELP}

  EDITOR=nano optix rules edit api_default
  EDITOR='sed -i s/100/200/' optix rules edit api_default`;

/** `optix rules edit` */
export async function editRuleCommand(args: string[]): Promise<number> {
  const form = { name: 'rules edit', help: HELP, options: CONNECTION_FLAGS, positionals: ['name'] };
  const given = readArguments(form, args);
  if (given === undefined) return EXIT.DONE;
  const [name = ''] = given.positionals;
  const editor = process.env['VISUAL']?.trim() || process.env['EDITOR']?.trim();
  if (!editor) throw new Error('set EDITOR to the editor that you want, for example EDITOR=nano');
  const read = await withLimiterAdmin(given.values, async (admin) => await ruleInForce(admin, name));
  const before = ruleOf(read);
  let inForce: RuleMessage | undefined = read;
  const after = await editRule({
    rule: before,
    editor,
    ask: process.stdin.isTTY ? askOnTerminal : () => Promise.resolve(false),
    use: async (edited) => {
      const change = { kind: 'update', before, etag: read.etag, after: edited } as const;
      if (!given.values.json) console.log(changesDiff([change]));
      inForce = await withLimiterAdmin(given.values, async (admin) => await makeChange(admin, change));
    },
  });
  if (given.values.json && inForce !== undefined) printJson(messageJson(RuleSchema, inForce));
  else console.log(after === undefined ? 'nothing was changed' : `updated ${name}`);
  return EXIT.DONE;
}

/** @throws Error at Ctrl-C and Ctrl-D */
async function askOnTerminal(question: string): Promise<boolean> {
  using terminal = createInterface({ input: process.stdin, output: process.stderr });
  return !/^n/i.test((await terminal.question(`${question} [Y/n] `)).trim());
}

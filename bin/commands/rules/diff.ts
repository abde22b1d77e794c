import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from '../rate-limit-connection.ts';
import { changeReport, changesDiff, planChanges } from './plan-changes.ts';
import { readRulesFile } from './read-rules-text.ts';
import { rulesInForce } from './rules-in-force.ts';

const HELP = `Usage: optix rules diff <file> [options]

Shows in which way the rules of a file differ from those in force: what rules apply would change. Rules are compared by
what they mean, with every default written out.

  --prune             also live rules that the file lacks
  --json              print { "changes": [ { "rule", "change", "before", "after" } ] }
${RATE_LIMIT_CONNECTION_HELP}

Exit code: 0 no difference, 3 some, 1 failure, 2 mistake of usage.

  optix rules diff rules.yaml
  optix rules diff rules.yaml --prune && echo in force`;

const OPTIONS = { ...CONNECTION_FLAGS, prune: { type: 'boolean' } } as const;

/** `optix rules diff` */
export async function diffRulesCommand(args: string[]): Promise<number> {
  const form = { name: 'rules diff', help: HELP, options: OPTIONS, positionals: ['file'] };
  const given = readArguments(form, args);
  if (given === undefined) return EXIT.DONE;
  const { prune = false, json, ...connection } = given.values;
  const wanted = await readRulesFile(given.positionals[0] ?? '');
  const changes = planChanges(await withLimiterAdmin(connection, rulesInForce), wanted, { prune });
  if (json) console.log(JSON.stringify({ changes: changes.map(changeReport) }, undefined, 2));
  else if (changes.length > 0) console.log(changesDiff(changes));
  return changes.length > 0 ? EXIT.NO : EXIT.DONE;
}

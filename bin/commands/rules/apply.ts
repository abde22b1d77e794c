import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from '../rate-limit-connection.ts';
import { ChangedMeanwhile, makeChange } from './make-change.ts';
import { changeReport, changesDiff, nameOf, planChanges, type RuleChange } from './plan-changes.ts';
import { readRulesFile } from './read-rules-text.ts';
import { rulesInForce } from './rules-in-force.ts';

const HELP = `Usage: optix rules apply <file> [options]

Makes live what a rules file says: creates the rules that are not in force and updates those that differ. A file with a
mistake changes nothing. Rules are changed one by one, each only if nobody else has changed it meanwhile; a second run
goes on where one failed.

  --dry-run           show what would change, and change nothing
  --prune             delete live rules that the file lacks; one from the rules file or built in holds again then
  --json              print { "dryRun", "changes": [ { "rule", "change", "before", "after" } ] }
${RATE_LIMIT_CONNECTION_HELP}

  optix rules apply rules.yaml --dry-run
  optix rules apply rules.yaml --prune`;

const OPTIONS = {
  ...CONNECTION_FLAGS,
  'dry-run': { type: 'boolean' },
  prune: { type: 'boolean' },
} as const;

const DONE = { create: 'created', update: 'updated', delete: 'deleted' } as const;

/** `optix rules apply` */
export async function applyRulesCommand(args: string[]): Promise<number> {
  const form = { name: 'rules apply', help: HELP, options: OPTIONS, positionals: ['file'] };
  const given = readArguments(form, args);
  if (given === undefined) return EXIT.DONE;
  const { prune = false, json = false, 'dry-run': dryRun = false, ...connection } = given.values;
  const wanted = await readRulesFile(given.positionals[0] ?? '');
  await withLimiterAdmin(connection, async (admin) => {
    const changes = planChanges(await rulesInForce(admin), wanted, { prune });
    if (!json && changes.length > 0) console.log(changesDiff(changes));
    const made: RuleChange[] = [];
    for (const change of dryRun ? [] : changes) {
      try {
        await makeChange(admin, change);
      } catch (error) {
        // What was changed has to be known, whatever ended it.
        console.error(`optix: ${progressText(made, changes.length)}; ${nameOf(change)} was next`);
        if (error instanceof ChangedMeanwhile) throw new Error(`${error.message}: run it again`);
        throw error;
      }
      made.push(change);
    }
    if (json) console.log(JSON.stringify({ dryRun, changes: changes.map(changeReport) }, undefined, 2));
    else if (changes.length === 0) console.log('nothing to change');
    else if (dryRun) console.log(`${changes.length} to change; nothing was changed (--dry-run)`);
    else for (const change of made) console.log(`${DONE[change.kind]} ${nameOf(change)}`);
  });
  return EXIT.DONE;
}

function progressText(made: readonly RuleChange[], of: number): string {
  const names = made.map(nameOf).join(', ');
  return made.length === 0 ? 'nothing was changed' : `${made.length} of ${of} changed (${names})`;
}

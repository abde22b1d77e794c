import { type Action, chooseAction } from './choose-action.ts';
import { applyRulesCommand } from './rules/apply.ts';
import { diffRulesCommand } from './rules/diff.ts';
import { editRuleCommand } from './rules/edit.ts';
import { listRulesCommand } from './rules/list.ts';
import { showRuleCommand } from './rules/show.ts';

const ACTIONS: Readonly<Record<string, Action>> = {
  list: listRulesCommand,
  show: showRuleCommand,
  edit: editRuleCommand,
  apply: applyRulesCommand,
  diff: diffRulesCommand,
};

const HELP = `Usage: optix rules <action> [options]

  list                show the rules in force
  show <name>         show one as YAML
  edit <name>         change one in your editor
  apply <file>        make live what a rules file says
  diff <file>         show what apply would change

Each action has a --help of its own.`;

/** `optix rules`: looks at and changes the rules of a running ratelimit. */
export async function rulesCommand(args: string[]): Promise<number> {
  return await chooseAction('rules', HELP, ACTIONS, args);
}

import { answerShape } from '../output/command-shape.ts';
import { EXIT } from '../output/exit-code.ts';
import { nearestName } from '../output/nearest-name.ts';
import { UsageError } from '../usage.ts';

/** What a word after a command does; the result is the exit code. */
export type Action = (args: string[]) => Promise<number>;

/**
 * Runs the action that the first argument names; `--help` in its place prints what there is.
 *
 * @throws UsageError for another word, or none
 */
export async function chooseAction(
  command: string,
  help: string,
  actions: Readonly<Record<string, Action>>,
  args: string[],
): Promise<number> {
  answerShape(args, { actions });
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h') {
    console.log(help);
    return EXIT.DONE;
  }
  const names = Object.keys(actions);
  const choices = names.join(', ');
  if (name === undefined) {
    throw new UsageError(`${command}: what? One of ${choices}; see optix ${command} --help`);
  }
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action !== undefined) return await action(rest);
  const nearest = nearestName(name, names);
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  throw new UsageError(`${command}: "${name}" is none of ${choices}${meant}`);
}

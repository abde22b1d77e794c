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
  [name, ...args]: string[],
): Promise<number> {
  if (name === '--help' || name === '-h') {
    console.log(help);
    return 0;
  }
  const choices = Object.keys(actions).join(', ');
  if (name === undefined) throw new UsageError(`${command}: what? One of ${choices}`);
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) throw new UsageError(`${command}: "${name}" is none of ${choices}`);
  return await action(args);
}

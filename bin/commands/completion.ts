import { EXIT } from '../output/exit-code.ts';
import { readArguments } from '../output/read-arguments.ts';
import { chooseAction } from './choose-action.ts';
import { readCommandTree } from './completion/command-tree.ts';
import { SCRIPTS } from './completion/scripts.ts';

const EXAMPLES = `  optix completion bash > /etc/bash_completion.d/optix
  optix completion zsh > "\${fpath[1]}/_optix"
  optix completion fish > ~/.config/fish/completions/optix.fish`;

const HELP = `Usage: optix completion bash|zsh|fish

Prints a script by which the shell completes optix's commands, actions and flags.

${EXAMPLES}`;

/** `optix completion`: prints a completion script. */
export async function completionCommand(args: string[]): Promise<number> {
  const actions = Object.entries(SCRIPTS).map(([shell, script]) => {
    return [shell, async (rest: string[]) => await printScript(shell, script, rest)] as const;
  });
  return await chooseAction('completion', HELP, Object.fromEntries(actions), args);
}

async function printScript(shell: string, script: (typeof SCRIPTS)[string], args: string[]): Promise<number> {
  const name = `completion ${shell}`;
  const help = `Usage: optix ${name}\n\nPrints the completion script for ${shell}.\n\n${EXAMPLES.split('\n').find((line) => line.includes(shell))}`;
  if (readArguments({ name, help, options: {}, json: false }, args) === undefined) return EXIT.DONE;
  console.log(script(await readCommandTree()));
  return EXIT.DONE;
}

import { EXIT } from '../output/exit-code.ts';
import { parseFlags } from '../usage.ts';
import { chooseAction } from './choose-action.ts';
import { SCRIPTS } from './completion/scripts.ts';

const HELP = `Usage: optix completion bash|zsh|fish

Prints a script by which the shell completes optix's commands and flags.

  optix completion bash > /etc/bash_completion.d/optix
  optix completion zsh > "\${fpath[1]}/_optix"
  optix completion fish > ~/.config/fish/completions/optix.fish`;

/** `optix completion`: prints a completion script. */
export async function completionCommand(args: string[]): Promise<number> {
  const actions = Object.entries(SCRIPTS).map(([shell, script]) => [shell, printing(script)] as const);
  return await chooseAction('completion', HELP, Object.fromEntries(actions), args);
}

function printing(script: () => string) {
  return async (args: string[]) => {
    parseFlags(args, {});
    console.log(script());
    return EXIT.DONE;
  };
}

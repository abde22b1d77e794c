import { type ParseArgsConfig, type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { UsageError } from '../usage.ts';

/** Flags that each command has. */
const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** How a command is called. */
export interface CommandForm<O extends ParseArgsOptionsConfig> {
  /** For the text of mistakes: `rules show`. */
  readonly name: string;
  /** What `--help` prints. */
  readonly help: string;
  readonly options: O;
  /** What stands without a flag, in order; all of it must be given. */
  readonly positionals?: readonly string[];
}

/**
 * Reads a command's flags and what stands beside them. `--json` is among the flags of each.
 *
 * @returns undefined where help was asked for, and printed
 * @throws UsageError
 */
export function readArguments<O extends ParseArgsOptionsConfig>(form: CommandForm<O>, args: string[]) {
  const { name, help, positionals: names = [] } = form;
  const { values, positionals } = parse(name, {
    args,
    options: { ...form.options, ...COMMON },
    strict: true,
    allowPositionals: true,
  });
  if ('help' in values && values['help'] === true) {
    console.log(help);
    return undefined;
  }
  const missing = names.slice(positionals.length).map((each) => `<${each}>`);
  if (missing.length > 0) {
    throw new UsageError(`${name}: ${missing.join(' and ')} must be given; see optix ${name} --help`);
  }
  const surplus = positionals[names.length];
  if (surplus !== undefined) {
    throw new UsageError(`${name}: "${surplus}" is one argument too many; see optix ${name} --help`);
  }
  return { values, positionals };
}

function parse<C extends ParseArgsConfig>(name: string, config: C) {
  try {
    return parseArgs(config);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!code.startsWith('ERR_PARSE_ARGS_')) throw error;
    throw new UsageError(`${name}: ${(error as Error).message}; see optix ${name} --help`);
  }
}

import { type ParseArgsConfig, type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { UsageError } from '../usage.ts';
import { answerShape } from './command-shape.ts';
import { nearestName } from './nearest-name.ts';

/** Flags that each command has. */
const HELP = { help: { type: 'boolean', short: 'h' } } as const;
const COMMON = { json: { type: 'boolean' }, ...HELP } as const;

/** How a command is called. */
export interface CommandForm<O extends ParseArgsOptionsConfig> {
  /** For the text of mistakes: `rules show`. */
  readonly name: string;
  /** What `--help` prints. */
  readonly help: string;
  readonly options: O;
  /** What stands without a flag, in order; all of it must be given. */
  readonly positionals?: readonly string[];
  /** What may stand behind that. */
  readonly optionalPositionals?: readonly string[];
  /** False for a command that has nothing to tell scripts, and no `--json`. */
  readonly json?: false;
}

/**
 * Reads a command's flags and what stands beside them. `--json` is among the flags, unless the form says no.
 *
 * @returns undefined where help was asked for, and printed
 * @throws UsageError
 */
export function readArguments<O extends ParseArgsOptionsConfig>(form: CommandForm<O>, args: string[]) {
  const { name, help, positionals: names = [], optionalPositionals = [] } = form;
  // One type for both: without the flag its value is undefined.
  const options = { ...form.options, ...(form.json === false ? (HELP as typeof COMMON) : COMMON) };
  answerShape(args, { options, positionals: names });
  const { values, positionals } = parse(name, { args, options, strict: true, allowPositionals: true });
  if ('help' in values && values['help'] === true) {
    console.log(help);
    return undefined;
  }
  const missing = names.slice(positionals.length).map((each) => `<${each}>`);
  if (missing.length > 0) {
    throw new UsageError(`${name}: ${missing.join(' and ')} must be given; see optix ${name} --help`);
  }
  const surplus = positionals[names.length + optionalPositionals.length];
  if (surplus !== undefined) {
    throw new UsageError(`${name}: "${surplus}" is one argument too many; see optix ${name} --help`);
  }
  return { values, positionals };
}

function parse<C extends ParseArgsConfig>(name: string, config: C) {
  try {
    return parseArgs(config);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!code.startsWith('ERR_PARSE_ARGS_')) throw error;
    // Its first sentence: the others explain how to pass words that look like options.
    const [mistake = message] = message.split(/\.\s/);
    throw new UsageError(
      `${name}: ${mistake}${suggestion(mistake, config.options)}; see optix ${name} --help`,
    );
  }
}

function suggestion(mistake: string, options: ParseArgsOptionsConfig = {}): string {
  const [, typed = ''] = /^Unknown option '--([^']+)'/.exec(mistake) ?? [];
  const nearest = nearestName(typed, Object.keys(options));
  return nearest === undefined ? '' : ` (did you mean --${nearest}?)`;
}

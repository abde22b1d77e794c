#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';
import { COMMANDS, commandList } from './command-table.ts';
import { HOME_DIRECTORY } from './home-directory.ts';
import { EXIT } from './output/exit-code.ts';
import { nearestName } from './output/nearest-name.ts';
import { printableLines } from './output/printable.ts';
import { UsageError, usageText } from './usage.ts';

async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--version') {
    const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));
    console.log(`optix ${version}`);
    return EXIT.DONE;
  }
  if (name === '--help' || name === '-h') return await help([]);
  if (name === 'help') return await help(args);
  if (name === undefined) throw new UsageError(`which command?\n\n${usageText(commandList())}`);
  return await run(name, args);
}

async function help([name, ...args]: string[]): Promise<number> {
  if (name !== undefined && !name.startsWith('-')) return await run(name, [...args, '--help']);
  console.log(usageText(commandList()));
  return EXIT.DONE;
}

async function run(name: string, args: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const nearest = nearestName(name, [...Object.keys(COMMANDS), 'help']);
    const meant = nearest === undefined ? 'see optix help' : `did you mean ${nearest}? See optix help`;
    throw new UsageError(`there is no command "${name}"; ${meant}`);
  }
  const envFile = join(HOME_DIRECTORY, '.env');
  // What the environment already has wins over the file.
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  return await (await command.load())(args);
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    // Nobody reads on, as in `optix users list | head -1`: no mistake, and what was begun is still done.
    if (code === 'EPIPE') return;
    console.error(`optix: can't write: ${code}`);
    process.exit(EXIT.FAILURE);
  });
}

// Of a library, about TLS to an address without a name: whoever calls a command can do nothing about it (DEP0123).
process.noDeprecation = true;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const debug = /^(1|true|yes|on)$/i.test(process.env['DEBUG'] ?? '');
  const text = error instanceof Error ? error.message : String(error);
  console.error(debug ? error : `optix: ${printableLines(text)}`);
  process.exitCode = error instanceof UsageError ? EXIT.USAGE : EXIT.FAILURE;
}

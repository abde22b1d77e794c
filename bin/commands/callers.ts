import { UsageError } from '../usage.ts';
import { createCallerKeyCommand } from './callers/create.ts';
import { hashCommand } from './callers/hash.ts';
import { listCallerKeysCommand } from './callers/list.ts';
import { revokeCallerKeyCommand } from './callers/revoke.ts';
import { rotateCallerKeyCommand } from './callers/rotate.ts';

const ACTIONS: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  create: createCallerKeyCommand,
  list: listCallerKeysCommand,
  rotate: rotateCallerKeyCommand,
  revoke: revokeCallerKeyCommand,
  hash: hashCommand,
};

/** `optix callers`: manages the API keys of a running service. */
export async function callersCommand([name, ...args]: string[]): Promise<number> {
  const choices = Object.keys(ACTIONS).join(', ');
  if (name === undefined) throw new UsageError(`callers: what? One of ${choices}`);
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) throw new UsageError(`callers: "${name}" is none of ${choices}`);
  return await action(args);
}

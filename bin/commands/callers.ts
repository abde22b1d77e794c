import { createCallerKeyCommand } from './callers/create.ts';
import { hashCommand } from './callers/hash.ts';
import { listCallerKeysCommand } from './callers/list.ts';
import { revokeCallerKeyCommand } from './callers/revoke.ts';
import { rotateCallerKeyCommand } from './callers/rotate.ts';
import { type Action, chooseAction } from './choose-action.ts';

const HELP = `Usage: optix callers <action> [options]

  create                make an API key of a running service
  list                  show the keys
  rotate <id>           make the key that follows another one
  revoke <id>           end a key
  hash                  print the SHA-256 of a key on standard input

Each action has a --help of its own.

  optix callers create --service ratelimit --name gateway --scopes limits.check --ttl 90d`;

const ACTIONS: Readonly<Record<string, Action>> = {
  create: createCallerKeyCommand,
  list: listCallerKeysCommand,
  rotate: rotateCallerKeyCommand,
  revoke: revokeCallerKeyCommand,
  hash: hashCommand,
};

/** `optix callers`: manages the API keys of a running service. */
export async function callersCommand(args: string[]): Promise<number> {
  return await chooseAction('callers', HELP, ACTIONS, args);
}

import { text } from 'node:stream/consumers';
import { keyDigest } from '../../../runtime/callers/caller-key.ts';
import { EXIT } from '../../output/exit-code.ts';
import { printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';

const HELP = `Usage: optix callers hash < key

Prints the SHA-256 of a key on standard input, with or without the end of its line: what IDENTITY_CALLER_KEYS,
RATELIMIT_CALLER_KEYS and CALLERS_FILE hold of it.

  --json                print JSON: { sha256 }

  printf %s "$KEY" | optix callers hash`;

/** `optix callers hash`: prints what CALLERS_FILE and the settings hold of a key. */
export async function hashCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'callers hash', help: HELP, options: {} }, args);
  if (read === undefined) return EXIT.DONE;
  const key = (await text(process.stdin)).replace(/\r?\n$/, '');
  // What a header can't carry could never be sent.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new Error('standard input must hold one key: printable ASCII without spaces');
  }
  const sha256 = keyDigest(key);
  if (read.values.json) printJson({ sha256 });
  else console.log(sha256);
  return EXIT.DONE;
}

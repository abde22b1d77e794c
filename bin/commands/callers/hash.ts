import { text } from 'node:stream/consumers';
import { keyDigest } from '../../../runtime/callers/caller-key.ts';
import { parseFlags } from '../../usage.ts';

/** `optix callers hash`: prints what CALLERS_FILE and the settings hold of a key. */
export async function hashCommand(args: string[]): Promise<number> {
  parseFlags(args, {});
  const key = (await text(process.stdin)).replace(/\r?\n$/, '');
  // What a header can't carry could never be sent.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new Error('standard input must hold one key: printable ASCII without spaces');
  }
  console.log(keyDigest(key));
  return 0;
}

import { readFileSync } from 'node:fs';
import { type Setting, secretSetting } from './settings.ts';

/**
 * The content of a file that has to be there at the start; it has no place in a log.
 *
 * @param content what the file holds, as the end of a sentence.
 * @param read throws for other content.
 */
export function pemSetting(
  env: string,
  doc: string,
  content: string,
  read: (pem: string) => unknown,
): Setting<string | undefined> {
  return secretSetting(env, doc, (path) => {
    const pem = contentOf(path);
    try {
      read(pem);
    } catch {
      // What OpenSSL says is of no use to anybody, and the file may hold anything.
      throw new Error(`must name a file that holds ${content} in PEM`);
    }
    return pem;
  });
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`must name a file that can be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

import { readdirSync, readFileSync } from 'node:fs';

/** The files of a directory of deploy/, by name. */
export function configurationOf(gateway: string): Readonly<Record<string, string>> {
  const directory = new URL(`../../deploy/${gateway}/`, import.meta.url);
  const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(names.map(({ name }) => [name, readFileSync(new URL(name, directory), 'utf8')]));
}

/**
 * Puts other texts in place of those that whoever copies a file is to replace.
 *
 * @throws Error for one that the file does not have once
 */
export function adapted(text: string, replacements: Readonly<Record<string, string>>): string {
  for (const from of Object.keys(replacements)) {
    const times = text.split(from).length - 1;
    if (times !== 1) throw new Error(`${JSON.stringify(from)} is there ${times} times`);
  }
  // At once: what is put in may look like what is still to be replaced.
  const any = new RegExp(Object.keys(replacements).map(RegExp.escape).join('|'), 'g');
  return text.replace(any, (from) => replacements[from] ?? from);
}

import { readFile, stat } from 'node:fs/promises';
import type { AccessRules } from '../domain/access/access-rules.ts';
import { readAccessRulesDocument } from './access-rules-document.ts';

/** A larger file is refused. */
const MAX_FILE_BYTES = 256 * 1024;

/** The access rules file is missing, or has content that can't be used. */
export class InvalidAccessRulesFile extends Error {
  /** One line each, beginning with the file, mostly as `<file>:<line>:<column> <field> <what>`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidAccessRulesFile';
    this.problems = problems;
  }
}

/** @throws InvalidAccessRulesFile */
export async function loadAccessRulesText(path: string): Promise<string> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new InvalidAccessRulesFile([`${path} is not a file`]);
    if (info.size > MAX_FILE_BYTES) {
      throw new InvalidAccessRulesFile([`${path} has more than ${MAX_FILE_BYTES} bytes`]);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof InvalidAccessRulesFile) throw error;
    if (error instanceof TypeError) throw new InvalidAccessRulesFile([`${path} is not UTF-8`]);
    const { code } = error as NodeJS.ErrnoException;
    throw new InvalidAccessRulesFile([`${path} can't be read: ${code ?? error}`]);
  }
}

/** @throws InvalidAccessRulesFile with all that is wrong */
export function accessRulesOf(path: string, text: string): AccessRules {
  const { value, problems } = readAccessRulesDocument(text);
  if (value === undefined) throw new InvalidAccessRulesFile(problems.map((each) => `${path}:${each}`));
  return value;
}

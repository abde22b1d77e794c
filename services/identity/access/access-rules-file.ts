import { InvalidFile } from '../../../runtime/invalid-file.ts';
import { loadFile, textOf } from '../../../runtime/load-file.ts';
import type { AccessRules } from '../domain/access/access-rules.ts';
import { readAccessRulesDocument } from './access-rules-document.ts';

/** A larger file is refused. */
const MAX_FILE_BYTES = 256 * 1024;

/** @throws InvalidFile */
export async function loadAccessRulesText(path: string): Promise<string> {
  return textOf(path, await loadFile(path, MAX_FILE_BYTES));
}

/** @throws InvalidFile with all that is wrong */
export function accessRulesOf(path: string, text: string): AccessRules {
  const { value, problems } = readAccessRulesDocument(text);
  if (value === undefined) throw new InvalidFile(problems.map((each) => `${path}:${each}`));
  return value;
}

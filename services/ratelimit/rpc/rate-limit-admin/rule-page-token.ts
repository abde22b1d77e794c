import { RULE_NAME } from '../../domain/rule.ts';

const PREFIX = 'after:';

/** Where the page after a rule begins. Rules that come and go meanwhile don't move it. */
export function writePageToken(name: string): string {
  return Buffer.from(PREFIX + name).toString('base64url');
}

/** The name of the rule before the page, '' for the first page; undefined for a text that is no token. */
export function readPageToken(token: string): string | undefined {
  if (token === '') return '';
  const text = Buffer.from(token, 'base64url').toString();
  const name = text.slice(PREFIX.length);
  return RULE_NAME.test(name) && writePageToken(name) === token ? name : undefined;
}

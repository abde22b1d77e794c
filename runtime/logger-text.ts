import { REDACTED } from './logger-redaction.ts';

/** More of a text than this helps nobody, and a log line has to stay readable. */
const MAX_CHARACTERS = 1000;

/**
 * What has an `@` within: addresses of people, and `user:password@host` of a URL. Begins where a word does: tried at every
 * letter of a long word without one, it took minutes.
 */
const WITH_AT = /(?<![^\s<>"'`(),;/])[^\s<>"'`(),;/]+@[^\s<>"'`(),;]+/g;
/** A credential as headers carry it (RFC 9110 section 11.4). */
const CREDENTIAL = /\b(Bearer|Basic|Digest) +[^\s"',;]+/gi;
/** Redis repeats the arguments of a command that it doesn't know. */
const REDIS_ARGUMENTS = /,? with args beginning with:[\s\S]*$/;

/** A text that others wrote, an error's message say, as the log may have it: without addresses, credentials and arguments. */
export function loggedText(text: string): string {
  const kept = text
    .replace(REDIS_ARGUMENTS, '')
    .replace(WITH_AT, REDACTED)
    .replace(CREDENTIAL, `$1 ${REDACTED}`);
  return kept.length > MAX_CHARACTERS ? `${kept.slice(0, MAX_CHARACTERS)}…` : kept;
}

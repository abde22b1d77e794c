import { hash } from 'node:crypto';
import type { EnvoyEntry } from './envoy-config.ts';

/** What is longer stands as its digest: keys in the store stay short. */
const MAX_IDENTIFIER_BYTES = 256;
/** The most bytes that one UTF-16 unit becomes in UTF-8. */
const MOST_BYTES_A_UNIT = 3;

const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const STAR = 0x2a;

/**
 * Who is counted, as one text: `key=value,key2=value2`; over 256 bytes `sha256:<hex>`. No two descriptors have the same:
 * `\` stands before each `, = * \` of theirs, and a digest has no `=`.
 *
 * @param patterns by place: what stands for the value where values share a threshold, with a `*` at its end that is not
 *   escaped, as that of no value is
 */
export function envoyIdentifier(
  entries: readonly EnvoyEntry[],
  patterns?: readonly (string | undefined)[],
): string {
  let text = '';
  for (let at = 0; at < entries.length; at += 1) {
    const { key, value } = entries[at] as EnvoyEntry;
    const pattern = patterns?.[at];
    if (at > 0) text += ',';
    text += `${escaped(key)}=`;
    text += pattern === undefined ? escaped(value) : `${escaped(pattern.slice(0, -1))}*`;
  }
  return boundedIdentifier(text);
}

/** The text, or, over 256 bytes, its digest. */
export function boundedIdentifier(text: string): string {
  return isLong(text) ? `sha256:${digest(text)}` : text;
}

function escaped(text: string): string {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === EQUALS || code === STAR || code === BACKSLASH) {
      return text.replace(/[\\,=*]/g, '\\$&');
    }
  }
  return text;
}

function isLong(text: string): boolean {
  if (text.length * MOST_BYTES_A_UNIT <= MAX_IDENTIFIER_BYTES) return false;
  return Buffer.byteLength(text) > MAX_IDENTIFIER_BYTES;
}

/** Over UTF-16, since lone surrogates would all become one in UTF-8. */
function digest(text: string): string {
  return hash('sha256', Buffer.from(text, 'utf16le'), 'hex');
}

import type { EnvoyEntry } from './envoy-config.ts';
import { boundedIdentifier } from './envoy-identifier.ts';

/** A part of a template: text, then the key whose value follows it; undefined at the end. */
interface TemplatePart {
  readonly text: string;
  readonly key: string | undefined;
}

/**
 * The keys that a template such as `user:{user_id}` names, in order.
 *
 * @returns undefined where its braces don't pair
 */
export function templateKeys(template: string): readonly string[] | undefined {
  const parts = partsOf(template);
  return parts?.flatMap(({ key }) => (key === undefined ? [] : [key]));
}

/**
 * Puts the values of a descriptor in place of `{key}`. Of a key that is there several times the last counts, as the most
 * particular.
 *
 * @param template whose keys the entries have: the configuration is refused where they don't
 * @returns an identifier of at most 256 bytes: what is longer stands as `sha256:<hex>`
 */
export function fillIdentifier(template: string, entries: readonly EnvoyEntry[]): string {
  let filled = '';
  for (const { text, key } of partsOf(template) ?? []) {
    filled += text;
    if (key !== undefined) filled += entries.findLast((entry) => entry.key === key)?.value ?? '';
  }
  return boundedIdentifier(filled);
}

function partsOf(template: string): readonly TemplatePart[] | undefined {
  const parts: TemplatePart[] = [];
  let from = 0;
  for (;;) {
    const open = template.indexOf('{', from);
    const close = template.indexOf('}', from);
    if (open === -1 && close === -1) return [...parts, { text: template.slice(from), key: undefined }];
    if (open === -1 || close < open) return undefined;
    const key = template.slice(open + 1, close);
    if (key === '' || key.includes('{')) return undefined;
    parts.push({ text: template.slice(from, open), key });
    from = close + 1;
  }
}

/** A text in which no secret may stand, and what to call it in a report. */
export interface Place {
  readonly name: string;
  readonly text: string;
}

/** Shorter ones would be found by chance. */
const MIN_BYTES = 8;

/**
 * Says where secrets stand: `<secret> as <spelling> in <place>`, without repeating them.
 *
 * A secret is looked for as it is, in hex, and in base64 and base64url: also within something longer that was encoded as
 * a whole, where its characters depend on its offset modulo 3.
 */
export function findSecrets(
  secrets: Readonly<Record<string, string | Uint8Array>>,
  places: Iterable<Place>,
): string[] {
  const wanted = Object.entries(secrets).flatMap(([secret, value]) =>
    [...spellings(value)].map(([spelling, text]) => ({ secret, spelling, text })),
  );
  const found = new Set<string>();
  for (const { name, text } of places) {
    const lower = text.toLowerCase();
    for (const one of wanted) {
      const isThere = one.spelling === 'hex' ? lower.includes(one.text) : text.includes(one.text);
      if (isThere) found.add(`${one.secret} as ${one.spelling} in ${name}`);
    }
  }
  return [...found];
}

function* spellings(value: string | Uint8Array): Iterable<readonly [string, string]> {
  const bytes = Buffer.from(value as string);
  if (bytes.length < MIN_BYTES) throw new RangeError(`a secret of ${bytes.length} bytes is found by chance`);
  if (typeof value === 'string') yield ['text', value];
  yield ['bytes', bytes.toString('latin1')];
  yield ['hex', bytes.toString('hex')];
  for (const offset of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url');
    // What also depends on the neighbours is left out: the first characters, and the last one of an open group.
    const inner = encoded.slice(offset === 0 ? 0 : offset + 1, Math.floor(((offset + bytes.length) * 8) / 6));
    yield ['base64', inner];
    yield ['base64', inner.replaceAll('-', '+').replaceAll('_', '/')];
  }
}

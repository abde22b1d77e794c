/**
 * The one text for a JSON value: that of RFC 8785 (JSON Canonicalization Scheme). No white space; the keys of an object
 * sorted by their UTF-16 code units; strings and numbers as JSON.stringify writes them (ECMAScript, section 25.5.2), so
 * that 1, 1.0 and 1e0 are `1`, and -0 is `0`. Numbers are IEEE 754 doubles; those too large for one, of which JSON.parse
 * makes an infinity and of which RFC 8785 does not speak, are `1e999` and `-1e999`.
 *
 * What PostgreSQL's jsonb forgets of a value makes no difference here: the order of keys, which of two equal keys came
 * first (the last one counts), how a number was spelled. So it gives the same before the value is stored and after.
 *
 * @param value as JSON.parse gives it: made of null, booleans, numbers, strings, arrays and plain objects
 * @throws TypeError for anything else, as it would not come back from the store as it was
 */
export function canonicalJson(value: unknown): string {
  let text = '';
  // A stack of its own: the values that PostgreSQL takes are nested more deeply than calls can be.
  const pending: Piece[] = [{ value }];
  for (let piece = pending.pop(); piece !== undefined; piece = pending.pop()) {
    if ('text' in piece) text += piece.text;
    else if (Array.isArray(piece.value)) pushAll(pending, arrayPieces(piece.value));
    else if (isPlainObject(piece.value)) pushAll(pending, objectPieces(piece.value));
    else text += scalarText(piece.value);
  }
  return text;
}

/** What is left to write: a text as it is, or a value. */
type Piece = { readonly text: string } | { readonly value: unknown };

/** So that the first is taken first. */
function pushAll(pending: Piece[], pieces: readonly Piece[]): void {
  for (const piece of pieces.toReversed()) pending.push(piece);
}

function arrayPieces(items: readonly unknown[]): Piece[] {
  const pieces = items.flatMap((value, index) => [{ text: index === 0 ? '' : ',' }, { value }]);
  return [{ text: '[' }, ...pieces, { text: ']' }];
}

function objectPieces(object: Readonly<Record<string, unknown>>): Piece[] {
  // sort() without a comparison goes by code units.
  const pieces = Object.keys(object)
    .sort()
    .flatMap((key, index) => [
      { text: `${index === 0 ? '' : ','}${JSON.stringify(key)}:` },
      { value: object[key] },
    ]);
  return [{ text: '{' }, ...pieces, { text: '}' }];
}

function scalarText(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return '1e999';
  if (value === Number.NEGATIVE_INFINITY) return '-1e999';
  if (isScalar(value)) return JSON.stringify(value);
  throw new TypeError('not a JSON value');
}

function isScalar(value: unknown): value is null | boolean | number | string {
  if (typeof value === 'number') return !Number.isNaN(value);
  return value === null || typeof value === 'boolean' || typeof value === 'string';
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

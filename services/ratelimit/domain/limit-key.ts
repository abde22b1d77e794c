// `%` starts an escape; braces delimit the hash tag; blanks and control characters would garble redis-cli's output;
// a lone surrogate has no UTF-8 form, and all of them would become the same U+FFFD on the wire.
const NEEDS_ESCAPE = /[%{}\s\p{Cc}\p{Cs}]/u;
const EACH_TO_ESCAPE = /[%{}\s\p{Cc}\p{Cs}]/gu;

/**
 * The key under which an endpoint's use by an identifier is counted: `ratelimit:<endpoint>:{<identifier>}`.
 *
 * The braces make the identifier the hash tag of Redis Cluster, so all keys of one identifier share a slot. Two
 * different pairs never share a key: an encoded endpoint has no brace, so the first `{` ends it. Usual identifiers
 * (`user:4711`, `ip:2001:db8::1`) stand in the key as they are.
 */
export function limitKey(endpoint: string, identifier: string): string {
  return `ratelimit:${encodePart(endpoint)}:{${encodePart(identifier)}}`;
}

function encodePart(part: string): string {
  // Redis takes `{}` for no hash tag at all, so an empty part has a form of its own that no escape can make.
  if (part === '') return '%';
  return NEEDS_ESCAPE.test(part) ? part.replace(EACH_TO_ESCAPE, escapeUnit) : part;
}

/** `%` and two hex digits for ASCII, `%u` and four for the rest; every class above is within one UTF-16 unit. */
function escapeUnit(character: string): string {
  const unit = character.charCodeAt(0);
  const hex = unit.toString(16).toUpperCase();
  return unit < 0x80 ? `%${hex.padStart(2, '0')}` : `%u${hex.padStart(4, '0')}`;
}

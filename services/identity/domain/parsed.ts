/** What became of a text from outside: a value that is known to be good, or what is wrong with it, for a developer. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

export function accepted<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** `reason` continues a sentence that starts with the field's name, and never repeats the text. */
export function rejected(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

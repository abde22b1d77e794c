/** A UUID in lower-case text form. */
export type Uuid = string & { readonly __brand: 'Uuid' };

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `value` is a UUID in the one spelling that is given out: lower case, with hyphens (RFC 9562 section 4). */
export function isUuid(value: unknown): value is Uuid {
  return typeof value === 'string' && FORM.test(value);
}

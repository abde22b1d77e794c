import { randomUUID } from 'node:crypto';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The id that a caller gave its request, if it is plain text of 1 to 128 characters. */
export function givenRequestId(text: string | undefined): string | undefined {
  return text !== undefined && REQUEST_ID.test(text) ? text : undefined;
}

/** An id of our own. */
export function newRequestId(): string {
  return randomUUID();
}

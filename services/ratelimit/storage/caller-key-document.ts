import { createHash } from 'node:crypto';
import { z } from 'zod';
import { endOf, type StoredCallerKey } from '../../../runtime/callers/caller-key.ts';
import { KEPT_AFTER_END_MS } from '../../../runtime/callers/caller-key-store.ts';
import { revisionNumber } from './live-document.ts';

/** All caller keys as they are kept. */
export interface CallerKeyDocument {
  /** `<number>.<16 hex digits of SHA-256 of the text>`: of two documents the one with the higher number holds. */
  readonly revision: string;
  readonly text: string;
  /** Oldest first. */
  readonly keys: readonly StoredCallerKey[];
}

/** What holds before any key was ever made. */
export const NO_CALLER_KEYS: CallerKeyDocument = Object.freeze({ revision: '0.', text: '', keys: [] });

const time = z.iso.datetime().transform((text) => new Date(text));
const documentSchema = z.strictObject({
  keys: z.array(
    z.strictObject({
      // Not z.uuid(): a request_id may be of any version and variant, and a document that can't be read ends revocation.
      id: z.guid(),
      name: z.string(),
      scopes: z.array(z.string()),
      digest: z.string().regex(/^[0-9a-f]{64}$/),
      createdAt: time,
      createdBy: z.string(),
      expiresAt: time.nullable(),
      revokedAt: time.nullable(),
    }),
  ),
});

/**
 * Makes the document that follows a revision. Its number is the time in ms where that is higher than the next: so keys
 * that were made after a flush, by somebody who knew of none, are still higher than all before it.
 */
export function nextKeyDocument(
  revision: string,
  keys: readonly StoredCallerKey[],
  now: Date,
): CallerKeyDocument {
  const kept = keys.filter((key) => {
    const end = endOf(key);
    return end === null || now.getTime() - end.getTime() < KEPT_AFTER_END_MS;
  });
  const text = JSON.stringify({ keys: kept.map(({ lastUsedAt: _, ...key }) => key) });
  const number = Math.max(revisionNumber(revision) + 1, now.getTime());
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { revision: `${number}.${digest}`, text, keys: kept };
}

/** Reads a document that was kept. @throws Error that repeats nothing of it */
export function readKeyDocument(revision: string, text: string): CallerKeyDocument {
  if (revisionNumber(revision) < 0) throw new Error('the caller keys in Redis have no revision');
  let parsed: ReturnType<typeof documentSchema.safeParse>;
  try {
    parsed = documentSchema.safeParse(JSON.parse(text));
  } catch {
    throw new Error('the caller keys in Redis are not JSON');
  }
  if (!parsed.success) {
    const places = parsed.error.issues.map(({ path }) => path.join('.')).slice(0, 5);
    throw new Error(`the caller keys in Redis can not be used: ${places.join(', ')}`);
  }
  const keys = parsed.data.keys.map((key) => ({ ...key, lastUsedAt: null }));
  return { revision, text, keys };
}

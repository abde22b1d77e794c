import { UserNotFound } from '../errors.ts';
import { type AnswerCodec, once, type RequestKey } from '../idempotency.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

class NotAnswered extends Error {}

/**
 * What the same request was answered before; null where it was not. For requests that can't be tried again, because the
 * first try used up what they bring. Waits for a first try that is not done yet.
 *
 * @throws RequestIdReused, DatabaseUnavailable
 */
export async function answeredBefore<T>(
  unitOfWork: UnitOfWork,
  key: RequestKey | null,
  codec: AnswerCodec<T>,
): Promise<T | null> {
  if (key === null) return null;
  try {
    return await once(unitOfWork, key, codec, () => Promise.reject(new NotAnswered()));
  } catch (error) {
    // Of an erased user there is no answer any more.
    if (error instanceof NotAnswered || error instanceof UserNotFound) return null;
    throw error;
  }
}

import { timingSafeEqual } from 'node:crypto';
import { RequestIdReused, UserNotFound } from './errors.ts';
import type { Repositories, UnitOfWork } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

/** What makes two requests the same one: by the same caller, to the same RPC, with the same id. */
export interface RequestKey {
  /** Name of the calling backend; empty where callers are not authenticated. */
  readonly caller: string;
  /** Full name of the RPC. */
  readonly rpc: string;
  /** 1 to 128 printable ASCII characters. */
  readonly requestId: string;
  /** Stands for everything else in the request. Keyed, as requests hold passwords. */
  readonly mac: Buffer;
}

/** How a result is kept for the same request to be answered with it again. */
export interface AnswerCodec<T> {
  /** Never null. */
  toJson(result: T): unknown;
  fromJson(json: unknown): T;
  /** Whom the result is about; null for nobody. It is forgotten with them. */
  userIdOf(result: T): Uuid | null;
}

/**
 * Runs `work` in one transaction, once for a key: the same request again within 24 hours gets the first one's result
 * and writes nothing (https://google.aip.dev/155). Requests with the same key that come together wait for each other.
 * Work that fails leaves the key free. Without a key it simply runs.
 *
 * @throws RequestIdReused where the key came with another request; UserNotFound where the answer was about a user who was
 *   erased since; DatabaseUnavailable; whatever `work` throws.
 */
export async function once<T>(
  unitOfWork: UnitOfWork,
  key: RequestKey | null,
  codec: AnswerCodec<T>,
  work: (repositories: Repositories) => Promise<T>,
): Promise<T> {
  if (key === null) return await unitOfWork.transactional(work);
  return await unitOfWork.transactional(async (repositories) => {
    const { answeredRequests } = repositories;
    const answered = await answeredRequests.claim(key);
    if (answered !== null) {
      if (!timingSafeEqual(answered.mac, key.mac)) throw new RequestIdReused();
      if (answered.answer === null) throw new UserNotFound();
      return codec.fromJson(answered.answer);
    }
    const result = await work(repositories);
    await answeredRequests.keep(key, codec.toJson(result), codec.userIdOf(result));
    return result;
  });
}

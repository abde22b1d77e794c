import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from '../change.ts';
import type { Parsed } from '../parsed.ts';
import type { PasswordHasher } from '../password-hasher.ts';
import type { ImportedUser } from '../users.ts';
import type { Uuid } from '../uuid.ts';
import type { UserAdminDeps } from './change-user.ts';
import { userEvent } from './user-event.ts';

/** Users a transaction: long enough to be cheap, short enough to hold nobody up. */
const BATCH = 500;
/** Refusals that are told one by one. */
const MAX_FAILURES = 1_000;

export interface ImportUsersDeps extends UserAdminDeps {
  readonly hasher: Pick<PasswordHasher, 'learnCosts'>;
}

/** A user to import, as it was read. */
export type ImportCandidate = Omit<ImportedUser, 'id' | 'importedAt' | 'createdAt' | 'emailVerifiedAt'> & {
  /** Null: the moment of the import. */
  readonly createdAt: Date | null;
  readonly emailVerified: boolean;
};

/** Why a user was not imported. */
export interface ImportFailure {
  /** Place in the stream, from 0. */
  readonly index: number;
  readonly reason: 'INVALID' | 'EMAIL_ALREADY_REGISTERED';
  /** Names the fields that are wrong. Repeats no values. */
  readonly description: string;
}

/** What became of an import. */
export interface ImportOutcome {
  readonly imported: number;
  readonly failed: number;
  /** The first 1,000. */
  readonly failures: readonly ImportFailure[];
}

/**
 * Adds users from another system, each added or refused by itself, in batches of 500 a transaction. Holds one batch at a
 * time, and no transaction while it waits for the stream. Where the stream or the database fails, the batches before stay:
 * the same import again refuses those users as registered already and adds the others.
 *
 * @throws HashingOverloaded, DatabaseUnavailable; what the stream throws; the signal's reason
 */
export async function importUsers(
  deps: ImportUsersDeps,
  candidates: AsyncIterable<Parsed<ImportCandidate>>,
  origin: ChangeOrigin,
  signal: AbortSignal,
): Promise<ImportOutcome> {
  const failures: ImportFailure[] = [];
  let imported = 0;
  let failed = 0;
  let index = 0;
  let batch: Numbered[] = [];
  const fail = (failure: ImportFailure): void => {
    failed += 1;
    if (failures.length < MAX_FAILURES) failures.push(failure);
  };
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    if (batch.length === 0) return;
    // Before anybody can try to sign in with them: else the first refusal would tell by its time who came with them.
    await deps.hasher.learnCosts(
      batch.flatMap(({ candidate }) => candidate.passwordHash ?? []),
      signal,
    );
    const added = await importBatch(deps, batch, origin);
    for (const { index, id } of batch) {
      if (added.has(id)) imported += 1;
      else fail({ index, reason: 'EMAIL_ALREADY_REGISTERED', description: 'email is already registered' });
    }
    batch = [];
  };
  for await (const candidate of candidates) {
    if (candidate.ok) batch.push({ index, id: uuidV7() as Uuid, candidate: candidate.value });
    else fail({ index, reason: 'INVALID', description: candidate.reason });
    index += 1;
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  failures.sort((a, b) => a.index - b.index);
  return { imported, failed, failures };
}

interface Numbered {
  readonly index: number;
  readonly id: Uuid;
  readonly candidate: ImportCandidate;
}

async function importBatch(
  { unitOfWork, now }: ImportUsersDeps,
  batch: readonly Numbered[],
  origin: ChangeOrigin,
): Promise<ReadonlySet<Uuid>> {
  return await unitOfWork.transactional(async ({ users, securityEvents }) => {
    const at = now();
    const added = await users.insertMany(
      batch.map(({ id, candidate: { createdAt, emailVerified, ...user } }) => ({
        ...user,
        id,
        createdAt: createdAt ?? at,
        emailVerifiedAt: emailVerified ? at : null,
        importedAt: at,
      })),
    );
    if (added.size === 0) return added;
    const admins = batch.filter(({ id, candidate }) => added.has(id) && candidate.roles.includes('admin'));
    await securityEvents.append(
      userEvent({
        type: 'users_imported',
        severity: admins.length > 0 ? 'high' : 'medium',
        description: 'Accounts were imported from another system.',
        userId: null,
        origin,
        at,
        metadata: { count: added.size, admins: admins.map(({ id }) => id) },
      }),
    );
    return added;
  });
}

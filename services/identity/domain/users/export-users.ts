import type { ChangeOrigin } from '../change.ts';
import type { User } from '../user.ts';
import type { UserAdminDeps } from './change-user.ts';
import type { UserDirectory, UserFilter } from './user-directory.ts';
import { userEvent } from './user-event.ts';

/** Users a message: well below what clients of gRPC take at once, 4 MiB. */
const BATCH = 500;

export interface ExportUsersDeps extends UserAdminDeps {
  readonly directory: UserDirectory;
}

/**
 * Streams the users that a filter selects as they are at one moment. That it was asked for is in the audit log before the
 * first user leaves.
 *
 * @throws TooManyExports, DatabaseUnavailable
 */
export async function* exportUsers(
  { unitOfWork, now, directory }: ExportUsersDeps,
  filter: UserFilter,
  origin: ChangeOrigin,
): AsyncIterable<readonly User[]> {
  await unitOfWork.transactional(({ securityEvents }) =>
    securityEvents.append(
      userEvent({
        type: 'users_exported',
        severity: 'high',
        description: 'Accounts were exported.',
        userId: null,
        origin,
        at: now(),
        // A prefix may be somebody's name or address: that there was one has to do.
        metadata: { filter: { ...filter, prefix: filter.prefix !== null } },
      }),
    ),
  );
  yield* directory.stream(filter, BATCH);
}

import { DatabaseUnavailable } from '../../errors.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import type { ArchivedUsers } from '../../users/archived-users.ts';
import { userEvent } from '../../users/user-event.ts';
import type { Uuid } from '../../uuid.ts';
import type { MaintenanceTask } from '../maintenance-task.ts';
import { sweepTask } from './sweep-task.ts';

export interface ArchivingDeps {
  readonly unitOfWork: UnitOfWork;
  readonly archivedUsers: Pick<ArchivedUsers, 'findDue'>;
  /** How long a deletion can be taken back, in days; 0: for ever. */
  readonly archiveAfterDays: number;
  readonly now: () => Date;
}

const DAY_MS = 24 * 3_600_000;
/** Each user is a transaction. */
const BATCH = 100;

/** Archives the users whose deletion can't be taken back any more: the account goes, who it was stays. */
export function archiveUsersTask(deps: ArchivingDeps): MaintenanceTask {
  const { archivedUsers, archiveAfterDays, now } = deps;
  const sweep = async (most: number): Promise<number> => {
    if (archiveAfterDays === 0) return 0;
    const deletedBefore = new Date(now().getTime() - archiveAfterDays * DAY_MS);
    let archived = 0;
    const failures: unknown[] = [];
    for (const id of await archivedUsers.findDue(deletedBefore, most)) {
      try {
        if (await archiveUser(deps, id, deletedBefore)) archived += 1;
      } catch (error) {
        // One user who can't be archived keeps no other from it; a database that is away keeps all.
        if (error instanceof DatabaseUnavailable) throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return archived;
  };
  return sweepTask(
    {
      name: 'archive_users',
      description: 'Archives users whose deletion can no longer be taken back.',
      intervalMs: 3_600_000,
    },
    [sweep],
    { size: BATCH },
  );
}

async function archiveUser(
  { unitOfWork, now }: ArchivingDeps,
  id: Uuid,
  deletedBefore: Date,
): Promise<boolean> {
  return await unitOfWork.transactional(async ({ archivedUsers, securityEvents }) => {
    const at = now();
    if (!(await archivedUsers.archive(id, { deletedBefore, at }))) return false;
    await securityEvents.append(
      userEvent({
        type: 'user_archived',
        severity: 'info',
        description: 'The deleted account was archived; it can not be restored any more.',
        userId: id,
        origin: { caller: null, actor: 'maintenance', reason: null },
        at,
      }),
    );
    return true;
  });
}

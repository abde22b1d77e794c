import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MaintenanceService } from '../../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { serviceTable } from '../../../../runtime/service-table.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import type { MaintenanceDeps } from '../../domain/maintenance/maintenance-deps.ts';
import type { MaintenanceTask } from '../../domain/maintenance/maintenance-task.ts';
import { MaintenanceScheduler } from '../../domain/maintenance/scheduler.ts';
import { MaintenanceRepository } from '../../storage/maintenance-repository.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { testClient } from '../testing-client.ts';
import { getMaintenanceStatus } from './get-maintenance-status.ts';
import { runMaintenanceTask } from './run-maintenance-task.ts';

let db: TestOrm;
let maintenance: MaintenanceDeps;
/** What the task `retention` comes to. */
let retention: () => Promise<number>;
beforeEach(async () => {
  db = await openTestOrm();
  retention = async () => 4;
  const task = (name: string, run: () => Promise<number>): MaintenanceTask => ({
    name,
    description: `Does ${name}.`,
    intervalMs: 3_600_000,
    run: async () => ({ count: await run(), hasMore: false }),
  });
  maintenance = {
    store: new MaintenanceRepository(db.orm.em),
    tasks: [task('retention', () => retention()), task('analyze', async () => 0)],
    sealing: { lag: async () => ({ unsealed: 3, oldestMs: 1250 }) },
  };
});
afterEach(() => db[Symbol.asyncDispose]());

function client(scopes: readonly string[] = ['maintenance.admin']) {
  const context = { maintenance };
  const table = serviceTable(MaintenanceService, {
    getMaintenanceStatus: getMaintenanceStatus(context),
    runMaintenanceTask: runMaintenanceTask(context),
  });
  return testClient(MaintenanceService, table, { scopes });
}

/** Machines that are busy take longer than the second that polls have by default. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });

function schedule(): MaintenanceScheduler {
  return new MaintenanceScheduler({
    ...maintenance,
    holder: 'replica-1',
    onTaskFailed: () => undefined,
    onError: (error) => expect.fail(String(error)),
    timing: { lookMs: 20, tickMs: 20 },
  });
}

test('before anybody has done maintenance: the tasks, by name, and nobody who runs them', async () => {
  expect(await client().getMaintenanceStatus({})).toMatchObject({
    runner: '',
    unsealedEvents: 3n,
    sealingLagMs: 1250n,
    tasks: [
      { name: 'analyze', description: 'Does analyze.', intervalSeconds: 3600n, lastError: '' },
      { name: 'retention', description: 'Does retention.', running: false, lagMs: 0n },
    ],
  });
  const { tasks } = await client().getMaintenanceStatus({});
  expect(tasks[0]?.nextRunTime).toBe(undefined);
});

test('a task that is asked for runs on whichever replica does the maintenance', async () => {
  await using _ = schedule();
  const status = async () => {
    const { tasks, runner } = await client().getMaintenanceStatus({});
    return { ...tasks.find(({ name }) => name === 'retention'), runner };
  };
  await eventually(status).toMatchObject({ runner: 'replica-1', lastCount: 4n, totalCount: 4n });
  const gate = Promise.withResolvers<number>();
  retention = () => gate.promise;
  const { task } = await client().runMaintenanceTask({ name: 'retention' });
  expect(task).toMatchObject({ name: 'retention', description: 'Does retention.' });
  await eventually(status).toMatchObject({ running: true, totalCount: 4n });
  gate.resolve(2);
  await eventually(status).toMatchObject({ running: false, lastCount: 2n, totalCount: 6n });
  const { nextRunTime, lastStartTime, lastFinishTime, lastSuccessTime } = await status();
  const seconds = Number(nextRunTime?.seconds) - Number(lastStartTime?.seconds);
  expect(seconds).toBe(3600);
  expect(lastSuccessTime).toEqual(lastFinishTime);
});

test('a failure is told, with the time of the last success', async () => {
  retention = async () => {
    throw new Error('a lock was not had in time');
  };
  await using _ = schedule();
  await eventually(async () => (await client().getMaintenanceStatus({})).tasks).toMatchObject([
    { name: 'analyze', lastError: '' },
    { name: 'retention', lastError: 'a lock was not had in time' },
  ]);
  const { tasks } = await client().getMaintenanceStatus({});
  expect(tasks[1]?.lastSuccessTime).toBe(undefined);
});

test.each(['', 'Retention', 'a'.repeat(65), "x'; drop table users"])('refuses the name %s', async (name) => {
  const error = await failure(client().runMaintenanceTask({ name }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(fieldsOf(error)).toEqual(['name']);
});

test.each(['scheduler', 'unknown'])('there is no task %s', async (name) => {
  const error = await failure(client().runMaintenanceTask({ name }));
  expect(error.code).toBe(Code.NotFound);
  expect(reasonOf(error)).toBe('MAINTENANCE_TASK_NOT_FOUND');
  expect(await db.rows('select * from user_service.maintenance_tasks')).toEqual([]);
});

test('is for callers with the scope maintenance.admin', async () => {
  const others = client(['users.admin', 'events.admin']);
  expect((await failure(others.getMaintenanceStatus({}))).code).toBe(Code.PermissionDenied);
  expect((await failure(others.runMaintenanceTask({ name: 'retention' }))).code).toBe(Code.PermissionDenied);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MaintenanceTask, TaskResult } from '../domain/maintenance/maintenance-task.ts';
import { MaintenanceScheduler, type SchedulerOptions } from '../domain/maintenance/scheduler.ts';
import { MaintenanceRepository } from './maintenance-repository.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';
import { TestProxy } from './testing-proxy.ts';

let db: TestOrm;
let store: MaintenanceRepository;
beforeEach(async () => {
  db = await openTestOrm();
  store = new MaintenanceRepository(db.orm.em);
});
afterEach(() => db[Symbol.asyncDispose]());

const TIMING = { leaseMs: 1000, renewMs: 200, lookMs: 50, tickMs: 20, retryMs: 100 };
const HOUR_MS = 3_600_000;
const NOTHING: TaskResult = { count: 0, hasMore: false };

function task(
  name: string,
  run: MaintenanceTask['run'] = async () => NOTHING,
  intervalMs = HOUR_MS,
): MaintenanceTask {
  return { name, description: `Does ${name}.`, intervalMs, run };
}

function schedule(holder: string, tasks: MaintenanceTask[], more: Partial<SchedulerOptions> = {}) {
  return new MaintenanceScheduler({
    ...{ store, tasks, holder, timing: TIMING },
    onTaskFailed: (name, error) => expect.fail(`${name}: ${error}`),
    onError: (error) => expect.fail(String(error)),
    ...more,
  });
}

/** Machines that are busy take longer than the second that polls have by default. */
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });
const stateOf = async (name: string) => (await store.status()).tasks.find((state) => state.name === name);
const runner = async () => (await store.status()).runner;

describe('who does it', () => {
  test('of two replicas one does, for as long as it lives', async () => {
    const ran: string[] = [];
    const every20ms = (holder: string) => [
      task(
        'a',
        async () => {
          ran.push(holder);
          return NOTHING;
        },
        20,
      ),
    ];
    await using _first = schedule('first', every20ms('first'));
    await eventually(() => ran.length).toBeGreaterThan(0);
    await using _second = schedule('second', every20ms('second'));
    // Longer than the lease.
    await sleep(1500);
    expect(new Set(ran)).toEqual(new Set(['first']));
    expect(ran.length).toBeGreaterThan(10);
    expect(await runner()).toBe('first');
  });

  test('one that ends has the other follow at once', async () => {
    const first = schedule('first', [task('a')]);
    await eventually(runner).toBe('first');
    await using _second = schedule('second', [task('a')]);
    await first[Symbol.asyncDispose]();
    expect(await runner()).not.toBe('first');
    await eventually(runner).toBe('second');
  });

  test('one that died is followed when its lease is over, and what it had begun is done anew', async () => {
    // A process that was killed in the middle of a task leaves this behind.
    await store.register(['a']);
    expect(await store.lead('dead', TIMING.leaseMs)).toBe(true);
    expect(await store.begin('a', { holder: 'dead', intervalMs: HOUR_MS })).toBe(true);
    const diedAt = performance.now();
    expect(await stateOf('a')).toMatchObject({ isRunning: true, lastFinishedAt: null });

    const took = Promise.withResolvers<number>();
    await using _second = schedule('second', [
      task('a', async () => {
        took.resolve(performance.now() - diedAt);
        return { count: 3, hasMore: false };
      }),
    ]);
    const afterMs = await took.promise;
    expect(afterMs).toBeGreaterThan(TIMING.leaseMs - 50);
    expect(afterMs).toBeLessThan(TIMING.leaseMs + 1000);
    await eventually(() => stateOf('a')).toMatchObject({ isRunning: false, lastCount: 3n });
    // Too late: the run is not its any more.
    await store.finish('a', { holder: 'dead', count: 99, error: '', againInMs: null });
    expect(await stateOf('a')).toMatchObject({ lastCount: 3n, totalCount: 3n });
    expect(await store.begin('a', { holder: 'dead', intervalMs: HOUR_MS })).toBe(false);
  });

  test.each(['down', 'silence'] as const)(
    'a database that it loses (%s): it stops before another begins',
    async (how) => {
      await using proxy = new TestProxy(db.url);
      await proxy.up();
      const cutOff = await MikroORM.init(ormOptions({ databaseUrl: proxy.url, statementTimeoutMs: 300 }));
      const stopped = Promise.withResolvers<number>();
      const errors: unknown[] = [];
      const first = schedule(
        'first',
        [
          task('a', async (signal) => {
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            stopped.resolve(performance.now());
            return { count: 1, hasMore: true };
          }),
        ],
        { store: new MaintenanceRepository(cutOff.em), onError: (error) => errors.push(error) },
      );
      await eventually(async () => (await stateOf('a'))?.isRunning).toBe(true);
      const followed = Promise.withResolvers<number>();
      await using _second = schedule('second', [
        task('a', async () => {
          followed.resolve(performance.now());
          return NOTHING;
        }),
      ]);
      await proxy[how]();
      expect(await followed.promise).toBeGreaterThan(await stopped.promise);
      await first[Symbol.asyncDispose]();
      expect(errors.length).toBeGreaterThan(0);
      // Told once for each of what asks the database, not each time.
      expect(errors.length).toBeLessThan(5);
      await proxy.down();
      await cutOff.close();
    },
  );

  test('one that does not know yet that another one leads, as after a jump of the clock, asks no more often', async () => {
    let asked = 0;
    class Counting extends MaintenanceRepository {
      override async begin(...args: Parameters<MaintenanceRepository['begin']>): Promise<boolean> {
        asked += 1;
        return await super.begin(...args);
      }
    }
    const timing = { ...TIMING, leaseMs: 60_000, renewMs: 20_000 };
    await using _first = schedule('first', [task('a')], { store: new Counting(db.orm.em), timing });
    await eventually(async () => (await stateOf('a'))?.lastSucceededAt).toBeInstanceOf(Date);
    await db.rows(
      `update user_service.maintenance_tasks set lease_holder = 'other', lease_until = now() + interval '1 hour'
       where name = 'scheduler'`,
    );
    asked = 0;
    await store.request('a');
    await eventually(() => asked).toBeGreaterThan(0);
    await sleep(500);
    expect(asked).toBeLessThanOrEqual(500 / TIMING.tickMs + 5);
    expect(await stateOf('a')).toMatchObject({ isRunning: false });
  });

  test('a hundred that ask at once: one is told that it leads', async () => {
    const asked = await Promise.all(Array.from({ length: 100 }, (_, n) => store.lead(`replica-${n}`, 5000)));
    expect(asked.filter(Boolean)).toHaveLength(1);
  });
});

describe('what is done', () => {
  test('one after another, each in its interval', async () => {
    const ran: string[] = [];
    let running = 0;
    const note = (name: string, intervalMs: number) =>
      task(
        name,
        async () => {
          running += 1;
          expect(running).toBe(1);
          await sleep(10);
          running -= 1;
          ran.push(name);
          return NOTHING;
        },
        intervalMs,
      );
    await using _ = schedule('first', [note('a', HOUR_MS), note('b', 50)]);
    await eventually(() => ran.filter((name) => name === 'b').length).toBeGreaterThan(3);
    expect(ran.filter((name) => name === 'a')).toHaveLength(1);
  });

  test('a failure is kept, and keeps no other task from its turn; the next success forgets it', async () => {
    const failures: [string, unknown][] = [];
    let isBroken = true;
    const error = new Error('it is broken', { cause: new Error('by hand') });
    await using _ = schedule(
      'first',
      [
        task('a', async () => {
          if (isBroken) throw error;
          return { count: 2, hasMore: false };
        }),
        task('b', async () => ({ count: 1, hasMore: false })),
      ],
      { onTaskFailed: (name, thrown) => failures.push([name, thrown]) },
    );
    await eventually(() => failures.length).toBeGreaterThanOrEqual(2);
    expect(failures[0]).toEqual(['a', error]);
    expect(await stateOf('a')).toMatchObject({
      lastError: 'it is broken: by hand',
      lastSucceededAt: null,
      lastFinishedAt: expect.any(Date),
      lastCount: 0n,
    });
    expect(await stateOf('b')).toMatchObject({ lastError: '', lastCount: 1n });
    isBroken = false;
    await eventually(async () => (await stateOf('a'))?.lastError).toBe('');
    expect(await stateOf('a')).toMatchObject({ lastCount: 2n, lastSucceededAt: expect.any(Date) });
  });

  test('what has more to do goes on after the others', async () => {
    const ran: string[] = [];
    let left = 3;
    await using _ = schedule('first', [
      task('a', async () => {
        ran.push('a');
        left -= 1;
        return { count: 10, hasMore: left > 0 };
      }),
      task('b', async () => {
        ran.push('b');
        return NOTHING;
      }),
    ]);
    await eventually(() => ran.length).toBe(4);
    expect(ran).toEqual(['a', 'b', 'a', 'a']);
    await eventually(() => stateOf('a')).toMatchObject({ totalCount: 30n, lastCount: 10n, lagMs: 0 });
  });

  test('what is asked for runs at once; while it runs, once more', async () => {
    const gate = Promise.withResolvers<void>();
    let ran = 0;
    await using _ = schedule('first', [
      task('a', async () => {
        ran += 1;
        if (ran === 2) await gate.promise;
        return NOTHING;
      }),
    ]);
    await eventually(async () => (await stateOf('a'))?.lastFinishedAt).toBeInstanceOf(Date);
    expect(await store.request('a')).toMatchObject({ name: 'a', isRunning: false });
    await eventually(() => ran).toBe(2);
    expect(await store.request('a')).toMatchObject({ isRunning: true });
    gate.resolve();
    await eventually(() => ran).toBe(3);
    await sleep(100);
    expect(ran).toBe(3);
  });

  test('asked for before anybody does maintenance, it is kept', async () => {
    await store.request('a');
    await sleep(30);
    expect(await stateOf('a')).toMatchObject({ lastStartedAt: null, isRunning: false });
    expect((await stateOf('a'))?.lagMs).toBeGreaterThanOrEqual(20);
    expect(await runner()).toBe(null);
  });

  test('a task of another version is left alone', async () => {
    await store.request('of_the_next_version');
    const ran: string[] = [];
    await using _ = schedule('first', [
      task('a', async () => {
        ran.push('a');
        return NOTHING;
      }),
    ]);
    await eventually(() => ran).toEqual(['a']);
    expect(await stateOf('of_the_next_version')).toMatchObject({ lastStartedAt: null });
  });

  test('the end waits for the task, which is told to stop, and has it go on elsewhere', async () => {
    let ended = false;
    const scheduler = schedule('first', [
      task('a', async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await sleep(50);
        ended = true;
        return { count: 7, hasMore: true };
      }),
    ]);
    await eventually(async () => (await stateOf('a'))?.isRunning).toBe(true);
    await scheduler[Symbol.asyncDispose]();
    expect(ended).toBe(true);
    expect(await stateOf('a')).toMatchObject({ lastCount: 7n, isRunning: false });
    expect(await store.findDue(['a'])).toBe('a');
  });
});

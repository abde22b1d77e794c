import { pause } from '../../../../runtime/timers.ts';
import { Lease, type LeaseTiming } from './lease.ts';
import type { MaintenanceStore } from './maintenance-store.ts';
import type { MaintenanceTask, TaskResult } from './maintenance-task.ts';

export interface SchedulerOptions {
  readonly store: MaintenanceStore;
  readonly tasks: readonly MaintenanceTask[];
  /** This replica, among all that there are. */
  readonly holder: string;
  /** Told of each run that dealt with something. */
  readonly onRun?: (task: string, count: number) => void;
  /** Told of each run that failed: the task runs again within a minute. */
  readonly onTaskFailed: (task: string, error: unknown) => void;
  /** Told when the database can't be asked what is due: once, until it can again. */
  readonly onError: (error: unknown) => void;
  readonly timing?: LeaseTiming & {
    /** Time between two looks for what is due, in milliseconds. Default: 1,000. */
    readonly tickMs?: number;
    /** Time until a task runs again that failed, in milliseconds, unless its interval is shorter. Default: 60,000. */
    readonly retryMs?: number;
  };
}

/** Longer texts say no more. */
const MAX_ERROR_LENGTH = 500;

/**
 * Runs the tasks that are due, one after another, on one replica at a time. A task that fails is told of and keeps no
 * other from its turn. Disposing it waits for the statement that runs, and lets another replica follow at once.
 */
export class MaintenanceScheduler implements AsyncDisposable {
  readonly #options: SchedulerOptions;
  readonly #byName: ReadonlyMap<string, MaintenanceTask>;
  readonly #lease: Lease;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #registeredFor: AbortSignal | undefined;
  #isFailing = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#byName = new Map(options.tasks.map((task) => [task.name, task]));
    const { store, holder, onError, timing } = options;
    this.#lease = new Lease({ ...timing, store, holder, onError });
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    const { timing, onError } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#work();
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing) onError(error);
        this.#isFailing = true;
      }
      await pause(timing?.tickMs ?? 1000, signal);
    }
  }

  /** Runs what is due, until nothing is. */
  async #work(): Promise<void> {
    const { store } = this.#options;
    const names = [...this.#byName.keys()];
    for (;;) {
      const { signal } = this.#lease;
      if (signal === undefined) return;
      if (this.#registeredFor !== signal) {
        await store.register(names);
        this.#registeredFor = signal;
      }
      const task = this.#byName.get((await store.findDue(names)) ?? '');
      if (task === undefined || signal.aborted) return;
      if (!(await this.#runTask(task, signal))) return;
    }
  }

  /** False where another replica leads by now. */
  async #runTask(task: MaintenanceTask, signal: AbortSignal): Promise<boolean> {
    const { store, holder, onRun, onTaskFailed, timing } = this.#options;
    if (!(await store.begin(task.name, { holder, intervalMs: task.intervalMs }))) return false;
    let result: TaskResult;
    try {
      result = await task.run(signal);
    } catch (error) {
      onTaskFailed(task.name, error);
      const againInMs = timing?.retryMs ?? 60_000;
      await store.finish(task.name, { holder, count: null, error: explain(error), againInMs });
      return true;
    }
    const { count, hasMore } = result;
    if (count > 0) onRun?.(task.name, count);
    await store.finish(task.name, { holder, count, error: '', againInMs: hasMore ? 0 : null });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#lease.stop();
    await this.#loop;
    await this.#lease[Symbol.asyncDispose]();
  }
}

/** An error as operators are shown it. What the database says is without values of rows already. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed without an error';
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`.slice(0, MAX_ERROR_LENGTH);
}

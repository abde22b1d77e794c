import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { startRedis } from '../../stack/redis-server.ts';
import { contestedKeys } from './contested-keys.ts';
import { FaultReport } from './fault-report.ts';
import type { CallRecord, WorkerEnd } from './operation.ts';
import { Replay } from './replay.ts';
import { loadScripts } from './sequenced-scripts.ts';
import type { Tally } from './tally.ts';
import type { WorkerPlan } from './worker-plan.ts';

export interface AgreementOptions {
  /** At least so many are done by all processes together: checks, peeks, refunds, renewals, settlements, resets. */
  readonly operations: number;
  readonly processes: number;
  readonly seed: number;
  /** Makes the scripts wrong. */
  readonly alter?: (source: string) => string;
}

export interface AgreementResult {
  readonly tally: Tally;
  readonly seconds: number;
  /** The first fault, and the fewest calls that lead there; '' where there was none. */
  readonly report: string;
}

/**
 * Lets processes with skewed clocks work at the same keys of one Redis, and replays what they did, in the order in
 * which Redis did it. The order can't be repeated; the seed repeats the keys, the clocks and what is drawn.
 */
export async function runAgreement(options: AgreementOptions): Promise<AgreementResult> {
  const { operations, processes, seed, alter } = options;
  const started = performance.now();
  await using resources = new AsyncDisposableStack();
  const server = resources.use(await startRedis());
  const redis = resources.adopt(new Redis(server.url, { protocol: 2 }), (client) => client.disconnect());
  const plan: Omit<WorkerPlan, 'process'> = {
    seed,
    operations: Math.ceil(operations / processes),
    redisUrl: server.url,
    scripts: await loadScripts(redis, alter),
    startMicros: Date.now() * 1_000,
  };
  const keys = contestedKeys(seed);
  const report = new FaultReport(keys);
  const replay = new Replay(keys, (fault) => report.add(fault));
  const order = inOrder((record) => {
    report.note(record);
    replay.play(record);
  });
  const workers = Array.from({ length: processes }, (_, process) => {
    const worker = spawn(globalThis.process.execPath, [new URL('./worker.ts', import.meta.url).pathname], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    resources.defer(async () => await end(worker));
    worker.stdin.end(JSON.stringify({ ...plan, process } satisfies WorkerPlan));
    return worker;
  });
  await Promise.all(
    workers.map(async (worker) => {
      for await (const line of createInterface({ input: worker.stdout })) {
        const record = JSON.parse(line) as CallRecord | WorkerEnd;
        if ('edits' in record) replay.tally.operations.edit += record.edits;
        else order(record);
      }
      const [code] = worker.exitCode === null ? await once(worker, 'exit') : [worker.exitCode];
      if (code !== 0) throw new Error(`a worker ended with code ${code} (seed ${seed})`);
    }),
  );
  const ran = Number(await redis.get('agreement:sequence'));
  if (ran !== replay.tally.calls) throw new Error(`Redis ran ${ran} calls, ${replay.tally.calls} were told`);
  return {
    tally: replay.tally,
    seconds: (performance.now() - started) / 1_000,
    report: await report.text(seed, redis, plan.scripts),
  };
}

/** Hands records on by their sequence, without a gap. */
function inOrder(use: (record: CallRecord) => void): (record: CallRecord) => void {
  const waiting = new Map<number, CallRecord>();
  let next = 1;
  return (record) => {
    waiting.set(record.sequence, record);
    for (let first = waiting.get(next); first !== undefined; first = waiting.get(next)) {
      waiting.delete(next);
      next++;
      use(first);
    }
  };
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const ended = once(worker, 'exit');
  worker.kill('SIGKILL');
  await ended;
}

/**
 * The audit log: what an event costs that is appended, with and without a sealer beside it, how fast events are sealed,
 * and how fast their chain is verified.
 *
 *   node bench/audit-log.ts [--rounds 5] [--appends 400] [--events 50000]
 *
 * Each round appends --appends events one after another, each in a transaction of its own, with and without a sealer in
 * this process. Then --events are appended, sealed and verified. Medians over the rounds. Starts its own PostgreSQL,
 * which syncs each commit to its disk, on a free port of the loopback.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MikroORM } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import { verifyChain } from '../services/identity/domain/audit/verify-chain.ts';
import type { IpAddress } from '../services/identity/domain/ip-address.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { EventSealer } from '../services/identity/storage/audit/event-sealer.ts';
import { SealingQueue } from '../services/identity/storage/audit/sealing-queue.ts';
import { StoredChain } from '../services/identity/storage/audit/stored-chain.ts';
import { closeOrm } from '../services/identity/storage/close-orm.ts';
import { ormOptions } from '../services/identity/storage/mikro-orm.config.ts';
import { SecurityEventRepository } from '../services/identity/storage/security-event-repository.ts';
import { startBenchPostgres } from './bench-postgres.ts';
import { median, type Percentiles, percentiles } from './percentiles.ts';
import { rounded } from './rounded.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    appends: { type: 'string', default: '400' },
    events: { type: 'string', default: '50000' },
  },
});
const rounds = Number(values.rounds);
const appends = Number(values.appends);
const events = Number(values.events);
/** Events of a transaction where they are only to be there. */
const BULK = 500;

await using postgres = await startBenchPostgres();
const orm = await MikroORM.init(ormOptions({ databaseUrl: postgres.url, statementTimeoutMs: 60_000 }));
const queue = new SealingQueue(orm.em);

async function append(count: number): Promise<void> {
  await orm.em.fork().transactional(async (em) => {
    const log = new SecurityEventRepository(em);
    for (let index = 0; index < count; index += 1) {
      await log.append({
        id: uuidV7() as Uuid,
        type: 'login_succeeded',
        severity: 'info',
        description: 'A session was opened.',
        userId: uuidV7() as Uuid,
        sessionId: uuidV7() as Uuid,
        device: {
          id: 'device-1',
          fingerprint: 'fp-1',
          name: null,
          ipAddress: '192.0.2.1' as IpAddress,
          userAgent: 'bench/1.0',
        },
        metadata: { method: 'password' },
        createdAt: new Date(),
      });
    }
  });
}

function startSealer(): EventSealer {
  const fail = (error: unknown) => {
    throw error;
  };
  return new EventSealer({ em: orm.em, onFailure: fail, onMissing: fail, onSealedBefore: fail });
}

async function sealed(): Promise<void> {
  while ((await queue.lag()).unsealed > 0) await sleep(10);
}

async function appendOneByOne(wake: () => void): Promise<Percentiles> {
  const times: number[] = [];
  for (let index = 0; index < appends; index += 1) {
    const start = performance.now();
    await append(1);
    times.push(performance.now() - start);
    wake();
  }
  const figures = percentiles(times);
  if (figures === null) throw new Error('--appends must be at least 1');
  return figures;
}

const alone: Percentiles[] = [];
const beside: Percentiles[] = [];
await appendOneByOne(() => undefined);
for (let round = 1; round <= rounds; round += 1) {
  alone.push(await appendOneByOne(() => undefined));
  await using sealer = startSealer();
  await sealed();
  beside.push(await appendOneByOne(() => sealer.wake()));
  await sealed();
  console.error(`round ${round} of ${rounds}`);
}
for (let left = events; left > 0; left -= BULK) await append(Math.min(BULK, left));
const sealing = performance.now();
{
  await using sealer = startSealer();
  sealer.wake();
  await sealed();
}
const sealedPerSecond = events / ((performance.now() - sealing) / 1000);
const verifying = performance.now();
const { verified, findings } = await verifyChain(new StoredChain(orm.em), { anchors: [] });
const verifiedPerSecond = Number(verified) / ((performance.now() - verifying) / 1000);
if (findings.length > 0) throw new Error(`the chain is not intact: ${findings[0]?.description}`);
const row = (all: readonly Percentiles[]) => ({
  'p50 ms': rounded(median(all.map(({ p50 }) => p50))),
  'p99 ms': rounded(median(all.map(({ p99 }) => p99))),
});
console.log(`${rounds} rounds of ${appends} events, each appended in a transaction of its own`);
console.table({ 'without a sealer': row(alone), 'with a sealer beside': row(beside) });
console.log(`${Math.round(sealedPerSecond)} of ${events} sealed a second`);
console.log(`${Math.round(verifiedPerSecond)} of ${verified} verified a second`);
await closeOrm(orm, 3000);

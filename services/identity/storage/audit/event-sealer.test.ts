import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { withTestClient } from '../../../../testing/database-admin.ts';
import { verifyChain } from '../../domain/audit/verify-chain.ts';
import { ormOptions } from '../mikro-orm.config.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import type { EventSealer } from './event-sealer.ts';
import { newId, TestAuditLog } from './testing-audit-log.ts';

let db: TestOrm;
let log: TestAuditLog;
beforeAll(async () => {
  db = await openTestOrm();
  log = new TestAuditLog(db);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(() => log.empty());
afterEach(() => log[Symbol.asyncDispose]());

/** The ids of sealed events in the order of the chain, whose numbers must be 1, 2, 3 … */
async function sealedIds(): Promise<string[]> {
  const rows = await db.rows(
    'select sequence, event_id from user_service.security_event_seals order by sequence',
  );
  expect(rows.map(({ sequence }) => Number(sequence))).toEqual(rows.map((_, index) => index + 1));
  return rows.map(({ event_id: id }) => String(id));
}

async function expectIntact(entries: number): Promise<void> {
  const result = await verifyChain(log.chain);
  expect(result).toMatchObject({ verified: BigInt(entries), findings: [], isComplete: true });
}

test('what was committed is sealed in order, also what came before the sealer', async () => {
  const before = await log.appendMany(3);
  const sealer = log.startSealer();
  await log.sealed();
  const after = await log.appendMany(3);
  sealer.wake();
  await log.sealed();
  expect(await sealedIds()).toEqual([...before, ...after].map(({ id }) => id));
  await expectIntact(6);
});

test('a batch is sealed in the order of ids, whatever the order of commits', async () => {
  const ids = Array.from({ length: 40 }, newId);
  for (const id of ids.toReversed()) await log.append({ id });
  log.startSealer();
  await log.sealed();
  expect(await sealedIds()).toEqual(ids);
});

test('what is rolled back is neither kept nor sealed', async () => {
  log.startSealer();
  const work = log.unitOfWork.transactional(async ({ securityEvents }) => {
    await securityEvents.append({ ...(await log.append()), id: newId() });
    throw new Error('no');
  });
  await expect(work).rejects.toThrow('no');
  await log.sealed();
  await expectIntact(1);
});

test('a wake seals at once, without the next poll', async () => {
  const sealer = log.startSealer({ pollMs: 60_000 });
  await sleep(100);
  await log.append();
  sealer.wake();
  await log.sealed();
  expect(await sealedIds()).toHaveLength(1);
});

test('more than a batch is sealed, and entries from before there were personal hashes too', async () => {
  await db.rows(
    `with made as (insert into user_service.security_events
         (id, event_type, severity, description, ip_address, created_at)
       select uuidv7(), 'login_succeeded', 'info', 'x', '203.0.113.9', now() from generate_series(1, 1700) returning id)
     insert into user_service.security_event_queue (event_id) select id from made`,
  );
  log.startSealer();
  await log.sealed();
  await expectIntact(1700);
});

/** Holds a sealing up just before its seals are added, for as long as `work` takes. */
async function withHangingSealing(work: (sealer: EventSealer) => Promise<void>): Promise<void> {
  await withTestClient(db.url, async (client) => {
    await client.query('begin; lock table user_service.security_event_seals in exclusive mode');
    const sealer = log.startSealer();
    await expect
      .poll(() =>
        db.rows(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        ),
      )
      .toHaveLength(1);
    await work(sealer);
    await client.query('commit');
  });
}

test('nobody who adds events waits for a sealing that hangs', async () => {
  await log.appendMany(2);
  await withHangingSealing(async () => {
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 50 }, () => log.append()));
    expect(performance.now() - startedAt).toBeLessThan(1500);
    expect(await sealedIds()).toEqual([]);
  });
  await log.sealed();
  await expectIntact(52);
});

test('fifty writers, four sealers, and connections that are cut: no number is missing or given twice', async () => {
  const orms = await Promise.all(
    Array.from({ length: 4 }, () =>
      MikroORM.init(ormOptions({ databaseUrl: db.url, poolSize: 2, applicationName: 'sealer' })),
    ),
  );
  try {
    for (const { em } of orms) log.startSealer({ em });
    let isOver = false;
    const cutting = (async () => {
      let cut = 0;
      while (!isOver) {
        const gone = await db.rows(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name = 'sealer' and state <> 'idle'
           order by random() limit 1`,
        );
        cut += gone.length;
        await sleep(Math.random() * 30);
      }
      return cut;
    })();
    await Promise.all(Array.from({ length: 50 }, () => log.appendMany(30)));
    isOver = true;
    expect(await cutting).toBeGreaterThan(0);
    await log.sealed();
    expect(await sealedIds()).toHaveLength(1500);
    await expectIntact(1500);
    expect(log.missing).toEqual([]);
  } finally {
    await log[Symbol.asyncDispose]();
    await Promise.all(orms.map((orm) => orm.close()));
  }
}, 60_000);

test('an event that was deleted before its seal is told of, and holds up nothing', async () => {
  const [first, gone] = await log.appendMany(3);
  await db.rows('delete from user_service.security_events where id = $1', [gone?.id]);
  log.startSealer();
  await log.sealed();
  expect(log.missing).toEqual([gone?.id]);
  expect(await sealedIds()).toHaveLength(2);
  expect((await sealedIds())[0]).toBe(first?.id);
});

test('an event that has a seal and waits all the same is told of, gets no second one, and holds up nothing', async () => {
  const [sealed] = await log.appendMany(2);
  const sealer = log.startSealer();
  await log.sealed();
  const forged = await log.append();
  const last = await log.append();
  await db.rows('insert into user_service.security_event_queue (event_id) values ($1)', [sealed?.id]);
  await db.rows(
    `insert into user_service.security_event_seals (event_id, sequence, event_hash, chain_hash, sealed_at)
     values ($1, 3, sha256('x'), sha256('x'), now()) on conflict do nothing`,
    [forged.id],
  );
  sealer.wake();
  await log.sealed();
  expect(log.failures).toEqual([]);
  expect(log.sealedBefore).toContain(sealed?.id);
  expect((await sealedIds()).at(-1)).toBe(last.id);
});

test('the chain goes on from a checkpoint where all seals were dropped', async () => {
  await db.rows(
    `insert into user_service.security_event_checkpoints (sequence, chain_hash, dropped_before)
     values (41, sha256('x'), $1)`,
    [newId()],
  );
  await log.append();
  log.startSealer();
  await log.sealed();
  expect(await db.rows('select sequence from user_service.security_event_seals')).toEqual([
    { sequence: '42' },
  ]);
  await expectIntact(1);
});

test('a failure is told once for each outage, and sealing goes on afterwards', async () => {
  log.startSealer();
  for (let outage = 1; outage <= 2; outage += 1) {
    await db.rows('alter table user_service.security_event_seals rename to away');
    await log.append();
    await expect.poll(() => log.failures.length).toBe(outage);
    await sleep(500);
    expect(log.failures).toHaveLength(outage);
    await db.rows('alter table user_service.away rename to security_event_seals');
    await log.sealed();
  }
  expect(await sealedIds()).toHaveLength(2);
});

test('the lag tells how many wait and how long the oldest has', async () => {
  expect(await log.sealing.lag()).toEqual({ unsealed: 0, oldestMs: 0 });
  await log.appendMany(3);
  await sleep(200);
  const lag = await log.sealing.lag();
  expect(lag.unsealed).toBe(3);
  expect(lag.oldestMs).toBeGreaterThanOrEqual(200);
  expect(lag.oldestMs).toBeLessThan(5000);
});

test('a sealer that ends finishes its batch, and leaves the lock to others', async () => {
  await Promise.all(Array.from({ length: 10 }, () => log.appendMany(20)));
  let ended: PromiseLike<void> | undefined;
  await withHangingSealing(async (sealer) => {
    ended = sealer[Symbol.asyncDispose]();
    await log.append();
  });
  await ended;
  expect(await sealedIds()).toHaveLength(200);
  log.startSealer();
  await log.sealed();
  await expectIntact(201);
});

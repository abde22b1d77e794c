import { v7 as uuidV7 } from 'uuid';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyChain } from '../domain/audit/verify-chain.ts';
import { retentionTask } from '../domain/maintenance/tasks/retention.ts';
import type { Uuid } from '../domain/uuid.ts';
import { TestAuditLog } from './audit/testing-audit-log.ts';
import { PartitionRepository } from './maintenance-partitions.ts';
import { daysAgo, OldRows } from './testing-old-rows.ts';
import { openTestOrm, type TestOrm } from './testing-orm.ts';

let db: TestOrm;
let log: TestAuditLog;
beforeEach(async () => {
  db = await openTestOrm();
  log = new TestAuditLog(db);
});
afterEach(async () => {
  await log[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const appendAt = (days: number) => {
  const createdAt = daysAgo(days);
  return log.append({ id: uuidV7({ msecs: createdAt.getTime() }) as Uuid, createdAt });
};
const retain = (auditDays: number) =>
  retentionTask({
    partitions: new PartitionRepository(db.orm.em),
    retention: { auditDays, sessionDays: 0 },
    now: () => new Date(),
    dropPauseMs: 0,
  }).run(new AbortController().signal);
const count = async () =>
  (await db.rows('select count(*)::int as n from user_service.security_events'))[0]?.['n'];

test('the chain verifies after retention, again and again, and against an anchor from before', async () => {
  await new OldRows(db).prepare(160);
  log.startSealer();
  for (const days of [150, 149, 120, 119, 90, 89, 60, 59, 20, 0]) await appendAt(days);
  await log.sealed();
  const anchor = (await verifyChain(log.chain)).head;
  expect(anchor.sequence).toBe(10n);

  for (const [days, most] of [
    [125, 8],
    [95, 6],
    [31, 4],
  ] as const) {
    expect((await retain(days)).count).toBeGreaterThan(0);
    expect(await count()).toBeLessThanOrEqual(most);
    const { findings, isComplete, head } = await verifyChain(log.chain, { anchors: [anchor] });
    expect(findings).toEqual([]);
    expect(isComplete).toBe(true);
    expect(head).toEqual(anchor);
  }
  await appendAt(0);
  await log.sealed();
  expect(await verifyChain(log.chain, { anchors: [anchor] })).toMatchObject({
    findings: [],
    head: { sequence: 11n },
  });
});

test('also where all of the log was dropped', async () => {
  await new OldRows(db).prepare(160);
  log.startSealer();
  for (const days of [150, 120]) await appendAt(days);
  await log.sealed();
  await retain(31);
  expect(await count()).toBe(0);
  expect(await verifyChain(log.chain)).toMatchObject({ findings: [], head: { sequence: 2n } });
  await appendAt(0);
  await log.sealed();
  expect(await verifyChain(log.chain)).toMatchObject({
    findings: [],
    verified: 1n,
    head: { sequence: 3n },
  });
});

test('tampering behind it is still found', async () => {
  await new OldRows(db).prepare(160);
  log.startSealer();
  for (const days of [150, 20, 10]) await appendAt(days);
  await log.sealed();
  await retain(31);
  await db.rows(
    `update user_service.security_events set description = 'nothing happened'
     where id = (select min(id::text)::uuid from user_service.security_events)`,
  );
  const { findings } = await verifyChain(log.chain);
  expect(findings).toMatchObject([{ kind: 'EVENT_CHANGED', sequence: 2n }]);
});

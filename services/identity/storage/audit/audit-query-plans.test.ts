import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Uuid } from '../../domain/uuid.ts';
import { SecurityEventRepository } from '../security-event-repository.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { StatementRecorder, scannedTables } from '../testing-plans.ts';
import { sealBatch } from './seal-batch.ts';
import { SealedEvents } from './sealed-events.ts';
import { SealingQueue } from './sealing-queue.ts';
import { StoredChain } from './stored-chain.ts';
import { testEvent } from './testing-audit-log.ts';

const ROWS = 40_000;

const recorder = new StatementRecorder();
let db: TestOrm;
let known: Uuid;
beforeAll(async () => {
  db = await openTestOrm({ onPoolCreated: recorder.onPoolCreated });
  for (const table of ['security_events', 'security_event_seals']) {
    await db.rows(`select user_service.ensure_partitions('${table}', now() - interval '71 days', 3)`);
  }
  await db.rows(
    `with made as (
       insert into user_service.security_events (id, event_type, severity, description, user_id, created_at)
       select uuidv7(make_interval(mins => (n - ${ROWS}) * 2)), 'login_succeeded', 'info', 'x', gen_random_uuid(), now()
       from generate_series(1, ${ROWS}) as n returning id)
     insert into user_service.security_event_seals
     select id, row_number() over (order by id), sha256('x'), sha256('y'), now() from made`,
  );
  await new SecurityEventRepository(db.orm.em).append(testEvent());
  await db.rows('vacuum analyze');
  const [row] = await db.rows(
    'select event_id from user_service.security_event_seals where sequence = 30000',
  );
  known = row?.['event_id'] as Uuid;
});
afterAll(() => db[Symbol.asyncDispose]());

const chain = () => new StoredChain(db.orm.em);
const calls: Record<string, () => Promise<unknown>> = {
  'the base of the chain': () => chain().base(),
  'its end': () => chain().head(),
  'seals from its beginning': () => chain().sealsAfter(0n, 500),
  'seals in the midst': () => chain().sealsAfter(20_000n, 500),
  'seals at its end': () => chain().sealsAfter(BigInt(ROWS) - 1n, 500),
  'events of seals': () => chain().eventsOf([known]),
  'entries to follow': () =>
    new SealedEvents(db.orm.em).after(20_000n, { types: ['x'], minSeverity: 'high' }, 200),
  'entries at the end': () =>
    new SealedEvents(db.orm.em).after(BigInt(ROWS), { types: [], minSeverity: null }, 200),
  'an event with its place': () => new SecurityEventRepository(db.orm.em).findById(known),
  'the lag': () => new SealingQueue(db.orm.em).lag(),
  'a batch to seal': () => sealBatch(db.orm.em, 500),
};

test.each(Object.entries(calls))('%s: no big table is read from end to end', async (_name, call) => {
  const statements = await recorder.of(call);
  expect(statements).not.toEqual([]);
  for (const statement of statements) expect(await scannedTables(db, statement), statement.sql).toEqual([]);
});

test('the search for events without a seal reads them in ranges', async () => {
  const statements = await recorder.of(async () => {
    expect(await chain().unsealedEvents(5)).toEqual([]);
  });
  // Where the log begins; the end of each range, and what is in it; then that there is no further one.
  expect(statements).toHaveLength(1 + 2 * Math.ceil((ROWS + 1) / 20_000) + 1);
});

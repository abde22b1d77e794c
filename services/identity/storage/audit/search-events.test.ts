import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SecurityEvent, SecurityEventFilter, Severity } from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { SecurityEventRepository } from '../security-event-repository.ts';
import { openTestOrm, type TestOrm } from '../testing-orm.ts';
import { type Statement, StatementRecorder, scannedTables } from '../testing-plans.ts';
import { newId, testEvent } from './testing-audit-log.ts';

const recorder = new StatementRecorder();
let db: TestOrm;
let events: SecurityEventRepository;
beforeAll(async () => {
  db = await openTestOrm({ onPoolCreated: recorder.onPoolCreated });
  events = new SecurityEventRepository(db.orm.em);
});
afterAll(() => db[Symbol.asyncDispose]());

const ALL: SecurityEventFilter = {
  userId: null,
  types: [],
  minSeverity: null,
  createdFrom: null,
  createdBefore: null,
  sessionId: null,
  unresolved: false,
};

/** All events that a filter selects, page by page. */
async function listed(filter: Partial<SecurityEventFilter>, limit = 3): Promise<Uuid[]> {
  const ids: Uuid[] = [];
  let after: Uuid | null = null;
  for (;;) {
    const page = await events.list({ ...ALL, ...filter }, after, limit);
    expect(page.events.length).toBeLessThanOrEqual(limit);
    ids.push(...page.events.map(({ id }) => id));
    if (page.next === null) return ids;
    after = page.next;
  }
}

describe('every combination of conditions', () => {
  const users = [newId(), newId()];
  const sessions = [newId(), newId()];
  const types = ['login_succeeded', 'login_failed', 'payments.refused'];
  const severities: Severity[] = ['info', 'low', 'medium', 'high', 'critical'];
  const begin = Date.now();
  const made: (SecurityEvent & { readonly resolved: boolean })[] = [];

  beforeAll(async () => {
    await db.rows('truncate user_service.security_events, user_service.security_event_queue');
    for (let n = 0; n < 120; n += 1) {
      const createdAt = new Date(begin + n * 1000);
      const event = testEvent({
        id: uuidV7({ msecs: createdAt.getTime() + (n % 3) }) as Uuid,
        type: types[n % 3] as string,
        severity: severities[n % 5] as Severity,
        userId: n % 7 === 0 ? null : (users[n % 2] as Uuid),
        sessionId: n % 7 === 0 ? null : (sessions[(n >> 1) % 2] as Uuid),
        createdAt,
      });
      await events.append(event);
      const resolved = n % 4 === 0;
      if (resolved) await events.resolve(event.id, { at: createdAt, by: 'operator', note: null });
      made.push({ ...event, resolved });
    }
  });

  const choices: Partial<SecurityEventFilter>[] = [{}];
  const vary = (more: Partial<SecurityEventFilter>[]) =>
    choices.push(...choices.flatMap((choice) => more.map((one) => ({ ...choice, ...one }))));
  vary([{ userId: users[0] as Uuid }]);
  vary([{ types: ['login_failed'] }, { types: ['payments.refused', 'login_succeeded', 'unknown'] }]);
  vary([{ minSeverity: 'medium' }, { minSeverity: 'critical' }]);
  vary([{ createdFrom: new Date(begin + 20_000), createdBefore: new Date(begin + 90_000) }]);
  vary([{ sessionId: sessions[1] as Uuid }]);
  vary([{ unresolved: true }]);

  const selects = (filter: SecurityEventFilter, event: (typeof made)[number]) =>
    (filter.userId === null || event.userId === filter.userId) &&
    (filter.types.length === 0 || filter.types.includes(event.type)) &&
    (filter.minSeverity === null ||
      severities.indexOf(event.severity) >= severities.indexOf(filter.minSeverity)) &&
    (filter.createdFrom === null || event.createdAt >= filter.createdFrom) &&
    (filter.createdBefore === null || event.createdAt < filter.createdBefore) &&
    (filter.sessionId === null || event.sessionId === filter.sessionId) &&
    (!filter.unresolved || (!event.resolved && ['high', 'critical'].includes(event.severity)));

  test('gives what fulfils them, newest first, whatever the size of pages', async () => {
    expect(choices).toHaveLength(144);
    for (const choice of choices) {
      const filter = { ...ALL, ...choice };
      const expected = made.filter((event) => selects(filter, event)).map(({ id }) => id);
      expected.sort().reverse();
      for (const limit of [1000, 4]) {
        expect(await listed(filter, limit), JSON.stringify(choice)).toEqual(expected);
      }
    }
  });
});

describe('on a big log', () => {
  const ROWS = 70_000;
  const user = newId();
  // Older than what happened in it.
  const session = uuidV7({ msecs: Date.now() - (ROWS + 100) * 1000 }) as Uuid;

  beforeAll(async () => {
    await db.rows('truncate user_service.security_events, user_service.security_event_queue');
    // One user and one type have nearly all; the newest events are of no interest.
    await db.rows(
      `insert into user_service.security_events
         (id, event_type, severity, description, user_id, session_id, created_at)
       select uuidv7(make_interval(secs => n - ${ROWS})), case when n = 5 then 'rare' else 'login_failed' end,
         case when n = 7 then 'critical' else 'info' end, 'x', $1, case when n = 9 then $2::uuid end,
         now() + make_interval(secs => n - ${ROWS})
       from generate_series(1, ${ROWS}) as n`,
      [user, session],
    );
    await db.rows('vacuum analyze user_service.security_events');
  }, 60_000);

  const oldest = (n: number) => new Date(Date.now() - (ROWS - n) * 1000);
  const cases: [string, Partial<SecurityEventFilter>, number][] = [
    ['a rare type of one user', { userId: user, types: ['rare'] }, 1],
    ['a rare severity', { minSeverity: 'critical' }, 1],
    ['a rare severity of a common type', { types: ['login_failed'], minSeverity: 'high' }, 1],
    ['a session of nobody who is known', { sessionId: session }, 1],
    ['a session of a known user', { sessionId: session, userId: user, types: ['login_failed'] }, 1],
    ['an old range of time', { createdFrom: oldest(10), createdBefore: oldest(30) }, 20],
    ['what is unresolved', { unresolved: true }, 1],
  ];

  test.each(cases)(
    '%s is found, by statements that look at few entries each',
    async (_name, filter, count) => {
      let found: Uuid[] = [];
      const statements: Statement[] = await recorder.of(async () => {
        found = await listed(filter, 50);
      });
      expect(Math.abs(found.length - count)).toBeLessThanOrEqual(1);
      expect(statements.length).toBeLessThan(40);
      for (const statement of statements)
        expect(await scannedTables(db, statement), statement.sql).toEqual([]);
    },
  );

  test('one call looks at a bounded number, and says where to go on', async () => {
    const page = await events.list({ ...ALL, types: ['login_failed'], minSeverity: 'high' }, null, 50);
    expect(page.events).toEqual([]);
    expect(page.next).not.toBeNull();
    const rest = await events.list({ ...ALL, types: ['login_failed'], minSeverity: 'high' }, page.next, 50);
    expect(rest.events).toMatchObject([{ severity: 'critical' }]);
    expect(rest.next).toBeNull();
  });
});

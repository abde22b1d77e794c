import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import { timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ListSecurityEventsResponseSchema,
  type SecurityEventService,
  Severity,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { newId, TestAuditLog } from '../../storage/audit/testing-audit-log.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { CALLER, securityEventClient } from './testing-security-event-service.ts';

let db: TestOrm;
let log: TestAuditLog;
let client: Client<typeof SecurityEventService>;
beforeAll(async () => {
  db = await openTestOrm();
  log = new TestAuditLog(db);
  client = securityEventClient(log);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await log.empty();
  await db.rows('truncate user_service.answered_requests');
});
afterEach(() => log[Symbol.asyncDispose]());

const withdrawal = {
  type: 'payments.withdrawal_refused',
  severity: Severity.HIGH,
  description: 'A withdrawal was refused.',
};
const count = async () => (await db.rows('select 1 from user_service.security_events')).length;

describe('LogSecurityEvent', () => {
  test('adds an event with all that is said, and who said it', async () => {
    const [userId, sessionId] = [newId(), newId()];
    const device = { id: 'd', fingerprint: 'f', ipAddress: '2001:db8::7', userAgent: 'ua' };
    const metadata = { amount: '1.50', list: [1, null, true, { a: -0.5 }] };
    const before = Date.now();
    const { event } = await client.logSecurityEvent({
      ...withdrawal,
      ...{ userId: userId.toUpperCase(), sessionId, device, metadata },
    });
    expect(event).toMatchObject({
      ...withdrawal,
      ...{ userId, sessionId, device, sequence: 0n, resolvedBy: '', resolutionNote: '' },
      metadata: { ...metadata, caller: CALLER },
    });
    expect(event?.resolveTime).toBeUndefined();
    expect(event?.createTime && timestampDate(event.createTime).getTime()).toBeGreaterThanOrEqual(before);
    expect(await client.getSecurityEvent({ id: event?.id ?? '' })).toMatchObject({ event });
  });

  test('knows of no device where it is told none: not of the backend’s either', async () => {
    const { event } = await client.logSecurityEvent(withdrawal);
    expect(event?.device).toMatchObject({ id: '', fingerprint: '', ipAddress: '', userAgent: '' });
    const [row] = await db.rows('select ip_address, user_id from user_service.security_events');
    expect(row).toEqual({ ip_address: null, user_id: null });
  });

  test('once for a request id, of twenty at once too', async () => {
    const request = { ...withdrawal, requestId: 'r1', userId: newId() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.logSecurityEvent(request)));
    expect(new Set(answers.map(({ event }) => event?.id)).size).toBe(1);
    expect(await count()).toBe(1);
    const reused = await failure(client.logSecurityEvent({ ...request, description: 'Another.' }));
    expect([reused.code, reasonOf(reused)]).toEqual([Code.FailedPrecondition, 'REQUEST_ID_REUSED']);
    expect(await count()).toBe(1);
  });

  test('what is kept for a retry tells nothing about a person', async () => {
    await client.logSecurityEvent({
      ...withdrawal,
      requestId: 'r1',
      device: { ipAddress: '203.0.113.9', userAgent: 'somebody' },
    });
    const [row] = await db.rows('select answer::text from user_service.answered_requests');
    expect(row?.['answer']).not.toMatch(/203\.0|somebody/);
  });

  const nested = (depth: number): JsonObject => (depth === 0 ? {} : { a: nested(depth - 1) });
  test.each<[field: string, change: object]>([
    ['type', { type: 'withdrawal_refused' }],
    ['type', { type: '.refused' }],
    ['type', { type: 'Payments.refused' }],
    ['type', { type: `payments.${'x'.repeat(60)}` }],
    ['severity', { severity: Severity.UNSPECIFIED }],
    ['severity', { severity: 9 as Severity }],
    ['description', { description: '' }],
    ['description', { description: 'ä'.repeat(257) }],
    ['description', { description: 'two\nlines' }],
    ['user_id', { userId: 'ada' }],
    ['user_id', { sessionId: randomUUID() }],
    ['session_id', { userId: randomUUID(), sessionId: 'x' }],
    ['device.ip_address', { device: { ipAddress: '300.1.1.1' } }],
    ['device.user_agent', { device: { userAgent: 'x'.repeat(513) } }],
    ['metadata', { metadata: { caller: 'console' } }],
    ['metadata', { metadata: { text: 'x'.repeat(8190) } }],
    ['metadata', { metadata: { text: 'a\0b' } }],
    ['metadata', { metadata: { 'a\0b': 1 } }],
    ['metadata', { metadata: nested(32) }],
    ['metadata', { metadata: { list: JSON.parse('['.repeat(32) + ']'.repeat(32)) } }],
    ['request_id', { requestId: 'ä' }],
  ])('names %s where it is wrong, and adds nothing (%#)', async (field, change) => {
    const refused = await failure(client.logSecurityEvent({ ...withdrawal, ...change }));
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, [field]]);
    expect(await count()).toBe(0);
  });

  test('takes metadata of the greatest size, and nested ones', async () => {
    const metadata = { text: 'x'.repeat(8 * 1024 - 11) };
    const { event } = await client.logSecurityEvent({ ...withdrawal, metadata });
    expect(event?.metadata).toEqual({ ...metadata, caller: CALLER });
    const deep = await client.logSecurityEvent({ ...withdrawal, metadata: nested(31) });
    expect(deep.event?.metadata).toEqual({ ...nested(31), caller: CALLER });
    // Messages of protobuf have an end to their depth, and this one has one more above.
    expect((await client.listSecurityEvents({})).events).toHaveLength(2);
  });

  test('needs the scope events.write', async () => {
    const reader = securityEventClient(log, ['events.read']);
    expect((await failure(reader.logSecurityEvent(withdrawal))).code).toBe(Code.PermissionDenied);
    expect(await count()).toBe(0);
  });
});

describe('GetSecurityEvent', () => {
  test('tells the place in the chain once the event is sealed', async () => {
    const { id } = await log.append();
    log.startSealer();
    await log.sealed();
    expect(await client.getSecurityEvent({ id })).toMatchObject({ event: { id, sequence: 1n } });
  });

  test('refuses what is no id, and knows no event that is not there', async () => {
    expect(fieldsOf(await failure(client.getSecurityEvent({ id: 'x' })))).toEqual(['id']);
    const unknown = await failure(client.getSecurityEvent({ id: randomUUID() }));
    expect([unknown.code, reasonOf(unknown)]).toEqual([Code.NotFound, 'SECURITY_EVENT_NOT_FOUND']);
  });
});

describe('ListSecurityEvents', () => {
  test('gives pages that stay where they are while events come', async () => {
    const events = await log.appendMany(60);
    const newestFirst = events.map(({ id }) => id).reverse();
    const first = await client.listSecurityEvents({});
    expect(first.events.map(({ id }) => id)).toEqual(newestFirst.slice(0, 50));
    await log.append();
    const second = await client.listSecurityEvents({ pageToken: first.nextPageToken });
    expect(second.events.map(({ id }) => id)).toEqual(newestFirst.slice(50));
    expect(second.nextPageToken).toBe('');
  });

  test('filters by all that the contract names', async () => {
    const userId = newId();
    const wanted = await log.append({ userId, type: 'login_failed', severity: 'high' });
    await log.append({ userId, type: 'login_failed', severity: 'high', createdAt: new Date(0) });
    await log.append({ userId, type: 'login_failed', severity: 'low' });
    await log.append({ userId, severity: 'high' });
    await log.append({ type: 'login_failed', severity: 'high' });
    const filter = {
      ...{ userId, types: ['login_failed', 'other'], minSeverity: Severity.MEDIUM, unresolved: true },
      sessionId: wanted.sessionId ?? '',
      startTime: timestampFromMs(wanted.createdAt.getTime()),
      endTime: timestampFromMs(wanted.createdAt.getTime() + 1),
    };
    const { events } = await client.listSecurityEvents({ filter });
    expect(events.map(({ id }) => id)).toEqual([wanted.id]);
  });

  test('finds the events of a session by its user', async () => {
    const { id: userId } = await log.identity.register(`ada.${randomUUID()}@example.com`);
    const sessionId = newId();
    await db.rows(
      `insert into user_service.sessions_history (id, user_id, created_at, expires_at, last_activity_at)
       values ($1, $2, now(), now() + interval '1 h', now())`,
      [sessionId, userId],
    );
    const own = await log.append({ userId, sessionId });
    await log.append({ userId });
    // Of a session that is not kept any more.
    const orphan = await log.append();
    for (const { id, sessionId } of [own, orphan]) {
      const { events } = await client.listSecurityEvents({ filter: { sessionId: sessionId ?? '' } });
      expect(events.map((event) => event.id)).toEqual([id]);
    }
  });

  test('a page is no larger than what clients take at once', async () => {
    // 8 KiB as JSON are 50 KiB as a Struct.
    const metadata = { list: Array.from({ length: 4000 }, () => 1) };
    await log.unitOfWork.transactional(async ({ securityEvents }) => {
      for (let n = 0; n < 120; n += 1) {
        const event = { ...(await log.append()), id: newId(), type: 'payments.x', metadata };
        await securityEvents.append(event);
      }
    });
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await client.listSecurityEvents({
        ...{ filter: { types: ['payments.x'] }, pageSize: 1000, pageToken },
      });
      expect(toBinary(ListSecurityEventsResponseSchema, page).length).toBeLessThan(4 * 1024 * 1024);
      expect(page.events.length).toBeGreaterThan(0);
      seen.push(...page.events.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(new Set(seen).size).toBe(120);
    expect(seen).toHaveLength(120);
  });

  test.each<[field: string, request: object]>([
    ['page_size', { pageSize: -1 }],
    ['page_size', { pageSize: 1001 }],
    ['page_token', { pageToken: 'x' }],
    ['filter.user_id', { filter: { userId: 'x' } }],
    ['filter.session_id', { filter: { sessionId: 'x' } }],
    ['filter.types', { filter: { types: ['a b'] } }],
    ['filter.types', { filter: { types: Array.from({ length: 21 }, () => 'a') } }],
    ['filter.min_severity', { filter: { minSeverity: 9 } }],
    ['filter.start_time', { filter: { startTime: { seconds: 1n << 60n, nanos: 0 } } }],
    ['filter.end_time', { filter: { endTime: { seconds: 0n, nanos: -1 } } }],
  ])('names %s where it is wrong (%#)', async (field, request) => {
    const refused = await failure(client.listSecurityEvents(request));
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, [field]]);
  });

  test('a page token is of one list only', async () => {
    await log.appendMany(3);
    const { nextPageToken: pageToken } = await client.listSecurityEvents({ pageSize: 1 });
    const wrong = await failure(
      client.listSecurityEvents({ pageToken, filter: { types: ['login_succeeded'] } }),
    );
    expect(fieldsOf(wrong)).toEqual(['page_token']);
    expect(fieldsOf(await failure(client.listSecurityEvents({ pageToken: `${pageToken}A` })))).toEqual([
      'page_token',
    ]);
  });
});

describe('ResolveSecurityEvent', () => {
  test('notes who and why, once, and the chain vouches for it', async () => {
    const { id, userId } = await log.append({ severity: 'high' });
    const { event } = await client.resolveSecurityEvent({ id, resolvedBy: 'op-7', note: 'A test.' });
    expect(event).toMatchObject({ id, resolvedBy: 'op-7', resolutionNote: 'A test.' });
    expect(event?.resolveTime).toBeDefined();
    expect((await client.listSecurityEvents({ filter: { unresolved: true } })).events).toEqual([]);
    const { events } = await client.listSecurityEvents({ filter: { types: ['security_event_resolved'] } });
    expect(events).toMatchObject([
      { userId, severity: Severity.INFO, metadata: { event_id: id, resolved_by: 'op-7', caller: CALLER } },
    ]);
    expect(events).toHaveLength(1);

    const again = await failure(client.resolveSecurityEvent({ id, resolvedBy: 'op-8' }));
    expect([again.code, reasonOf(again)]).toEqual([Code.FailedPrecondition, 'SECURITY_EVENT_RESOLVED']);
    expect((await client.getSecurityEvent({ id })).event).toEqual(event);
    expect(await count()).toBe(2);
  });

  test('of twenty at once one succeeds, with one event', async () => {
    const { id } = await log.append({ severity: 'critical' });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => client.resolveSecurityEvent({ id, resolvedBy: `op-${n}` })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await count()).toBe(2);
  });

  test('refuses what is wrong, and changes nothing', async () => {
    const { id } = await log.append();
    for (const [field, change] of [
      ['id', { id: 'x' }],
      ['resolved_by', { resolvedBy: '' }],
      ['resolved_by', { resolvedBy: 'x'.repeat(129) }],
      ['note', { note: 'x'.repeat(513) }],
      ['note', { note: 'a\u0007' }],
    ] as const) {
      const refused = await failure(client.resolveSecurityEvent({ id, resolvedBy: 'op', ...change }));
      expect(fieldsOf(refused)).toEqual([field]);
    }
    const unknown = await failure(client.resolveSecurityEvent({ id: newId() as Uuid, resolvedBy: 'op' }));
    expect(reasonOf(unknown)).toBe('SECURITY_EVENT_NOT_FOUND');
    expect(await count()).toBe(1);
  });
});

test('GetSecurityEventChainHead tells the end of the chain, and how many wait', async () => {
  log.startSealer();
  expect(await client.getSecurityEventChainHead({})).toMatchObject({
    head: { sequence: 0n, chainHash: new Uint8Array(32) },
    unsealedEvents: 0n,
    sealingLagMs: 0n,
  });
  await log.appendMany(3);
  await log.sealed();
  const { head } = await client.getSecurityEventChainHead({});
  const [last] = await db.rows(
    'select sequence, chain_hash from user_service.security_event_seals order by sequence desc limit 1',
  );
  expect(head?.sequence).toBe(3n);
  expect(Buffer.from(head?.chainHash ?? [])).toEqual(last?.['chain_hash']);
});

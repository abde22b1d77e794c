import { toBinary } from '@bufbuild/protobuf';
import { type Client, Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type SecurityEventService,
  Severity,
  WatchSecurityEventsResponseSchema,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { TestAuditLog } from '../../storage/audit/testing-audit-log.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { securityEventClient } from './testing-security-event-service.ts';

let db: TestOrm;
let log: TestAuditLog;
let client: Client<typeof SecurityEventService>;
let end: AbortController;
beforeAll(async () => {
  db = await openTestOrm();
  log = new TestAuditLog(db);
  client = securityEventClient(log);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await log.empty();
  log.startSealer();
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await log[Symbol.asyncDispose]();
});

test('follows the log, and resumes with the last cursor', async () => {
  const old = await log.appendMany(3);
  await log.sealed();
  const seen: string[] = [];
  let cursor = '';
  for await (const part of client.watchSecurityEvents({ fromBeginning: true }, { signal: end.signal })) {
    cursor = part.cursor;
    seen.push(...part.events.map(({ id }) => id));
    if (seen.length >= 3) break;
  }
  const fresh = await log.appendMany(2);
  for await (const part of client.watchSecurityEvents({ cursor }, { signal: end.signal })) {
    seen.push(...part.events.map(({ id }) => id));
    if (seen.length >= 5) break;
  }
  expect(seen).toEqual([...old, ...fresh].map(({ id }) => id));
});

test('follows events of a type and of a least severity', async () => {
  await log.append({ type: 'a', severity: 'critical' });
  await log.append({ type: 'b', severity: 'low' });
  const { id } = await log.append({ type: 'b', severity: 'high' });
  const request = { fromBeginning: true, types: ['b'], minSeverity: Severity.MEDIUM };
  for await (const { events } of client.watchSecurityEvents(request, { signal: end.signal })) {
    if (events.length === 0) continue;
    expect(events).toMatchObject([{ id, type: 'b', severity: Severity.HIGH, sequence: 3n }]);
    break;
  }
});

test('a message is no larger than what clients take at once, and each has its own cursor', async () => {
  // 8 KiB as JSON are 50 KiB as a Struct.
  const metadata = { list: Array.from({ length: 4000 }, () => 1) };
  for (let n = 0; n < 100; n += 1) await log.append({ type: 'payments.x', metadata });
  await log.sealed();
  const cursors: string[] = [];
  const seen: bigint[] = [];
  for await (const part of client.watchSecurityEvents({ fromBeginning: true }, { signal: end.signal })) {
    expect(toBinary(WatchSecurityEventsResponseSchema, part).length).toBeLessThan(4 * 1024 * 1024);
    seen.push(...part.events.map(({ sequence }) => sequence));
    if (part.events.length > 0) cursors.push(part.cursor);
    if (seen.length >= 100) break;
  }
  expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(index + 1)));
  expect(cursors.length).toBeGreaterThan(1);
  for await (const { events } of client.watchSecurityEvents(
    { cursor: cursors[0] ?? '' },
    { signal: end.signal },
  )) {
    if (events.length === 0) continue;
    expect(events[0]?.sequence).toBeGreaterThan(1n);
    expect(seen.length - events.length).toBeGreaterThan(0);
    break;
  }
});

test('refuses what is wrong, and a cursor whose events are gone', async () => {
  await log.appendMany(2);
  await log.sealed();
  const first = async (request: object) => {
    const stream = client.watchSecurityEvents(request, { signal: end.signal })[Symbol.asyncIterator]();
    const { value } = await stream.next();
    return value?.cursor ?? '';
  };
  const cursor = await first({});
  for (const [field, request] of [
    ['cursor', { cursor: 'x' }],
    ['from_beginning', { cursor, fromBeginning: true }],
    ['types', { types: ['A'] }],
    ['min_severity', { minSeverity: 7 }],
  ] as const) {
    const refused = await failure(first(request));
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, [field]]);
  }
  await log.empty();
  const expired = await failure(first({ cursor }));
  expect([expired.code, reasonOf(expired)]).toEqual([Code.OutOfRange, 'CURSOR_EXPIRED']);
});

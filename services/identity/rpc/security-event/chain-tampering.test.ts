import { type Client, Code } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type ChainAnchor,
  ChainFindingKind as Kind,
  type SecurityEventService,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import type { ChainSource } from '../../domain/audit/chain-source.ts';
import { ChainVerifications } from '../../domain/audit/verify-security-event-chain.ts';
import type { SecurityEvent } from '../../domain/security-event.ts';
import { newId, TestAuditLog } from '../../storage/audit/testing-audit-log.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { securityEventClient } from './testing-security-event-service.ts';

let db: TestOrm;
let log: TestAuditLog;
let client: Client<typeof SecurityEventService>;
let events: SecurityEvent[];
beforeAll(async () => {
  db = await openTestOrm();
  log = new TestAuditLog(db);
  client = securityEventClient(log);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await log.empty();
  log.startSealer();
  events = await log.appendMany(12);
  await log.sealed();
  expect(await client.verifySecurityEventChain({})).toMatchObject({
    ...{ intact: true, verifiedEntries: 12n, firstSequence: 1n, findings: [], unsealedEvents: 0n },
    head: { sequence: 12n },
  });
});
afterEach(() => log[Symbol.asyncDispose]());

/** The id of the event with this number in the chain. */
const idAt = (sequence: number): string => events[sequence - 1]?.id ?? '';
const findings = async (anchors: readonly ChainAnchor[] = []) => {
  const found = await client.verifySecurityEventChain({ anchors: [...anchors] });
  expect(found.intact).toBe(found.findings.length === 0);
  return found.findings.map(({ kind, sequence, eventId }) => [kind, Number(sequence), eventId]);
};
const head = async (): Promise<ChainAnchor> => {
  const { head } = await client.getSecurityEventChainHead({});
  if (head === undefined) throw new Error('no head in the answer');
  return head;
};

describe('a change of an event is found: its', () => {
  test.each([
    `event_type = 'x'`,
    `severity = 'critical'`,
    `description = description || ' '`,
    'user_id = null',
    'user_id = gen_random_uuid()',
    'session_id = null',
    `metadata = metadata || '{"method": "passkey"}'`,
    `metadata = '{}'`,
    `created_at = created_at - interval '1 ms'`,
    'personal_hash = null, personal_salt = null, device_id = null',
  ])('%s', async (change) => {
    await db.rows(`update user_service.security_events set ${change} where id = $1`, [idAt(5)]);
    const found = await findings();
    expect(found).toContainEqual([Kind.EVENT_CHANGED, 5, idAt(5)]);
    expect(found.every(([, sequence]) => sequence === 5)).toBe(true);
  });

  test('id', async () => {
    const other = newId();
    await db.rows('update user_service.security_events set id = $2 where id = $1', [idAt(5), other]);
    expect(await findings()).toEqual([
      [Kind.EVENT_MISSING, 5, idAt(5)],
      [Kind.UNSEALED_EVENT, 0, other],
    ]);
  });

  test.each([
    `device_id = 'another'`,
    'device_fingerprint = null',
    `ip_address = '203.0.113.1'`,
    'ip_address = null',
    'ip_address = set_masklen(ip_address, 64)',
    `user_agent = 'x'`,
    'personal_salt = null',
    `personal_salt = sha256('x')`,
  ])('%s, which tells about the person', async (change) => {
    await db.rows(`update user_service.security_events set ${change} where id = $1`, [idAt(5)]);
    expect(await findings()).toEqual([[Kind.PERSONAL_PART_CHANGED, 5, idAt(5)]]);
  });
});

test('the erasure of a purged user is no finding', async () => {
  const userId = events[4]?.userId;
  if (!userId) throw new Error('the event is about nobody');
  expect(await log.events.erasePersonal(userId)).toBe(1);
  expect(await findings()).toEqual([]);
});

test('what somebody resolved is no finding', async () => {
  await client.resolveSecurityEvent({ id: idAt(3), resolvedBy: 'op' });
  await log.sealed();
  expect(await findings()).toEqual([]);
});

describe('what was removed is found:', () => {
  test('an event', async () => {
    await db.rows('delete from user_service.security_events where id = $1', [idAt(7)]);
    expect(await findings()).toEqual([[Kind.EVENT_MISSING, 7, idAt(7)]]);
  });

  test('an event with its seal', async () => {
    await db.rows('delete from user_service.security_events where id = $1', [idAt(7)]);
    await db.rows('delete from user_service.security_event_seals where event_id = $1', [idAt(7)]);
    expect(await findings()).toEqual([[Kind.SEAL_MISSING, 7, '']]);
  });

  test('the first ones', async () => {
    await db.rows('delete from user_service.security_events where id <= $1', [idAt(2)]);
    await db.rows('delete from user_service.security_event_seals where sequence <= 2');
    expect(await findings()).toEqual([[Kind.SEAL_MISSING, 1, '']]);
  });

  test('a seal', async () => {
    await db.rows('delete from user_service.security_event_seals where sequence = 7');
    expect(await findings()).toEqual([
      [Kind.SEAL_MISSING, 7, ''],
      [Kind.UNSEALED_EVENT, 0, idAt(7)],
    ]);
  });

  test('the tail, against an anchor', async () => {
    const anchor = await head();
    await db.rows('delete from user_service.security_events where id >= $1', [idAt(10)]);
    await db.rows('delete from user_service.security_event_seals where sequence >= 10');
    expect(await findings()).toEqual([]);
    expect(await findings([anchor])).toEqual([[Kind.TRUNCATED, 10, '']]);
  });

  test('the tail, and new entries in its place', async () => {
    const anchor = await head();
    await db.rows('delete from user_service.security_events where id >= $1', [idAt(10)]);
    await db.rows('delete from user_service.security_event_seals where sequence >= 10');
    await log.appendMany(5);
    await log.sealed();
    expect(await findings()).toEqual([]);
    expect(await findings([anchor])).toEqual([[Kind.ANCHOR_MISMATCH, 12, '']]);
  });
});

describe('what has changed places is found:', () => {
  /** Exchanges columns of the seals 4 and 9. */
  const exchange = (columns: string) =>
    db.rows(
      `update user_service.security_event_seals seal set (${columns}) = (
         select ${columns} from user_service.security_event_seals other where other.sequence = 13 - seal.sequence)
       where sequence in (4, 9)`,
    );

  test('two numbers', async () => {
    await db.rows(
      'update user_service.security_event_seals set sequence = 13 - sequence where sequence in (4, 9)',
    );
    const found = await findings();
    expect(found.map(([kind]) => kind)).toContain(Kind.REORDERED);
    expect(found).toEqual(expect.arrayContaining([[Kind.REORDERED, 4, idAt(9)]]));
    expect(found).toEqual(expect.arrayContaining([[Kind.REORDERED, 9, idAt(4)]]));
  });

  test('two events, under their seals', async () => {
    await db.rows('update user_service.security_events set id = $2 where id = $1', [idAt(4), newId()]);
    const [moved] = await db.rows('select max(id::text) as id from user_service.security_events');
    await db.rows('update user_service.security_events set id = $2 where id = $1', [idAt(9), idAt(4)]);
    await db.rows('update user_service.security_events set id = $2 where id = $1', [moved?.['id'], idAt(9)]);
    const found = await findings();
    expect(found.map(([, sequence]) => sequence)).toEqual(expect.arrayContaining([4, 9]));
    expect(found.every(([kind]) => kind === Kind.REORDERED || kind === Kind.EVENT_CHANGED)).toBe(true);
  });

  test.each(['event_hash', 'chain_hash', 'event_hash, chain_hash'])('%s of two seals', async (columns) => {
    await exchange(columns);
    const found = await findings();
    expect(found.length).toBeGreaterThan(0);
    expect(found.map(([kind]) => kind)).toContain(Kind.REORDERED);
    expect(found.every(([, sequence]) => [4, 5, 9, 10].includes(Number(sequence)))).toBe(true);
  });
});

describe('what was added is found:', () => {
  test('an event', async () => {
    const id = newId();
    await db.rows(
      `insert into user_service.security_events (id, event_type, severity, description, created_at)
       values ($1, 'login_succeeded', 'info', 'x', now())`,
      [id],
    );
    expect(await findings()).toEqual([[Kind.UNSEALED_EVENT, 0, id]]);
  });

  test('an event with a seal', async () => {
    const id = newId();
    await db.rows(
      `with added as (insert into user_service.security_events (id, event_type, severity, description, created_at)
         values ($1, 'login_succeeded', 'info', 'x', now()))
       insert into user_service.security_event_seals values ($1, 13, sha256('a'), sha256('b'), now())`,
      [id],
    );
    expect(await findings()).toEqual([[Kind.SEAL_CHANGED, 13, id]]);
  });

  test('a second seal with a number', async () => {
    const id = newId();
    await db.rows(
      `insert into user_service.security_event_seals
       select $1, sequence, event_hash, chain_hash, sealed_at from user_service.security_event_seals where sequence = 6`,
      [id],
    );
    expect(await findings()).toEqual([[Kind.DUPLICATE_SEQUENCE, 6, id]]);
  });
});

test('a changed seal is found', async () => {
  await db.rows(`update user_service.security_event_seals set chain_hash = sha256('x') where sequence = 6`);
  const found = await findings();
  expect(found.length).toBeGreaterThan(0);
  expect(
    found.every(([kind, sequence]) => kind === Kind.SEAL_CHANGED && [6, 7].includes(Number(sequence))),
  ).toBe(true);
});

test('an event that waits for its seal is no finding, and counted', async () => {
  await log[Symbol.asyncDispose]();
  await log.append();
  expect(await client.verifySecurityEventChain({})).toMatchObject({ intact: true, unsealedEvents: 1n });
});

test('a log is verified in pieces', async () => {
  let anchors: ChainAnchor[] = [];
  const pieces: number[] = [];
  for (let fromLastAnchor = false; ; fromLastAnchor = true) {
    const piece = await client.verifySecurityEventChain({ anchors, fromLastAnchor, maxEntries: 5n });
    expect(piece.intact).toBe(true);
    expect(piece.firstSequence).toBe(BigInt(pieces.reduce((sum, verified) => sum + verified, 0) + 1));
    pieces.push(Number(piece.verifiedEntries));
    if (piece.head === undefined || piece.verifiedEntries < 5n) break;
    anchors = [piece.head];
  }
  expect(pieces).toEqual([5, 5, 2]);
});

test('the log goes on while it is verified', async () => {
  const isDone = { value: false };
  const writing = (async () => {
    while (!isDone.value) await log.append();
  })();
  for (let times = 0; times < 20; times += 1) {
    expect((await client.verifySecurityEventChain({})).findings).toEqual([]);
  }
  isDone.value = true;
  await writing;
});

test('one verification at a time, which ends with its call', async () => {
  const slow: ChainSource = {
    base: () => log.chain.base(),
    head: () => log.chain.head(),
    eventsOf: (ids) => log.chain.eventsOf(ids),
    unsealedEvents: (limit) => log.chain.unsealedEvents(limit),
    // As a log without an end would be read.
    sealsAfter: async (_sequence, limit) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return (await log.chain.sealsAfter(0n, 1)).flatMap((seal) => Array.from({ length: limit }, () => seal));
    },
  };
  const auditLog = Object.assign(Object.create(log), { verifications: new ChainVerifications(slow) });
  const slowClient = securityEventClient(auditLog);
  const end = new AbortController();
  const first = failure(slowClient.verifySecurityEventChain({}, { signal: end.signal }));
  const second = await failure(slowClient.verifySecurityEventChain({}));
  expect([second.code, reasonOf(second)]).toEqual([Code.ResourceExhausted, 'TOO_MANY_VERIFICATIONS']);
  end.abort();
  expect((await first).code).toBe(Code.Canceled);
  await expect
    .poll(async () => {
      const next = new AbortController();
      setTimeout(() => next.abort(), 50);
      return (await failure(slowClient.verifySecurityEventChain({}, { signal: next.signal }))).code;
    })
    .toBe(Code.Canceled);
});

test('refuses what is wrong with the request', async () => {
  const anchor = await head();
  const [furthest] = [{ ...anchor, sequence: 2n ** 63n - 2n }];
  expect(await client.verifySecurityEventChain({ anchors: [furthest], fromLastAnchor: true })).toMatchObject({
    firstSequence: 2n ** 63n - 1n,
    findings: [{ kind: Kind.TRUNCATED }],
  });
  for (const [field, request] of [
    ['anchors[0].chain_hash', { anchors: [{ sequence: 1n, chainHash: new Uint8Array(31) }] }],
    ['anchors[0].sequence', { anchors: [{ ...anchor, sequence: -1n }] }],
    ['anchors[0].sequence', { anchors: [{ ...anchor, sequence: 2n ** 63n - 1n }], fromLastAnchor: true }],
    ['anchors', { anchors: Array.from({ length: 101 }, () => anchor) }],
    ['from_last_anchor', { fromLastAnchor: true }],
    ['max_entries', { maxEntries: -1n }],
  ] as const) {
    const refused = await failure(client.verifySecurityEventChain(request as object));
    expect([refused.code, fieldsOf(refused)]).toEqual([Code.InvalidArgument, [field]]);
  }
});

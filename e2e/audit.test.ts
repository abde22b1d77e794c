import { randomUUID } from 'node:crypto';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  ChainFindingKind,
  type ListSecurityEventsResponse,
  Severity,
} from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { ChainWatch } from './chain-watch.ts';
import { IdentityReplicas } from './identity-replicas.ts';
import { type LeastPrivilegeDatabase, startLeastPrivilegeDatabase } from './least-privilege-database.ts';

const DENIED = { code: '42501' };

let database: LeastPrivilegeDatabase;
let identity: IdentityReplicas;
beforeAll(async () => {
  database = await startLeastPrivilegeDatabase();
  identity = await IdentityReplicas.start({ DATABASE_URL: database.serviceUrl });
});
afterAll(async () => {
  await identity?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const asOwner = (text: string, values: unknown[] = []) =>
  withTestClient(database.ownerUrl, async (client) => (await client.query(text, values)).rows);
const asService = (text: string) => withTestClient(database.serviceUrl, (client) => client.query(text));

async function logEvent(type: string, severity: Severity, more: { userId?: string } = {}): Promise<string> {
  const request = { type, severity, description: 'Something happened.', requestId: randomUUID(), ...more };
  const { event } = await identity.rpcs.events.logSecurityEvent(request);
  return event?.id ?? '';
}

const idsOf = ({ events }: Pick<ListSecurityEventsResponse, 'events'>) => events.map(({ id }) => id);

async function untilSealed(): Promise<void> {
  const isSealed = async () =>
    expect((await identity.others.events.getSecurityEventChainHead({})).unsealedEvents).toBe(0n);
  await vi.waitFor(isSealed, { timeout: 10_000, interval: 20 });
}

describe('the log', () => {
  it('is listed by every filter and page by page, newest first, on every replica', async () => {
    const { id: userId, email } = await identity.newUser();
    const { sessionId } = await identity.signIn(email);
    const startTime = timestampNow();
    const logged: string[] = [];
    for (let time = 0; time < 5; time += 1) {
      logged.unshift(await logEvent('shop.order', Severity.LOW, { userId }));
      logged.unshift(await logEvent('shop.fraud', Severity.HIGH, { userId }));
    }
    const list = (filter: object) => identity.others.events.listSecurityEvents({ filter });
    expect(idsOf(await list({ userId, startTime }))).toEqual(logged);
    const frauds = logged.filter((_id, index) => index % 2 === 0);
    expect(idsOf(await list({ userId, types: ['shop.fraud'] }))).toEqual(frauds);
    expect(idsOf(await list({ types: ['shop.fraud'] }))).toEqual(frauds);
    expect(idsOf(await list({ userId, minSeverity: Severity.HIGH }))).toEqual(frauds);
    expect(idsOf(await list({ userId, unresolved: true }))).toEqual(frauds);
    const ofSession = await list({ sessionId });
    expect(ofSession.events.map(({ type }) => type)).toEqual(['login_succeeded']);
    const before = await list({ userId, endTime: startTime });
    expect(before.events.map(({ type }) => type)).toEqual(['login_succeeded', 'user_created']);

    const pages: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await identity.others.events.listSecurityEvents({
        ...{ filter: { userId, startTime }, pageSize: 3, pageToken },
      });
      expect(page.events.length).toBeLessThanOrEqual(3);
      pages.push(...idsOf(page));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(pages).toEqual(logged);
  });

  it('takes an event once for one request id, and its resolution once', async () => {
    const request = {
      ...{ type: 'shop.theft', severity: Severity.CRITICAL, description: 'A till is empty.' },
      metadata: { till: 7 },
      requestId: randomUUID(),
    };
    const first = await identity.rpcs.events.logSecurityEvent(request);
    const again = await identity.others.events.logSecurityEvent(request);
    const id = first.event?.id ?? '';
    expect(again.event?.id).toBe(id);
    await untilSealed();
    const { event } = await identity.others.events.getSecurityEvent({ id });
    expect(event).toMatchObject({ type: 'shop.theft', metadata: { till: 7 }, resolvedBy: '' });
    expect(event?.sequence).toBeGreaterThan(0n);

    const resolve = (resolvedBy: string) =>
      failureOrNull(identity.others.events.resolveSecurityEvent({ id, resolvedBy, note: 'Found.' }));
    const outcomes = await Promise.all(['ann', 'bob', 'eve'].map(resolve));
    expect(outcomes.filter((reason) => reason === null)).toHaveLength(1);
    expect(outcomes.filter((reason) => reason === 'SECURITY_EVENT_RESOLVED')).toHaveLength(2);
    const resolved = await identity.rpcs.events.listSecurityEvents({ filter: { unresolved: true } });
    expect(idsOf(resolved)).not.toContain(id);
  });

  it('can not be changed by the role of the service', async () => {
    await untilSealed();
    for (const text of [
      "update user_service.security_events set severity = 'info'",
      "update user_service.security_events set metadata = '{}'",
      'delete from user_service.security_events',
      'truncate user_service.security_events',
      'update user_service.security_event_seals set sequence = sequence + 1',
      'update user_service.security_event_seals set chain_hash = event_hash',
      'delete from user_service.security_event_seals',
      'drop table user_service.security_events',
      'delete from user_service.security_event_checkpoints',
    ]) {
      await expect(asService(text), text).rejects.toMatchObject(DENIED);
    }
    await new ChainWatch(identity.rpcs.events).expectSealedWhole(database.ownerUrl);
  });
});

/** The reason of a refusal; null where there is none. */
async function failureOrNull(call: Promise<unknown>): Promise<string | null | undefined> {
  const isAnswered = await call.then(
    () => true,
    () => false,
  );
  return isAnswered ? null : reasonOf(await failure(call));
}

function nameOf(kind: ChainFindingKind): string | undefined {
  return Object.entries(ChainFindingKind).find(([, value]) => value === kind)?.[0];
}

describe('the chain', () => {
  /** Makes the log be as it was: what is tried here would stay. */
  async function tampered(texts: readonly string[], work: () => Promise<void>): Promise<void> {
    const tables = ['security_events', 'security_event_seals'];
    await asOwner('create schema kept');
    for (const table of tables) await asOwner(`create table kept.${table} as table user_service.${table}`);
    try {
      for (const text of texts) await asOwner(text);
      await work();
    } finally {
      for (const table of tables) {
        await asOwner(`delete from user_service.${table}`);
        await asOwner(`insert into user_service.${table} select * from kept.${table}`);
      }
      await asOwner('drop schema kept cascade');
    }
  }

  const at = (sequence: bigint) =>
    `(select event_id from user_service.security_event_seals where sequence = ${sequence})`;
  const swap = (columns: string, a: bigint, b: bigint) =>
    `update user_service.security_event_seals s set (${columns}) = (select ${columns
      .split(', ')
      .map((column) => `o.${column}`)
      .join(', ')} from user_service.security_event_seals o where o.sequence = ${a} + ${b} - s.sequence)
     where s.sequence in (${a}, ${b})`;

  it('finds and names every kind of tampering by somebody who owns the tables', async () => {
    for (let time = 0; time < 12; time += 1) await logEvent('shop.order', Severity.LOW);
    await untilSealed();
    const { head } = await identity.rpcs.events.getSecurityEventChainHead({});
    const end = head?.sequence ?? 0n;
    const victim = end - 5n;
    const [known] = await asOwner(`select ${at(victim)} as id, ${at(end)} as last`);
    const found = async (anchors = head === undefined ? [] : [head]) => {
      const { intact, findings } = await identity.others.events.verifySecurityEventChain({ anchors });
      expect(intact).toBe(findings.length === 0);
      return findings.map(({ kind, sequence, eventId }) => [nameOf(kind), sequence, eventId]);
    };
    expect(await found()).toEqual([]);

    const edits = [
      "description = 'Nothing.'",
      "severity = 'info'",
      "metadata = '{}'",
      'user_id = id',
      "created_at = created_at + interval '1 ms'",
    ];
    for (const edit of edits) {
      await tampered(
        [`update user_service.security_events set ${edit} where id = ${at(victim)}`],
        async () => {
          expect(await found(), edit).toEqual([['EVENT_CHANGED', victim, known.id]]);
        },
      );
    }
    await tampered(
      [`update user_service.security_events set ip_address = '192.0.2.1' where id = ${at(victim)}`],
      async () => {
        expect(await found()).toEqual([['PERSONAL_PART_CHANGED', victim, known.id]]);
      },
    );
    await tampered([`delete from user_service.security_events where id = ${at(victim)}`], async () => {
      expect(await found()).toEqual([['EVENT_MISSING', victim, known.id]]);
    });
    await tampered(
      [
        `delete from user_service.security_events where id = ${at(victim)}`,
        `delete from user_service.security_event_seals where sequence = ${victim}`,
      ],
      async () => {
        expect(await found()).toContainEqual(['SEAL_MISSING', victim, '']);
      },
    );
    const cut = [
      `delete from user_service.security_events where id in (select event_id from user_service.security_event_seals where sequence > ${victim})`,
      `delete from user_service.security_event_seals where sequence > ${victim}`,
    ];
    await tampered(cut, async () => {
      // Without an anchor a chain that ends earlier is a shorter chain: that is what anchors are for.
      expect(await found([])).toEqual([]);
      const kinds = (await found()).map(([kind]) => kind);
      expect(kinds).toEqual(['TRUNCATED']);
    });
    await tampered([swap('sequence', victim, victim + 1n)], async () => {
      const kinds = new Set((await found()).map(([kind]) => kind));
      expect(kinds).toEqual(new Set(['REORDERED']));
    });
    await tampered([swap('event_hash, chain_hash', victim, victim + 1n)], async () => {
      expect((await found()).map(([kind]) => kind)).toContain('REORDERED');
    });
    await tampered(
      [
        `insert into user_service.security_events (id, event_type, severity, description, metadata, created_at, personal_salt, personal_hash)
         select gen_random_uuid(), 'forged', severity, description, metadata, created_at, personal_salt, personal_hash
         from user_service.security_events where id = ${at(victim)}`,
      ],
      async () => {
        expect((await found()).map(([kind, sequence]) => [kind, sequence])).toEqual([['UNSEALED_EVENT', 0n]]);
      },
    );
    expect(await found()).toEqual([]);
  });

  it('is intact after a purge, which erases what it tells about the person', async () => {
    const { id, email } = await identity.newUser();
    await identity.rpcs.auth.authenticate({
      ...{ email, password: 'correct horse battery staple' },
      device: { id: 'phone', ipAddress: '2001:db8::9', userAgent: 'tests/1.0' },
    });
    const chain = new ChainWatch(identity.rpcs.events);
    await untilSealed();
    await chain.noteHead();
    await identity.rpcs.users.deleteUser({ id });
    await identity.rpcs.users.purgeUser({ id });
    const { events } = await identity.others.events.listSecurityEvents({ filter: { userId: id } });
    expect(events.map(({ type }) => type)).toContain('login_succeeded');
    expect(JSON.stringify(events.map(({ device, metadata }) => [device, metadata]))).not.toMatch(
      /2001:db8::9|tests\/1\.0/,
    );
    await chain.expectSealedWhole(database.ownerUrl);
  });

  it('never makes sign-ins wait, while a sealer holds all that it can', async () => {
    const { email } = await identity.newUser();
    await untilSealed();
    const holder = new Client(database.ownerUrl);
    await holder.connect();
    await holder.query('begin');
    await holder.query(
      "select pg_advisory_xact_lock(hashtextextended('user_service.security_event_chain', 0))",
    );
    await holder.query('lock table user_service.security_event_seals in exclusive mode');
    await logEvent('shop.order', Severity.LOW);
    await holder.query('select from user_service.security_event_queue for update');
    try {
      const signIns = await Promise.all(Array.from({ length: 10 }, () => identity.signIn(email)));
      expect(new Set(signIns.map(({ sessionId }) => sessionId)).size).toBe(10);
      const held = await identity.others.events.getSecurityEventChainHead({});
      expect(held.unsealedEvents).toBe(11n);
      expect(held.sealingLagMs).toBeGreaterThan(0n);
    } finally {
      await holder.query('rollback');
      await holder.end();
    }
    await new ChainWatch(identity.rpcs.events).expectSealedWhole(database.ownerUrl);
  });
});

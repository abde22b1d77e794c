import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Severity } from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

/** How often both replicas are started anew. */
const RESTARTS = 3;
const REPLICAS = 2;

/** A replica that is ended and started again, on other ports. */
class RestartingReplica implements AsyncDisposable {
  readonly #databaseUrl: string;
  #service: TestService | undefined;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  async start(): Promise<void> {
    const service = await startTestIdentity({ DATABASE_URL: this.#databaseUrl, RATE_LIMIT_ENABLED: 'false' });
    const isUp = async () => expect((await service.get('/health')).status).toBe(200);
    await vi.waitFor(isUp, { timeout: 15_000, interval: 20 });
    this.#service = service;
  }

  /** Undefined while it is not there. */
  get rpcs(): IdentityRpcs | undefined {
    return this.#service && identityRpcs(this.#service.transport('gRPC'));
  }

  async restart(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    await service?.[Symbol.asyncDispose]();
  }
}

/** A consumer that keeps its cursor, and goes on with it at the next replica whenever a stream breaks off. */
class ResumingWatcher {
  readonly seen: { readonly id: string; readonly sequence: bigint }[] = [];
  connects = 0;
  readonly #replicas: readonly RestartingReplica[];
  readonly #types: readonly string[];
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;

  constructor(replicas: readonly RestartingReplica[], types: readonly string[] = []) {
    this.#replicas = replicas;
    this.#types = types;
    this.#loop = this.#follow();
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#loop;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    const types = [...this.#types];
    let cursor = '';
    for (let turn = 0; !signal.aborted; turn += 1) {
      const rpcs = this.#replicas[turn % this.#replicas.length]?.rpcs;
      try {
        const from = cursor === '' ? { fromBeginning: true } : { cursor };
        const stream = rpcs?.events.watchSecurityEvents({ ...from, types }, { signal });
        for await (const part of stream ?? []) {
          if (cursor === '' || part.events.length === 0) this.connects += 1;
          this.seen.push(...part.events.map(({ id, sequence }) => ({ id, sequence })));
          cursor = part.cursor;
        }
      } catch (error) {
        // The replica went: its stream ends with an error, whichever it is. What matters is what was seen in the end.
        if (!(error instanceof Error)) throw error;
      }
      await sleep(10);
    }
  }
}

describe('WatchSecurityEvents, on two replicas that are started anew under load', () => {
  let database: TestDatabase;
  const replicas: RestartingReplica[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
    for (let index = 0; index < REPLICAS; index += 1) {
      const replica = new RestartingReplica(database.url);
      replicas.push(replica);
      await replica.start();
    }
  });
  afterAll(async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  /** Adds an event, at whichever replica is there, until one has acknowledged it. */
  async function log(type: string): Promise<string> {
    const requestId = randomUUID();
    const request = { type, severity: Severity.INFO, description: 'Something happened.', requestId };
    for (let turn = 0; ; turn += 1) {
      try {
        const answer = await replicas[turn % REPLICAS]?.rpcs?.events.logSecurityEvent(request);
        if (answer?.event !== undefined) return answer.event.id;
      } catch (error) {
        if (turn > 500) throw error;
      }
      await sleep(20);
    }
  }

  it('tells each watcher every event once, in the order of the chain', async () => {
    const all = new ResumingWatcher(replicas);
    const others = new ResumingWatcher([...replicas].reverse());
    const orders = new ResumingWatcher(replicas, ['shop.order']);
    const acknowledged: string[] = [];
    let isOver = false;
    const write = async (type: string) => {
      while (!isOver) acknowledged.push(await log(type));
    };
    const writers = Promise.all(['shop.order', 'shop.order', 'shop.visit', 'shop.visit'].map(write));
    for (let time = 0; time < RESTARTS; time += 1) {
      await sleep(500);
      await Promise.all(replicas.map((replica) => replica.restart()));
      await sleep(500);
      await replicas[time % REPLICAS]?.restart();
    }
    isOver = true;
    await writers;

    const sealed = () =>
      withTestClient(database.url, async (client) => {
        const { rows } = await client.query<{ id: string; type: string }>(
          `select e.id, e.event_type as type from user_service.security_events e
             join user_service.security_event_seals s on s.event_id = e.id order by s.sequence`,
        );
        return rows;
      });
    await vi.waitFor(async () => expect((await sealed()).length).toBe(acknowledged.length), {
      timeout: 10_000,
      interval: 50,
    });
    const chain = await sealed();
    expect(chain.map(({ id }) => id).sort()).toEqual(acknowledged.toSorted());
    const told = (watcher: ResumingWatcher) => watcher.seen.map(({ id }) => id);
    const ids = chain.map(({ id }) => id);
    const ordered = chain.filter(({ type }) => type === 'shop.order').map(({ id }) => id);
    await vi.waitFor(() => expect(told(orders).length).toBeGreaterThanOrEqual(ordered.length), 15_000);
    for (const watcher of [all, others]) {
      await vi.waitFor(() => expect(told(watcher).length).toBeGreaterThanOrEqual(ids.length), 15_000);
    }
    // A doubled event would come a moment later.
    await sleep(300);
    await Promise.all([all, others, orders].map((watcher) => watcher.end()));
    expect(told(all)).toEqual(ids);
    expect(told(others)).toEqual(ids);
    expect(told(orders)).toEqual(ordered);
    expect(all.seen.map(({ sequence }) => sequence)).toEqual(ids.map((_id, index) => BigInt(index + 1)));
    for (const watcher of [all, others, orders]) expect(watcher.connects).toBeGreaterThan(RESTARTS);
    expect(ids.length).toBeGreaterThan(50);
  }, 120_000);
});

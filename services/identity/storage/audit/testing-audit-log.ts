import { v7 as uuidV7 } from 'uuid';
import { expect } from 'vitest';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import { ChainVerifications } from '../../domain/audit/verify-security-event-chain.ts';
import { SecurityEventWatch } from '../../domain/audit/watch-security-events.ts';
import type { SecurityEvent } from '../../domain/security-event.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { SecurityEventRepository } from '../security-event-repository.ts';
import { DEVICE, TestIdentity } from '../testing-identity.ts';
import type { TestOrm } from '../testing-orm.ts';
import { EventSealer, type EventSealerOptions } from './event-sealer.ts';
import { SealedEvents } from './sealed-events.ts';
import { SealingQueue } from './sealing-queue.ts';
import { StoredChain } from './stored-chain.ts';

export const newId = (): Uuid => uuidV7() as Uuid;

/** An event with all that one may have. */
export function testEvent(parts: Partial<SecurityEvent> = {}): SecurityEvent {
  return {
    id: newId(),
    type: 'login_succeeded',
    severity: 'info',
    description: 'A session was opened with a password.',
    userId: newId(),
    sessionId: newId(),
    device: DEVICE,
    metadata: { method: 'password', nested: { list: [1, 'two', null, 1e21, 0.1] } },
    createdAt: new Date(),
    ...parts,
  };
}

/** The audit log on a real database. Sealers run only where a test starts them. */
export class TestAuditLog implements AuditLogDeps, AsyncDisposable {
  readonly identity: TestIdentity;
  readonly events: SecurityEventRepository;
  readonly chain: StoredChain;
  readonly sealing: SealingQueue;
  readonly verifications: ChainVerifications;
  readonly watch: SecurityEventWatch;
  /** What sealers told of. */
  readonly failures: unknown[] = [];
  readonly missing: Uuid[] = [];
  readonly sealedBefore: Uuid[] = [];
  readonly #db: TestOrm;
  readonly #sealers: EventSealer[] = [];

  constructor(db: TestOrm) {
    this.#db = db;
    this.identity = new TestIdentity(db);
    this.events = new SecurityEventRepository(db.orm.em);
    this.chain = new StoredChain(db.orm.em);
    this.sealing = new SealingQueue(db.orm.em);
    this.verifications = new ChainVerifications(this.chain);
    this.watch = new SecurityEventWatch(new SealedEvents(db.orm.em), { silenceMs: 500 });
  }

  get unitOfWork() {
    return this.identity.unitOfWork;
  }

  get sessions() {
    return this.identity.sessions;
  }

  readonly now = (): Date => this.identity.now();

  startSealer(options: Partial<EventSealerOptions> = {}): EventSealer {
    const sealer = new EventSealer({
      em: this.#db.orm.em,
      onSealed: () => this.watch.wake(),
      onFailure: (error) => this.failures.push(error),
      onMissing: (ids) => this.missing.push(...ids),
      onSealedBefore: (ids) => this.sealedBefore.push(...ids),
      pollMs: 50,
      ...options,
    });
    this.#sealers.push(sealer);
    return sealer;
  }

  /** Adds an event in a transaction of its own. */
  async append(parts: Partial<SecurityEvent> = {}): Promise<SecurityEvent> {
    const event = testEvent(parts);
    await this.unitOfWork.transactional(({ securityEvents }) => securityEvents.append(event));
    return event;
  }

  /** Adds events one after another. */
  async appendMany(count: number): Promise<SecurityEvent[]> {
    const events: SecurityEvent[] = [];
    for (let i = 0; i < count; i += 1) events.push(await this.append());
    return events;
  }

  /** Until no event waits for its seal. */
  async sealed(): Promise<void> {
    await expect
      .poll(() => this.#db.rows('select event_id from user_service.security_event_queue limit 1'), {
        timeout: 20_000,
      })
      .toEqual([]);
  }

  async empty(): Promise<void> {
    await this.#db.rows(
      `truncate user_service.security_events, user_service.security_event_seals, user_service.security_event_queue,
         user_service.security_event_checkpoints`,
    );
    this.failures.length = 0;
    this.missing.length = 0;
    this.sealedBefore.length = 0;
  }

  /** Ends the sealers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sealers.splice(0).map((sealer) => sealer[Symbol.asyncDispose]()));
  }
}

import { randomBytes, randomUUID } from 'node:crypto';
import { AccessTokens } from '../domain/access-token.ts';
import { authenticationContext } from '../domain/authentication-context.ts';
import { KeyRotation } from '../domain/key-rotation.ts';
import type { KeySchedule } from '../domain/key-rotation-plan.ts';
import { COMMITTED_IS_ENFORCED } from '../domain/revocation.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { SigningKeyStatus } from '../domain/signing-key.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import { OrmUnitOfWork } from './orm-unit-of-work.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import type { TestOrm } from './testing-orm.ts';

export const SECONDS = 1000;
export const DAYS = 24 * 3600 * SECONDS;
const SCHEDULE: KeySchedule = {
  algorithm: 'EdDSA',
  rotationMs: 30 * DAYS,
  propagationMs: 600 * SECONDS,
  retentionMs: 4500 * SECONDS,
};

/** Somebody who changes keys, without a request id. */
export const BY_HAND = { origin: { caller: 'ops', actor: 'ada', reason: null }, requestKey: null };
export const session = {
  ...{ userId: randomUUID(), sessionId: randomUUID() },
  ...{ roles: ['user'], generation: 1 },
  authentication: authenticationContext(['pwd'], new Date()),
};
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });

/** Processes with the signing keys of one database, and the time on their clocks. */
export class TestKeyRotation {
  #clock = new Date();
  readonly #db: TestOrm;

  constructor(db: TestOrm) {
    this.#db = db;
  }

  get now(): Date {
    return this.#clock;
  }

  pass(milliseconds: number): void {
    this.#clock = new Date(this.#clock.getTime() + milliseconds);
  }

  /** A process of its own, as far as keys go. */
  replica(schedule: Partial<KeySchedule> = {}, reloadIntervalMs = 0) {
    const { em } = this.#db.orm;
    const now = () => this.#clock;
    const store = new SigningKeyRepository(em);
    const keys = new SigningKeys({
      ...{ store, secretBox, reloadIntervalMs, now },
      onUnreadable: () => undefined,
      algorithm: schedule.algorithm ?? 'EdDSA',
    });
    const unitOfWork = new OrmUnitOfWork({
      ...{ em, secretBox, mailEnabled: false, revocationLifetimeMs: 3_600_000 },
      onRevoked: async () => undefined,
    });
    const rotation = new KeyRotation({
      ...{ keys, store, unitOfWork, secretBox, now },
      barrier: COMMITTED_IS_ENFORCED,
      schedule: { ...SCHEDULE, ...schedule },
    });
    const tokens = new AccessTokens({
      ...{ keys, issuer: 'https://identity.example', audience: 'optix', now },
      lifetimeSeconds: 60 * 24 * 3600,
    });
    const kids = async () => (await keys.jwks()).keys.map(({ kid }) => kid);
    return { keys, rotation, tokens, kids };
  }

  async kidOf(status: SigningKeyStatus): Promise<string> {
    const [row] = await this.#db.rows('select kid from user_service.signing_keys where status = $1', [
      status,
    ]);
    return row?.['kid'] as string;
  }

  /** Of all keys, oldest first. */
  async statuses(): Promise<unknown[]> {
    const rows = await this.#db.rows('select status from user_service.signing_keys order by created_at, id');
    return rows.map(({ status }) => status);
  }

  events(): Promise<Record<string, unknown>[]> {
    return this.#db.rows(
      'select event_type, severity, metadata from user_service.security_events order by id',
    );
  }
}

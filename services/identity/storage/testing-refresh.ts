import { randomBytes } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import { AccessTokens } from '../domain/access-token.ts';
import { authenticationContext } from '../domain/authentication-context.ts';
import { testPolicy } from '../domain/detection/testing-policy.ts';
import {
  type EndSessionsRepositories,
  endUserSessions,
  type SessionEndReason,
} from '../domain/end-sessions.ts';
import { type RefreshDeps, refresh } from '../domain/refresh.ts';
import type { RefreshAnswer } from '../domain/refresh-answer.ts';
import { createRefreshToken } from '../domain/refresh-token.ts';
import type { NewRevocation } from '../domain/revocation.ts';
import { SecretBox } from '../domain/secret-box.ts';
import { SessionPolicy } from '../domain/session-policy.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import type { Uuid } from '../domain/uuid.ts';
import { OrmUnitOfWork } from './orm-unit-of-work.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { DEVICE, email, RecordingLimiter } from './testing-identity.ts';
import type { TestOrm } from './testing-orm.ts';

const HOURS = 3_600_000;
const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });

/** A session with its first refresh token. */
export interface TestSession {
  readonly userId: Uuid;
  readonly sessionId: Uuid;
  readonly familyId: Uuid;
  readonly token: string;
}

/** Refreshing on a real database, without the sign-in before it. */
export class TestRefresh {
  readonly limiter = new RecordingLimiter();
  /** What was revoked, as other replicas were told. */
  readonly revoked: NewRevocation[] = [];
  /** Sessions that were said to be in use. */
  readonly used: Uuid[] = [];
  /** How far the clock is ahead of the system's, in milliseconds. */
  ahead = 0;
  readonly now = () => new Date(Date.now() + this.ahead);
  readonly deps: RefreshDeps;
  readonly #db: TestOrm;

  constructor(db: TestOrm) {
    this.#db = db;
    this.deps = this.replica();
  }

  /** A process of its own. */
  replica(graceMs = 10_000, em: EntityManager = this.#db.orm.em): RefreshDeps {
    const keys = new SigningKeys({
      store: new SigningKeyRepository(em),
      secretBox,
      onUnreadable: (_kid, error) => {
        throw error;
      },
    });
    return {
      limiter: this.limiter,
      families: new RefreshTokenFamilyRepository(em),
      sessionPolicy: new SessionPolicy({ idleTimeoutMs: 24 * HOURS }),
      sessionActivity: { touch: (id) => void this.used.push(id) },
      unitOfWork: new OrmUnitOfWork({
        em,
        secretBox,
        mailEnabled: false,
        revocationLifetimeMs: HOURS,
        onRevoked: async (revocations) => {
          this.revoked.push(...revocations);
        },
      }),
      accessTokens: new AccessTokens({
        ...{ keys, issuer: 'https://identity.example', audience: 'optix' },
        now: this.now,
      }),
      detectionPolicy: testPolicy(),
      graceMs,
      now: this.now,
    };
  }

  /** Opens a session, of a new user unless one is given. */
  async signIn(userId?: Uuid): Promise<TestSession> {
    const at = this.now();
    const expiresAt = new Date(at.getTime() + 30 * 24 * HOURS);
    const [sessionId, familyId] = [uuidV7() as Uuid, uuidV7() as Uuid];
    const { token, hash } = createRefreshToken(familyId);
    const owner = userId ?? (uuidV7() as Uuid);
    await this.deps.unitOfWork.transactional(async ({ users, sessions, refreshTokenFamilies }) => {
      if (userId === undefined) {
        await users.insert({
          id: owner,
          email: email(`${owner}@example.com`),
          ...{ firstName: 'Ada', lastName: 'Lovelace', phone: null },
          ...{ roles: ['user'], passwordHash: null, createdAt: at },
        });
      }
      const session = { id: sessionId, userId: owner, device: DEVICE, createdAt: at, expiresAt };
      await sessions.insert({
        ...{ ...session, lastActivityAt: at, mfaVerified: false, isTrustedDevice: false },
        authentication: authenticationContext(['pwd'], at),
      });
      await refreshTokenFamilies.insert({
        ...{ id: familyId, userId: owner, sessionId, deviceId: null },
        ...{ createdAt: at, expiresAt, currentTokenHash: hash },
      });
    });
    return { userId: owner, sessionId, familyId, token };
  }

  use(token: string, on: RefreshDeps = this.deps): Promise<RefreshAnswer> {
    return refresh(on, { token, device: DEVICE });
  }

  async endSessions(userId: Uuid, reason: SessionEndReason): Promise<void> {
    await this.deps.unitOfWork.transactional(async (repositories: EndSessionsRepositories) => {
      await endUserSessions(repositories, { userId, except: null, reason, at: this.now() });
    });
  }

  events(type: string): Promise<Record<string, unknown>[]> {
    return this.#db.rows('select * from user_service.security_events where event_type = $1', [type]);
  }

  /** The rows of all families, oldest first. */
  families(): Promise<Record<string, unknown>[]> {
    return this.#db.rows('select * from user_service.refresh_token_families order by created_at, id');
  }
}

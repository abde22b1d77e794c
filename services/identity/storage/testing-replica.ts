import { MikroORM } from '@mikro-orm/postgresql';
import { v7 as uuidV7 } from 'uuid';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { AccessTokens } from '../domain/access-token.ts';
import { authenticationContext } from '../domain/authentication-context.ts';
import { type IntrospectDeps, type Introspection, introspect } from '../domain/introspect.ts';
import { VerifiedTokens } from '../domain/introspect-tokens.ts';
import { type FeedRead, RevocationFeed } from '../domain/revocation-feed.ts';
import type { RevokeDeps } from '../domain/revoke-session.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import { SessionPolicy } from '../domain/session-policy.ts';
import { SigningKeys } from '../domain/signing-keys.ts';
import type { Uuid } from '../domain/uuid.ts';
import { ActiveSessions } from './active-sessions.ts';
import { ActiveSessionsCache } from './active-sessions-cache.ts';
import { ormOptions } from './mikro-orm.config.ts';
import { OrmUnitOfWork } from './orm-unit-of-work.ts';
import { RevocationLog } from './revocation-log.ts';
import { SessionRepository } from './session-repository.ts';
import { SessionStates } from './session-states.ts';
import { SigningKeyRepository } from './signing-key-repository.ts';
import { DEVICE } from './testing-identity.ts';

export interface ReplicaOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** The same for all replicas. */
  readonly secretBox: SecretBox;
}

/** A session of a test, with a token of it. */
export interface OpenedSession {
  readonly userId: Uuid;
  readonly sessionId: Uuid;
  readonly token: string;
}

/** One of several processes' worth of identity, in this process: with its own connections, caches and feed. */
export class TestReplica implements AsyncDisposable {
  readonly #introspection: IntrospectDeps;
  readonly #cache: ActiveSessionsCache;
  readonly #feed: RevocationFeed;
  readonly revocation: RevokeDeps;
  readonly liveStates: ActiveSessions;
  readonly signingKeys: SigningKeys;
  readonly #accessTokens: AccessTokens;
  readonly #orm: MikroORM;
  /** Questions to the database for what tokens stand on: how many, and for how many tokens. */
  readonly asked = { statements: 0, tokens: 0 };
  /** What a question waits for after its answer came: as a process would that is slow just then. */
  afterRead: () => Promise<void> = async () => undefined;
  readonly failures: unknown[] = [];

  static async open(options: ReplicaOptions): Promise<TestReplica> {
    const orm = await MikroORM.init(
      ormOptions({ databaseUrl: options.databaseUrl, poolSize: 3, maxOverflow: 3 }),
    );
    return new TestReplica(orm, options);
  }

  private constructor(orm: MikroORM, { redisUrl, secretBox }: ReplicaOptions) {
    const { em } = orm;
    this.#orm = orm;
    this.signingKeys = new SigningKeys({
      store: new SigningKeyRepository(em),
      secretBox,
      onUnreadable: (_kid, error) => {
        throw error;
      },
    });
    this.#accessTokens = new AccessTokens({
      keys: this.signingKeys,
      issuer: 'https://identity.example',
      audience: 'optix',
    });
    const now = () => new Date();
    const sessionPolicy = new SessionPolicy();
    const states = new SessionStates(em);
    this.#slowDown(states);
    const verifiedTokens = new VerifiedTokens({ verify: (token) => this.#accessTokens.verify(token) });
    // Several replicas and a test share one event loop, so an answer may be late.
    const cache = new ActiveSessionsCache({ target: singleRedis(redisUrl), budgetMs: 200 });
    this.#cache = cache;
    const liveStates = new ActiveSessions({ store: states, cache, verifiedTokens, sessionPolicy, now });
    this.liveStates = liveStates;
    const sessionActivity = { touch: () => undefined };
    this.#introspection = { verifiedTokens, liveStates, sessionPolicy, sessionActivity, now };
    const dropKeys = ({ revocations }: FeedRead): void => {
      for (const revocation of revocations) {
        if (revocation.kind !== 'key') continue;
        this.signingKeys.forget(revocation.keyId);
        verifiedTokens.clear();
      }
    };
    this.#feed = new RevocationFeed({
      log: new RevocationLog(em),
      listeners: [dropKeys, (read) => cache.renew(read)],
      onFailure: (error) => this.failures.push(error),
    });
    const unitOfWork = new OrmUnitOfWork({
      em,
      secretBox,
      mailEnabled: false,
      revocationLifetimeMs: 3_600_000,
      onRevoked: (revocations) => cache.enforce(revocations),
    });
    const sessions = new SessionRepository(em);
    this.revocation = { unitOfWork, sessions, states, verifiedTokens, sessionPolicy, barrier: cache, now };
  }

  #slowDown(states: RevokeDeps['states']): void {
    const read = states.read.bind(states);
    states.read = async (queries) => {
      this.asked.statements += 1;
      this.asked.tokens += queries.length;
      const found = await read(queries);
      await this.afterRead();
      return found;
    };
  }

  async signIn(userId: Uuid, generation = 1): Promise<OpenedSession> {
    const sessionId = uuidV7() as Uuid;
    const at = new Date();
    await this.revocation.unitOfWork.transactional(({ sessions }) =>
      sessions.insert({
        id: sessionId,
        userId,
        device: DEVICE,
        createdAt: at,
        expiresAt: new Date(at.getTime() + 3_600_000),
        lastActivityAt: at,
        authentication: authenticationContext(['pwd'], at),
        mfaVerified: false,
        isTrustedDevice: false,
      }),
    );
    return { userId, sessionId, token: await this.issue({ userId, sessionId, generation }) };
  }

  async issue(session: {
    readonly userId: Uuid;
    readonly sessionId: Uuid;
    readonly generation: number;
  }): Promise<string> {
    const authentication = authenticationContext(['pwd'], new Date());
    return (await this.#accessTokens.issue({ ...session, roles: ['user'], authentication })).token;
  }

  introspect(token: string): Promise<Introspection> {
    return introspect(this.#introspection, token);
  }

  async isActive(token: string): Promise<boolean> {
    return (await this.introspect(token)).active;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#feed[Symbol.asyncDispose]();
    this.#cache[Symbol.dispose]();
    await this.#orm.close();
  }
}

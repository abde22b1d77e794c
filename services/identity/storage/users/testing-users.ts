import { createHash, randomBytes } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { parseEmail } from '../../domain/email.ts';
import type { RequestKey } from '../../domain/idempotency.ts';
import { PasswordPolicy } from '../../domain/password-policy.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import { etagOf, type Role, type User } from '../../domain/user.ts';
import type { UserChange } from '../../domain/users/change-user.ts';
import { type CreateUserDeps, createUser } from '../../domain/users/create-user.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { read, TestIdentity } from '../testing-identity.ts';
import type { TestOrm } from '../testing-orm.ts';

export const ORIGIN = { caller: 'console', actor: 'op-7', reason: 'asked by phone' };

/** The user directory's use cases on a real database. */
export class TestUsers implements CreateUserDeps {
  readonly identity: TestIdentity;
  readonly passwordPolicy = new PasswordPolicy({ blocklists: [] });
  readonly #db: TestOrm;

  constructor(db: TestOrm) {
    this.#db = db;
    this.identity = new TestIdentity(db);
  }

  get unitOfWork() {
    return this.identity.unitOfWork;
  }

  get hasher() {
    return this.identity.hasher;
  }

  readonly now = (): Date => this.identity.now();

  create(
    address: string,
    more: {
      readonly roles?: readonly Role[];
      readonly password?: string;
      readonly emailVerified?: boolean;
      readonly requestKey?: RequestKey;
    } = {},
  ): Promise<User> {
    return createUser(this, {
      email: read(parseEmail(address)),
      password: more.password ?? null,
      firstName: read(parsePersonName('Ada')),
      lastName: read(parsePersonName('Lovelace')),
      phone: read(parsePhone('+4915112345678')),
      roles: more.roles ?? ['user'],
      emailVerified: more.emailVerified ?? false,
      requestKey: more.requestKey ?? null,
      origin: ORIGIN,
    });
  }

  /** The user as they are now, deleted or not. */
  async find(id: Uuid): Promise<User> {
    const user = await this.identity.users.findById(id, true);
    if (user === null) throw new Error('there is no such user');
    return user;
  }

  /** Events of a user, oldest first, without the one of their creation. */
  events(id: Uuid): Promise<Record<string, unknown>[]> {
    return this.#db.rows(
      `select * from user_service.security_events where user_id = $1 and event_type <> 'user_created' order by id`,
      [id],
    );
  }

  /** A session with a refresh-token family and a device, as signing in leaves them. */
  async openSession(userId: Uuid): Promise<Uuid> {
    const id = uuidV7() as Uuid;
    await this.#db.rows(
      `insert into user_service.sessions_history (id, user_id, device_name, ip_address, created_at, expires_at,
         last_activity_at) values ($1, $2, 'laptop', '192.0.2.1', now(), now() + interval '1 day', now())`,
      [id, userId],
    );
    await this.#db.rows(
      `insert into user_service.refresh_token_families (id, user_id, session_id, created_at, expires_at,
         current_token_hash) values ($1, $2, $3, now(), now() + interval '1 day', $4)`,
      [uuidV7(), userId, id, randomBytes(32)],
    );
    await this.#db.rows(
      `insert into user_service.trusted_devices (id, user_id, trust_token_hash, created_at, last_seen_at, expires_at)
       values ($1, $2, $3, now(), now(), now() + interval '1 day')`,
      [uuidV7(), userId, randomBytes(32)],
    );
    await this.#db.rows(
      `insert into user_service.one_time_tokens (id, user_id, purpose, token_hash, email_normalized, created_at,
         expires_at) values ($1, $2, 'password_reset', $3, 'x', now(), now() + interval '1 day')`,
      [uuidV7(), userId, randomBytes(32)],
    );
    return id;
  }
}

/** A change that is asked for: of any state, without a request id, unless said otherwise. */
export function change(user: User | Uuid, more: Partial<UserChange> = {}): UserChange {
  const id = typeof user === 'string' ? user : user.id;
  return { id, etag: null, requestKey: null, origin: ORIGIN, ...more };
}

/** The etag of a state that was read before. */
export const etag = (user: User): { readonly etag: string } => ({ etag: etagOf(user) });

export const requestKey = (requestId: string, body = ''): RequestKey => ({
  caller: 'console',
  rpc: 'optix.identity.v1.IdentityService/Test',
  requestId,
  mac: createHash('sha256').update(body).digest(),
});

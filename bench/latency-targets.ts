import type { Client } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { GetUserRequestSchema } from '../gen/optix/identity/v1/identity_service_pb.ts';
import { IntrospectTokenRequestSchema } from '../gen/optix/identity/v1/token_service_pb.ts';
import { createLogger } from '../runtime/logger.ts';
import { readConfig } from '../services/identity/config.ts';
import { createContext, type IdentityContext } from '../services/identity/context.ts';
import { type AuthenticateDeps, authenticate } from '../services/identity/domain/authenticate.ts';
import type { Device } from '../services/identity/domain/device.ts';
import { parseEmail } from '../services/identity/domain/email.ts';
import type { IpAddress } from '../services/identity/domain/ip-address.ts';
import { PasswordHasher } from '../services/identity/domain/password-hasher.ts';
import { parseNewPassword } from '../services/identity/domain/password-policy.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { encoded } from './encoded.ts';
import { openLoop } from './open-loop.ts';
import type { Percentiles } from './percentiles.ts';
import type { RawClient } from './raw-client.ts';

const PASSWORD = 'plenty of ducks on the canal';
const DEVICE: Device = {
  ...{ id: 'device-1', fingerprint: null, name: null, userAgent: 'bench/1' },
  ipAddress: '192.0.2.1' as IpAddress,
};
/** Tokens that are looked into. */
const TOKENS = 500;
const WARM_UP_SECONDS = 2;

/** A kind of call, how long it may take by its 99th percentile, and how long it took. */
export interface LatencyTarget {
  readonly name: string;
  readonly targetMs: number;
  readonly latencyMs: Percentiles;
}

/**
 * Asks for everything at once, each at a fixed rate: lookups and joins through the service's RPCs; new sessions and audit
 * entries by the use cases in this process, as their RPCs would spend their time on hashing.
 *
 * @param server has no Redis, so that each introspection joins session and user in PostgreSQL
 */
export async function measureLatencyTargets(options: {
  readonly server: RawClient;
  readonly databaseUrl: string;
  readonly database: Client;
  readonly perSecond: number;
  readonly seconds: number;
}): Promise<readonly LatencyTarget[]> {
  const { server, database, databaseUrl, perSecond, seconds } = options;
  const logger = createLogger({ service: 'bench', level: 'fatal', debug: false });
  const config = readConfig({ DATABASE_URL: databaseUrl, RATE_LIMIT_ENABLED: 'false' });
  await using context = await createContext(config, logger);
  const deps = withCheapHashes(context);
  const users = await usersWithPassword(database, deps.hasher, perSecond * (seconds + WARM_UP_SECONDS));
  const signIn = async (turn: number) => {
    const email = parseEmail(at(users, turn).email);
    if (!email.ok) throw new Error(email.reason);
    const answer = await authenticate(deps, { email: email.value, password: PASSWORD, device: DEVICE });
    if ('challenge' in answer) throw new Error('a second factor is due');
    return answer;
  };
  const introspections: string[] = [];
  for (let turn = 0; turn < Math.min(TOKENS, users.length); turn += 1) {
    const { accessToken } = await signIn(turn);
    introspections.push(encoded(IntrospectTokenRequestSchema, { token: accessToken.token }));
  }
  const asks: readonly [name: string, targetMs: number, (turn: number) => Promise<unknown>][] = [
    ['lookup by id (GetUser)', 10, lookup(server, (turn) => ({ id: at(users, turn).id }))],
    ['lookup by e-mail (GetUser)', 10, lookup(server, (turn) => ({ email: at(users, turn).email }))],
    ['session created (Authenticate but for its hash)', 20, signIn],
    ['audit entry inserted', 15, async (turn) => await insertEvent(context, at(users, turn).id)],
    [
      'session joined with user (IntrospectToken without Redis)',
      30,
      (turn) => server.call('/optix.identity.v1.TokenService/IntrospectToken', at(introspections, turn)),
    ],
  ];
  const runAll = async (lasting: number) =>
    await Promise.all(
      asks.map(async ([name, targetMs, ask], place) => {
        const offsetMs = (place * 1000) / perSecond / asks.length;
        return { name, targetMs, latencyMs: await openLoop({ perSecond, seconds: lasting, offsetMs, ask }) };
      }),
    );
  await runAll(WARM_UP_SECONDS);
  return await runAll(seconds);
}

/** What sessions are opened by, with hashes that take no time to speak of. */
function withCheapHashes({ authentication }: IdentityContext): AuthenticateDeps {
  return { ...authentication, hasher: new PasswordHasher({ memoryKiB: 8, passes: 1, parallelism: 1 }) };
}

/** Random users, who get a password. */
async function usersWithPassword(
  database: Client,
  hasher: PasswordHasher,
  count: number,
): Promise<readonly { id: Uuid; email: string }[]> {
  const password = parseNewPassword(PASSWORD);
  if (!password.ok) throw new Error(password.reason);
  const { rows } = await database.query<{ id: Uuid; email: string }>(
    `update user_service.users set password_hash = $1
     where id in (select id from user_service.users where status = 'active' order by random() limit $2)
     returning id, email`,
    [await hasher.hash(password.value), count],
  );
  return rows;
}

function lookup(
  server: RawClient,
  request: (turn: number) => { readonly id: string } | { readonly email: string },
): (turn: number) => Promise<unknown> {
  const path = '/optix.identity.v1.IdentityService/GetUser';
  return async (turn) => await server.call(path, encoded(GetUserRequestSchema, request(turn)));
}

async function insertEvent({ authentication }: IdentityContext, userId: Uuid): Promise<void> {
  await authentication.unitOfWork.transactional(({ securityEvents }) =>
    securityEvents.append({
      id: uuidV7() as Uuid,
      type: 'user_updated',
      severity: 'info',
      description: 'A user was changed.',
      userId,
      sessionId: null,
      device: DEVICE,
      metadata: { fields: ['phone'] },
      createdAt: new Date(),
    }),
  );
}

function at<T>(items: readonly T[], turn: number): T {
  return items[turn % items.length] as T;
}

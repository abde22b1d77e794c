import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTokenVerifier, type TokenVerifier } from '../clients/identity/token-verifier.ts';
import type { WatchRevocationsResponse } from '../gen/optix/identity/v1/token_service_pb.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, fieldsOf } from '../testing/failure.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { TRANSPORTS } from '../testing/services.ts';
import { IdentityReplicas } from './identity-replicas.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const ISSUER = 'https://id.example.com';
/** Within what a revocation reaches whoever watches, in milliseconds. */
const PROMISED_MS = 1000;

let database: TestDatabase;
let identity: IdentityReplicas;
let rpcs: IdentityRpcs;
beforeAll(async () => {
  database = await createTestDatabase();
  identity = await IdentityReplicas.start({
    DATABASE_URL: database.url,
    REDIS_URL: testRedisUrl(),
    TOKEN_ISSUER: ISSUER,
  });
  ({ rpcs } = identity);
});
afterAll(async () => {
  await identity[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Watches at the replica that the changes are not made at. */
class Watch implements AsyncDisposable {
  readonly seen: WatchRevocationsResponse[] = [];
  readonly #abort = new AbortController();
  readonly #reading: Promise<void>;

  constructor({ tokens }: IdentityRpcs, cursor = '') {
    this.#reading = (async () => {
      const stream = tokens.watchRevocations({ cursor }, { signal: this.#abort.signal });
      for await (const part of stream) this.seen.push(part);
    })();
    // Its end is looked at when the watch is disposed of.
    this.#reading.catch(() => undefined);
  }

  async caughtUp(): Promise<void> {
    const isCaughtUp = () => this.seen.some(({ caughtUp }) => caughtUp);
    await vi.waitFor(() => expect(isCaughtUp()).toBe(true), { timeout: 5000 });
  }

  /** Why the session is refused, as often as it was told. */
  reasons(sessionId: string): string[] {
    const told = this.seen.flatMap(({ revocations }) => revocations);
    return told.filter(({ subject }) => subject.value === sessionId).map(({ reason }) => reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await failure(this.#reading);
  }
}

it.each(TRANSPORTS)(
  'WatchRevocations over %s: a snapshot, what is new within a second, then on by cursor',
  async (transport) => {
    const { email } = await identity.newUser();
    const [before, during, after] = [
      await identity.signIn(email),
      await identity.signIn(email),
      await identity.signIn(email),
    ];
    const client = identityRpcs(identity.two.transport(transport));
    await rpcs.sessions.revokeSession({ id: before.sessionId });
    let cursor: string | undefined;
    {
      await using watch = new Watch(client);
      await watch.caughtUp();
      expect(watch.reasons(before.sessionId)).toEqual(['revoked']);
      expect(watch.seen[0]?.snapshot).toBe(true);
      await rpcs.auth.signOut({ accessToken: during.accessToken });
      await vi.waitFor(() => expect(watch.reasons(during.sessionId)).toEqual(['signed_out']), PROMISED_MS);
      cursor = watch.seen.at(-1)?.cursor;
    }
    await rpcs.sessions.revokeSession({ id: after.sessionId });
    await using watch = new Watch(client, cursor);
    await watch.caughtUp();
    expect(watch.reasons(after.sessionId)).toEqual(['revoked']);
    expect(watch.seen.some(({ snapshot }) => snapshot)).toBe(false);
    const bad = client.tokens.watchRevocations({ cursor: 'x' })[Symbol.asyncIterator]().next();
    expect(fieldsOf(await failure(bad))).toEqual(['cursor']);
  },
);

/** A backend's verifier, at the replica that the changes are not made at. */
async function freshVerifier(): Promise<TokenVerifier> {
  const { grpcAddress: address } = identity.two;
  const verifier = createTokenVerifier({ address, issuer: ISSUER, audience: 'optix' });
  await vi.waitFor(() => expect(verifier.state.fresh).toBe(true), { timeout: 5000 });
  return verifier;
}

/** Takes the token before the change, and refuses it in time once the change is acknowledged; says why. */
async function refusal(
  verifier: TokenVerifier,
  token: string,
  change: () => Promise<unknown>,
): Promise<string> {
  expect(await verifier.verify(token)).toMatchObject({ checkedBy: 'revocation_stream' });
  await change();
  return await vi.waitFor(
    async () => {
      const outcome: unknown = await verifier.verify(token).catch((refused: unknown) => refused);
      expect(outcome).toMatchObject({ name: 'TokenRevoked' });
      return (outcome as { readonly reason: string }).reason;
    },
    { timeout: PROMISED_MS, interval: 10 },
  );
}

it('a verifier refuses what was revoked within a second: a session, one token, a key', async () => {
  using verifier = await freshVerifier();
  const { email } = await identity.newUser();
  const [first, second, third] = [
    await identity.signIn(email),
    await identity.signIn(email),
    await identity.signIn(email),
  ];
  const revoke = () => rpcs.sessions.revokeSession({ id: first.sessionId });
  expect(await refusal(verifier, first.accessToken, revoke)).toBe('revoked');
  const takeBack = () => rpcs.tokens.revokeToken({ token: second.accessToken });
  expect(await refusal(verifier, second.accessToken, takeBack)).toBe('revoked');
  const { keys } = await rpcs.signingKeys.listSigningKeys({});
  const kid = keys.find(({ activateTime }) => activateTime !== undefined)?.kid ?? '';
  await refusal(verifier, third.accessToken, () => rpcs.signingKeys.revokeSigningKey({ kid }));
  expect(await identity.isActive(third.accessToken)).toEqual([false, false]);
  // The session goes on, and what the new key signs is good.
  const next = await rpcs.tokens.refreshToken({ refreshToken: third.refreshToken });
  await vi.waitFor(async () => await verifier.verify(next.accessToken), { timeout: 10_000 });
});

it('a change of roles takes back the access tokens of the older generation, and the session goes on', async () => {
  using verifier = await freshVerifier();
  const { email, id } = await identity.newUser();
  const session = await identity.signIn(email);
  const change = () => rpcs.users.updateUserRoles({ id, roles: ['premium'] });
  expect(await refusal(verifier, session.accessToken, change)).toBe('roles_changed');
  expect(await identity.isActive(session.accessToken)).toEqual([false, false]);

  const { accessToken, refreshToken } = await rpcs.tokens.refreshToken(session);
  expect(await verifier.verify(accessToken)).toMatchObject({ userId: id, roles: ['premium'] });
  const generation = (token: string) => Number(decodeJwt(token)['gen']);
  expect(generation(accessToken)).toBe(generation(session.accessToken) + 1);

  await refusal(verifier, accessToken, () => rpcs.users.suspendUser({ id }));
  await rpcs.users.reactivateUser({ id });
  await identity.expectEnded({ ...session, accessToken, refreshToken }, 'user_suspended');
});

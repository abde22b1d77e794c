import { randomUUID } from 'node:crypto';
import { expect, vi } from 'vitest';
import { failure, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const PASSWORD = 'correct horse battery staple';

/** A session that was opened, by its newest tokens. */
export interface OpenSession {
  readonly sessionId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Two replicas of identity on the same stores: what one acknowledges holds for the other. */
export class IdentityReplicas implements AsyncDisposable {
  readonly one: TestService;
  readonly two: TestService;
  /** Of the first replica. */
  readonly rpcs: IdentityRpcs;
  /** Of the second one. */
  readonly others: IdentityRpcs;

  private constructor(one: TestService, two: TestService) {
    this.one = one;
    this.two = two;
    this.rpcs = identityRpcs(one.transport('gRPC'));
    this.others = identityRpcs(two.transport('gRPC'));
  }

  static async start(env: Readonly<Record<string, string>>): Promise<IdentityReplicas> {
    const settings = { RATE_LIMIT_ENABLED: 'false', ...env };
    const replicas = new IdentityReplicas(
      await startTestIdentity(settings),
      await startTestIdentity(settings),
    );
    for (const each of [replicas.one, replicas.two]) {
      const isUp = async () => expect((await each.get('/health/database')).status).toBe(200);
      await vi.waitFor(isUp, { timeout: 10_000 });
    }
    return replicas;
  }

  async newUser(): Promise<{ readonly email: string; readonly id: string }> {
    const email = `${randomUUID()}@example.com`;
    const { user } = await this.rpcs.auth.register({ email, password: PASSWORD });
    return { email, id: user?.id ?? '' };
  }

  /** Signs in on a device of this name. */
  async signIn(email: string, name = 'phone'): Promise<OpenSession> {
    const device = { id: name, name };
    const answer = await this.rpcs.auth.authenticate({ email, password: PASSWORD, device });
    const { accessToken, refreshToken, session } = answer;
    return { accessToken, refreshToken, sessionId: session?.id ?? '' };
  }

  /** What each replica says of an access token. */
  async isActive(token: string): Promise<boolean[]> {
    const calls = [this.rpcs, this.others].map(({ tokens }) => tokens.introspectToken({ token }));
    return (await Promise.all(calls)).map(({ active }) => active);
  }

  /** Nothing of the session is good any more, and it says why; empty for one that ran out. */
  async expectEnded({ accessToken, refreshToken, sessionId }: OpenSession, reason: string): Promise<void> {
    expect(await this.isActive(accessToken)).toEqual([false, false]);
    const refused = await failure(this.others.tokens.refreshToken({ refreshToken }));
    expect(reasonOf(refused)).toBe('INVALID_REFRESH_TOKEN');
    const { session } = await this.others.sessions.getSession({ id: sessionId });
    expect(session).toMatchObject({ active: false, endReason: reason });
  }

  async expectGoingOn({ accessToken, sessionId }: OpenSession): Promise<void> {
    expect(await this.isActive(accessToken)).toEqual([true, true]);
    const { session } = await this.others.sessions.getSession({ id: sessionId });
    expect(session).toMatchObject({ active: true, endReason: '' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.one, this.two].map((each) => each[Symbol.asyncDispose]()));
  }
}

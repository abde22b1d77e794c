import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { calculateJwkThumbprint, type JWTHeaderParameters, SignJWT } from 'jose';
import {
  type Jwk,
  JwkSchema,
  type RevocationSchema,
  TokenService,
  WatchRevocationsResponseSchema,
} from '../../gen/optix/identity/v1/token_service_pb.ts';
import { type RunningGrpcServer, startGrpcServer } from '../../runtime/grpc-server.ts';
import { Health } from '../../runtime/health.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';

export const ISSUER = 'https://identity.example';
export const AUDIENCE = 'optix';

export type Subject = NonNullable<MessageInitShape<typeof RevocationSchema>['subject']>;

interface TestKey {
  readonly algorithm: 'EdDSA' | 'ES256';
  readonly privateKey: KeyObject;
  readonly jwk: Jwk;
}

/** Identity's TokenService as far as verifiers go: keys, revocations and introspection, by the contract, in this process. */
export class TestTokenService implements AsyncDisposable {
  readonly keys: TestKey[] = [];
  readonly #log: MessageInitShape<typeof RevocationSchema>[] = [];
  /** How often what was called. */
  readonly calls = { getJwks: 0, introspectToken: 0, watchRevocations: 0 };
  /** Cursors that streams began with. */
  readonly cursors: string[] = [];
  /** What IntrospectToken answers; null fails it. */
  introspection: { readonly active: boolean; readonly roles: readonly string[] } | null = null;
  /** Streams say nothing while this is set. */
  isSilent = false;
  /** Streams never say that they are caught up while this is set. */
  isBehind = false;
  /** What streams end with next. */
  failure: ConnectError | null = null;
  /** Streams that are open. */
  streams = 0;
  #away: ConnectError | null = null;
  #server: RunningGrpcServer | undefined;

  static async start(): Promise<TestTokenService> {
    const service = new TestTokenService();
    await service.addKey('EdDSA');
    await service.#listen();
    return service;
  }

  get address(): string {
    return `127.0.0.1:${this.#server?.port}`;
  }

  up(): void {
    this.#away = null;
  }

  async #listen(): Promise<void> {
    this.#server = await startGrpcServer({
      address: '127.0.0.1',
      port: 0,
      portEnv: 'TEST_GRPC_PORT',
      services: [this.#table()],
      health: new Health([{ name: TokenService.typeName }], []).grpc,
      maxMessageBytes: 1_048_576,
      keepaliveTimeMs: 60_000,
      keepaliveTimeoutMs: 20_000,
    });
  }

  /** The service goes away: calls fail and streams break off, until it is up again. */
  down(): void {
    this.#away = new ConnectError('the service is away', Code.Unavailable);
  }

  async addKey(algorithm: 'EdDSA' | 'ES256'): Promise<TestKey> {
    const { privateKey } =
      algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
    const kid = await calculateJwkThumbprint(jwk as never, 'sha256');
    const { kty = '', crv = '', x = '', y = '' } = jwk;
    const key = {
      algorithm,
      privateKey,
      jwk: create(JwkSchema, { kty, crv, x, y, kid, alg: algorithm, use: 'sig' }),
    };
    this.keys.unshift(key);
    return key;
  }

  /** A token of the newest key, good unless what is changed makes it bad. */
  async issue(
    change: {
      readonly claims?: Readonly<Record<string, unknown>>;
      readonly header?: Partial<JWTHeaderParameters>;
      readonly key?: TestKey;
    } = {},
  ): Promise<string> {
    const [newest] = this.keys;
    const key = change.key ?? newest;
    if (key === undefined) throw new Error('no key');
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      ...{ iss: ISSUER, aud: AUDIENCE, sub: randomUUID(), sid: randomUUID(), jti: randomUUID() },
      ...{ iat, nbf: iat, exp: iat + 900, roles: ['user'], gen: 1, client_id: 'optix' },
      ...change.claims,
    };
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: key.algorithm, typ: 'at+jwt', kid: key.jwk.kid, ...change.header })
      .sign(key.privateKey);
  }

  revoke(subject: Subject, reason: string, expiresInMs = 3_600_000): void {
    const now = Date.now();
    this.#log.push({
      subject,
      reason,
      revokeTime: timestampFromMs(now),
      expireTime: timestampFromMs(now + expiresInMs),
    });
  }

  #table(): ServiceTable {
    const never = () => {
      throw new ConnectError('not part of this test', Code.Unimplemented);
    };
    return serviceTable(TokenService, {
      ...{ batchIntrospectTokens: never, refreshToken: never, revokeToken: never },
      getJwks: () => {
        this.calls.getJwks += 1;
        if (this.#away !== null) throw this.#away;
        return { keys: this.keys.map(({ jwk }) => jwk) };
      },
      introspectToken: () => {
        this.calls.introspectToken += 1;
        if (this.#away !== null) throw this.#away;
        if (this.introspection === null) throw new ConnectError('no answer', Code.Unavailable);
        const { active, roles } = this.introspection;
        return { active, roles: [...roles] };
      },
      watchRevocations: ({ cursor }, { signal }) => this.#watch(cursor, signal),
    });
  }

  /** As identity does it: what is new at once, and a sign of life now and then. */
  async *#watch(cursor: string, signal: AbortSignal) {
    this.calls.watchRevocations += 1;
    this.cursors.push(cursor);
    this.streams += 1;
    try {
      if (cursor !== '' && !/^\d+$/.test(cursor)) throw new ConnectError('cursor', Code.InvalidArgument);
      let sent = Number(cursor);
      let snapshot = cursor === '';
      let caughtUp = true;
      let heardAt = Number.NEGATIVE_INFINITY;
      while (!signal.aborted) {
        const failure = this.#away ?? this.failure;
        if (failure !== null) throw failure;
        const isDue = this.#log.length > sent || performance.now() - heardAt > 50;
        if (isDue && !this.isSilent) {
          const revocations = this.#log.slice(sent);
          sent = this.#log.length;
          heardAt = performance.now();
          yield create(WatchRevocationsResponseSchema, {
            ...{ revocations, cursor: String(sent), snapshot, caughtUp: caughtUp && !this.isBehind },
            serverTime: timestampFromMs(Date.now()),
          });
          snapshot = false;
          if (!this.isBehind) caughtUp = false;
        }
        await sleep(5);
      }
    } finally {
      this.streams -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.down();
    this.#server?.[Symbol.dispose]();
  }
}

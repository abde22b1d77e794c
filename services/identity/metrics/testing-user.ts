import { randomUUID } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import type { Client as DatabaseClient } from 'pg';
import { CredentialService } from '../../../gen/optix/identity/v1/credential_service_pb.ts';
import { identityClients, type TestService } from '../../../testing/services.ts';
import { hotp, totpStep } from '../domain/totp.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A user of a running service, with a network of its own. */
export class TestUser {
  readonly email = `${randomUUID()}@example.com`;
  readonly password = 'correct horse battery staple';
  readonly device = {
    ...{ id: randomUUID(), fingerprint: randomUUID() },
    ipAddress: `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}::1`,
  };
  readonly #service: TestService;
  readonly #sql: DatabaseClient;
  #secret: Uint8Array | undefined;

  constructor(service: TestService, sql: DatabaseClient) {
    this.#service = service;
    this.#sql = sql;
  }

  get clients() {
    return identityClients(this.#service, 'gRPC');
  }

  async register(): Promise<this> {
    const { email, password, device } = this;
    await this.clients.auth.register({ email, password, device });
    return this;
  }

  async authenticate(password = this.password, options: { readonly signal?: AbortSignal } = {}) {
    const { email, device } = this;
    return await this.clients.auth.authenticate({ email, password, device }, options);
  }

  async complete(challengeToken: string, code: string) {
    const { device } = this;
    const proof = { case: 'totpCode', value: code } as const;
    return await this.clients.auth.completeChallenge({ challengeToken, proof, device });
  }

  async refresh(refreshToken: string) {
    return await this.clients.tokens.refreshToken({ refreshToken, device: this.device });
  }

  async beginStepUp(accessToken: string): Promise<string> {
    const { challenge } = await this.clients.auth.beginStepUp({ accessToken, device: this.device });
    return challenge?.token ?? '';
  }

  async enrolApp(): Promise<void> {
    const { accessToken } = await this.authenticate();
    const credentials = createClient(CredentialService, this.#service.transport('gRPC'));
    const { device } = this;
    const { secret } = await credentials.beginTotpEnrollment({ accessToken, device });
    this.#secret = fromBase32(secret);
    await credentials.confirmTotpEnrollment({ accessToken, device, code: this.#code() });
  }

  /** What the app shows. Steps that were used are said to be long ago, not to wait for the next one. */
  async freshCode(): Promise<string> {
    await this.#sql.query('update user_service.totp_authenticators set last_step = last_step - 10');
    return this.#code();
  }

  /** A code that is none of the app's. */
  wrongCode(): string {
    const right = [-2, -1, 0, 1, 2].map((steps) => this.#code(steps));
    return ['111111', '222222', '333333', '444444', '555555', '666666'].find((c) => !right.includes(c)) ?? '';
  }

  #code(stepsLater = 0): string {
    if (this.#secret === undefined) throw new Error('no authenticator app was enrolled');
    return hotp(this.#secret, totpStep(new Date()) + stepsLater);
  }
}

function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

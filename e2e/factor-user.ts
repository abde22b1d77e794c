import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  AuthenticateResponse,
  Challenge,
  CompleteChallengeRequestSchema,
  CompleteChallengeResponse,
} from '../gen/optix/identity/v1/authentication_service_pb.ts';
import type { BeginTotpEnrollmentResponse } from '../gen/optix/identity/v1/credential_service_pb.ts';
import type { DeviceSchema } from '../gen/optix/identity/v1/session_pb.ts';
import { hotp, totpStep } from '../services/identity/domain/totp.ts';
import { withTestClient } from '../testing/database-admin.ts';
import type { IdentityRpcs } from './identity-rpcs.ts';

export type Proof = NonNullable<MessageInitShape<typeof CompleteChallengeRequestSchema>['proof']>;
type DeviceInit = MessageInitShape<typeof DeviceSchema>;

const PASSWORD = 'correct horse battery staple';
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export const totp = (value: string): Proof => ({ case: 'totpCode', value });
export const recovery = (value: string): Proof => ({ case: 'recoveryCode', value });

/**
 * A user with one device, and with an authenticator app once it is enrolled. Everything goes through the
 * public API but for the time of {@link FactorUser.freshCode}.
 */
export class FactorUser {
  readonly email = `${randomUUID()}@example.com`;
  /** From a network of its own, so that users don't use up each other's limits. */
  readonly device: DeviceInit = {
    ...{ id: randomUUID(), fingerprint: randomUUID(), name: 'phone', userAgent: 'test/1.0' },
    ipAddress: `2001:db8:${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}::1`,
  };
  password = PASSWORD;
  id = '';
  /** The code by which the app was put into force. */
  confirmedWith = '';
  #enrolled: BeginTotpEnrollmentResponse | undefined;
  readonly #rpcs: IdentityRpcs;
  readonly #databaseUrl: string;

  constructor(rpcs: IdentityRpcs, databaseUrl: string) {
    this.#rpcs = rpcs;
    this.#databaseUrl = databaseUrl;
  }

  static async register(rpcs: IdentityRpcs, databaseUrl: string): Promise<FactorUser> {
    const made = new FactorUser(rpcs, databaseUrl);
    const { email, password, device } = made;
    const { user } = await rpcs.auth.register({ email, password, device });
    made.id = user?.id ?? '';
    return made;
  }

  /** Shows the password. */
  async authenticate(more: { device?: DeviceInit; trustToken?: string } = {}): Promise<AuthenticateResponse> {
    const { email, password, device } = this;
    return await this.#rpcs.auth.authenticate({ email, password, device, ...more });
  }

  /** Shows the password, and expects to be asked for more. */
  async challenged(more: { device?: DeviceInit; trustToken?: string } = {}): Promise<Challenge> {
    const { challenge } = await this.authenticate(more);
    if (challenge === undefined) throw new Error('no second factor was asked for');
    return challenge;
  }

  async complete(
    { token }: Pick<Challenge, 'token'>,
    proof: Proof,
    more: { device?: DeviceInit; trustDevice?: boolean } = {},
  ): Promise<CompleteChallengeResponse> {
    const { device } = this;
    return await this.#rpcs.auth.completeChallenge({ challengeToken: token, proof, device, ...more });
  }

  /** Signs in with password and authenticator app. */
  async signIn(more: { trustDevice?: boolean } = {}): Promise<CompleteChallengeResponse> {
    return await this.complete(await this.challenged(), totp(await this.freshCode()), more);
  }

  /** Enrols an authenticator app. @returns the recovery codes of the first one. */
  async enrol(accessToken: string): Promise<string[]> {
    const { device } = this;
    this.#enrolled = await this.#rpcs.credentials.beginTotpEnrollment({ accessToken, device });
    const code = this.code();
    this.confirmedWith = code;
    return (await this.#rpcs.credentials.confirmTotpEnrollment({ accessToken, code, device })).recoveryCodes;
  }

  /** What the app was told. */
  get enrolled(): BeginTotpEnrollmentResponse {
    if (this.#enrolled === undefined) throw new Error('no authenticator app was enrolled');
    return this.#enrolled;
  }

  /** What the app shows, now or so many steps later. */
  code(stepsLater = 0): string {
    return hotp(fromBase32(this.enrolled.secret), totpStep(new Date()) + stepsLater);
  }

  /** What the app shows, of a step that was not used: those that were are said to be long ago, not to wait for the next. */
  async freshCode(): Promise<string> {
    const text = 'update user_service.totp_authenticators set last_step = last_step - 10 where user_id = $1';
    await withTestClient(this.#databaseUrl, (client) => client.query(text, [this.id]));
    return this.code();
  }

  /** A code that is none of the app's. */
  wrongCode(): string {
    const right = [-2, -1, 0, 1, 2].map((steps) => this.code(steps));
    return (
      ['111111', '222222', '333333', '444444', '555555', '666666'].find((code) => !right.includes(code)) ?? ''
    );
  }
}

export function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

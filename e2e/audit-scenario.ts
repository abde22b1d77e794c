import { randomUUID } from 'node:crypto';
import type { CompleteChallengeResponse } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { Severity } from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { TestAuthenticator } from '../services/identity/domain/passkeys/testing-authenticator.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { failure, reasonOf } from '../testing/failure.ts';
import { FactorUser, recovery, totp } from './factor-user.ts';
import type { IdentityRpcs } from './identity-rpcs.ts';
import { mailedToken } from './mailed-token.ts';

const RELYING_PARTY = { rpId: 'example.com', origin: 'https://app.example.com' };
const OTHER_PASSWORD = 'another fine long phrase';
/** Of its beginning and of its confirmation. */
const ENROLMENT = ['totp_enrollment_begun', 'second_factor_added'];

/** What {@link AuditScenario} wants identity's settings to say, beside MAIL_URL. */
export const SCENARIO_SETTINGS = {
  RATE_LIMIT_ENABLED: 'false',
  REFRESH_GRACE_SECONDS: '0',
  WEBAUTHN_RP_ID: RELYING_PARTY.rpId,
  WEBAUTHN_ORIGINS: RELYING_PARTY.origin,
};

/** A call, and the entries of the audit log that each of its transactions makes. */
export interface ScenarioStep {
  readonly rpc: string;
  readonly transactions: readonly (readonly string[])[];
}

/** Everything that can happen to an account, from its registration to its purge. */
export class AuditScenario {
  readonly user: FactorUser;
  /** Calls that were acknowledged. */
  readonly done: ScenarioStep[] = [];
  /** The one that was sent and is not acknowledged. */
  underWay: ScenarioStep | null = null;
  /** Whether a code of the authenticator app was made usable and its use is not acknowledged. */
  isCodeUnused = false;
  readonly #rpcs: IdentityRpcs;
  readonly #mails: string;
  readonly #abandoned = Promise.withResolvers<never>();
  #accessToken = '';
  #recoveryCodes: string[] = [];

  /**
   * @param databaseUrl past the service: by it, codes of the authenticator app can be used more often
   * @param mails directory that the service writes its mails to
   */
  constructor(rpcs: IdentityRpcs, databaseUrl: string, mails: string) {
    this.#rpcs = rpcs;
    this.#mails = mails;
    this.user = new FactorUser(rpcs, databaseUrl);
    this.#abandoned.promise.catch(() => undefined);
  }

  /** Waits for no mail any more: nobody is there to send it. */
  abandon(): void {
    this.#abandoned.reject(new Error('the service is gone'));
  }

  async run(): Promise<void> {
    await this.#register();
    await this.#enrol();
    await this.#trustDevices();
    await this.#usePasskey();
    await this.#endSessions();
    await this.#changePasswords();
    await this.#administer();
  }

  /** @param transactions events of each of its transactions, between spaces */
  async #step<T>(rpc: string, transactions: readonly string[], call: () => Promise<T>): Promise<T> {
    this.underWay = { rpc, transactions: transactions.map((events) => events.split(' ')) };
    const answer = await call();
    this.done.push(this.underWay);
    this.underWay = null;
    return answer;
  }

  async #register(): Promise<void> {
    const { email, password, device } = this.user;
    const { auth, users } = this.#rpcs;
    const { user } = await this.#step('Register', ['user_created'], () =>
      auth.register({ email, password, device }),
    );
    this.user.id = user?.id ?? '';
    const token = await this.#mailed('Verify your e-mail address');
    await this.#step('VerifyEmail', ['email_verified'], () => users.verifyEmail({ token }));
    await this.#step('Authenticate', ['login_failed'], () =>
      refused('INVALID_CREDENTIALS', auth.authenticate({ email, password: 'wrong password', device })),
    );
  }

  async #enrol(): Promise<void> {
    const { user } = this;
    const { accessToken } = await this.#step('Authenticate', ['login_succeeded'], () => user.authenticate());
    this.#recoveryCodes = await this.#step('ConfirmTotpEnrollment', ENROLMENT, () => user.enrol(accessToken));
    const challenge = await this.#challenged();
    const wrong = totp(user.wrongCode());
    await this.#step('CompleteChallenge', ['login_failed'], () =>
      refused('SECOND_FACTOR_REFUSED', user.complete(challenge, wrong)),
    );
    this.#accessToken = (await this.#showCode(challenge, 'login_succeeded')).accessToken;
    await this.#signInWithRecoveryCode();
  }

  #mailed(subject: string): Promise<string> {
    return Promise.race([mailedToken(this.#mails, this.user.email, subject), this.#abandoned.promise]);
  }

  /** Completes a challenge with what the authenticator app shows. */
  async #showCode(
    { token = '' }: { readonly token?: string | undefined },
    event: string,
  ): Promise<CompleteChallengeResponse> {
    const code = totp(await this.user.freshCode());
    this.isCodeUnused = true;
    const answer = await this.#step('CompleteChallenge', [event], () => this.user.complete({ token }, code));
    this.isCodeUnused = false;
    return answer;
  }

  #challenged() {
    return this.#step('Authenticate', ['second_factor_requested'], () => this.user.challenged());
  }

  async #signInWithRecoveryCode(more: { trustDevice?: boolean } = {}): Promise<CompleteChallengeResponse> {
    const challenge = await this.#challenged();
    const code = recovery(this.#recoveryCodes.pop() ?? '');
    const trusted = more.trustDevice === true ? 'device_trusted ' : '';
    return await this.#step('CompleteChallenge', [`recovery_code_used ${trusted}login_succeeded`], () =>
      this.user.complete(challenge, code, more),
    );
  }

  async #trustDevices(): Promise<void> {
    const { user } = this;
    const { id: userId, device } = user;
    const { auth, credentials, devices } = this.#rpcs;
    const { trustToken } = await this.#signInWithRecoveryCode({ trustDevice: true });
    await this.#step('Authenticate', ['login_succeeded'], () => user.authenticate({ trustToken }));
    const begun = await this.#step('BeginStepUp', ['step_up_requested'], () =>
      auth.beginStepUp({ accessToken: this.#accessToken, device }),
    );
    const { accessToken } = await this.#showCode({ token: begun.challenge?.token }, 'step_up_completed');
    this.#accessToken = accessToken;
    const { trustedDevice } = await this.#step('TrustDevice', ['device_trusted'], () =>
      devices.trustDevice({ accessToken, device: { ...device, fingerprint: 'tablet' } }),
    );
    await this.#step('RevokeTrustedDevice', ['device_trust_revoked'], () =>
      devices.revokeTrustedDevice({ userId, id: trustedDevice?.id ?? '' }),
    );
    const made = await this.#step('RegenerateRecoveryCodes', ['recovery_codes_made'], () =>
      credentials.regenerateRecoveryCodes({ accessToken, device }),
    );
    this.#recoveryCodes = made.recoveryCodes;
  }

  async #usePasskey(): Promise<void> {
    const { id, device } = this.user;
    const { auth, credentials } = this.#rpcs;
    const authenticator = new TestAuthenticator({ userId: id as Uuid, ...RELYING_PARTY });
    const accessToken = this.#accessToken;
    const begun = await this.#step('BeginPasskeyRegistration', ['passkey_registration_begun'], () =>
      credentials.beginPasskeyRegistration({ accessToken, device }),
    );
    const response = JSON.stringify(authenticator.register(challengeOf(begun.options)));
    const { registrationToken } = begun;
    const { passkey } = await this.#step('FinishPasskeyRegistration', ['second_factor_added'], () =>
      credentials.finishPasskeyRegistration({ accessToken, registrationToken, response, device }),
    );
    const passkeyId = passkey?.id ?? '';
    await this.#step('UpdatePasskey', ['passkey_renamed'], () =>
      credentials.updatePasskey({ accessToken, passkeyId, name: 'key' }),
    );
    const { challenge } = await auth.beginPasskeyAuthentication({ device });
    const assertion = JSON.stringify(authenticator.assert(challengeOf(challenge?.passkeyOptions ?? '')));
    await this.#step('CompleteChallenge', ['login_succeeded'], () =>
      this.user.complete({ token: challenge?.token ?? '' }, { case: 'passkeyResponse', value: assertion }),
    );
    await this.#step('DeletePasskey', ['second_factor_removed'], () =>
      credentials.deletePasskey({ accessToken, passkeyId, device }),
    );
  }

  async #endSessions(): Promise<void> {
    const { sessions, tokens, auth } = this.#rpcs;
    const reused = await this.#signInWithRecoveryCode();
    await tokens.refreshToken({ refreshToken: reused.refreshToken });
    await this.#step('RefreshToken', ['refresh_token_reused'], () =>
      refused('INVALID_REFRESH_TOKEN', tokens.refreshToken({ refreshToken: reused.refreshToken })),
    );
    const { session } = await this.#signInWithRecoveryCode();
    await this.#step('RevokeSession', ['session_revoked'], () =>
      sessions.revokeSession({ id: session?.id ?? '' }),
    );
    const { accessToken } = await this.#signInWithRecoveryCode({ trustDevice: true });
    await this.#step('SignOut', ['signed_out'], () => auth.signOut({ accessToken }));
  }

  async #changePasswords(): Promise<void> {
    const { user } = this;
    const { id: userId, email, device, password } = user;
    const { credentials } = this.#rpcs;
    await this.#step('ChangePassword', ['password_changed'], () =>
      credentials.changePassword({
        ...{ userId, currentPassword: password, newPassword: OTHER_PASSWORD, device },
      }),
    );
    user.password = OTHER_PASSWORD;
    await this.#signInWithRecoveryCode({ trustDevice: true });
    const token = await this.#step('RequestPasswordReset', ['password_reset_requested'], async () => {
      await credentials.requestPasswordReset({ email, device });
      return await this.#mailed('Reset your password');
    });
    await this.#step('ConfirmPasswordReset', ['password_reset'], () =>
      credentials.confirmPasswordReset({ token, newPassword: password, device }),
    );
    user.password = password;
    const { accessToken } = await this.#signInWithRecoveryCode({ trustDevice: true });
    await this.#step('RemoveTotp', ['second_factor_removed'], () =>
      credentials.removeTotp({ accessToken, device }),
    );
    this.#recoveryCodes = await this.#step('ConfirmTotpEnrollment', ENROLMENT, () => user.enrol(accessToken));
  }

  async #administer(): Promise<void> {
    const { users, credentials, events } = this.#rpcs;
    const { id } = this.user;
    const logged = await this.#step('LogSecurityEvent', ['tests.odd'], () =>
      events.logSecurityEvent({
        ...{ type: 'tests.odd', severity: Severity.HIGH, description: 'Something is odd.', userId: id },
        requestId: randomUUID(),
      }),
    );
    await this.#step('ResolveSecurityEvent', ['security_event_resolved'], () =>
      events.resolveSecurityEvent({ id: logged.event?.id ?? '', resolvedBy: 'ops', note: 'Nothing.' }),
    );
    await this.#step('UpdateUser', ['user_updated'], () => users.updateUser({ user: { id, lastName: 'X' } }));
    await this.#step('UpdateUserRoles', ['user_roles_changed'], () =>
      users.updateUserRoles({ id, roles: ['premium'] }),
    );
    await this.#step('SuspendUser', ['user_suspended'], () => users.suspendUser({ id }));
    await this.#step('ReactivateUser', ['user_reactivated'], () => users.reactivateUser({ id }));
    await this.#signInWithRecoveryCode({ trustDevice: true });
    await this.#step('ResetSecondFactors', ['second_factors_reset'], () =>
      credentials.resetSecondFactors({ userId: id }),
    );
    await this.#step('DeleteUser', ['user_deleted'], () => users.deleteUser({ id }));
    await this.#step('UndeleteUser', ['user_undeleted'], () => users.undeleteUser({ id }));
    await this.#step('DeleteUser', ['user_deleted'], () => users.deleteUser({ id }));
    await this.#step('PurgeUser', ['user_purged'], () => users.purgeUser({ id }));
  }
}

/** The challenge in what a browser is told. */
function challengeOf(options: string): Buffer {
  const { challenge } = JSON.parse(options) as { readonly challenge: string };
  return Buffer.from(challenge, 'base64url');
}

/** Awaits a refusal: the service being gone is none. */
async function refused(reason: string, call: Promise<unknown>): Promise<void> {
  const error = await failure(call);
  if (reasonOf(error) !== reason) throw error;
}

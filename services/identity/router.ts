import { Authorization } from '../../gen/envoy/service/auth/v3/external_auth_pb.ts';
import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { CredentialService } from '../../gen/optix/identity/v1/credential_service_pb.ts';
import { DeviceService } from '../../gen/optix/identity/v1/device_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { MaintenanceService } from '../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { SecurityEventService } from '../../gen/optix/identity/v1/security_event_service_pb.ts';
import { SessionService } from '../../gen/optix/identity/v1/session_service_pb.ts';
import { SigningKeyService } from '../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';
import type { RequestRules } from '../../runtime/validation.ts';
import type { IdentityContext } from './context.ts';
import { authenticate } from './rpc/authentication/authenticate.ts';
import { beginPasskeyAuthentication } from './rpc/authentication/begin-passkey-authentication.ts';
import { beginStepUp } from './rpc/authentication/begin-step-up.ts';
import { completeChallenge } from './rpc/authentication/complete-challenge.ts';
import { register } from './rpc/authentication/register.ts';
import { signOut } from './rpc/authentication/sign-out.ts';
import { beginPasskeyRegistration } from './rpc/credential/begin-passkey-registration.ts';
import { beginTotpEnrollment } from './rpc/credential/begin-totp-enrollment.ts';
import { changePassword } from './rpc/credential/change-password.ts';
import { confirmPasswordReset } from './rpc/credential/confirm-password-reset.ts';
import { confirmTotpEnrollment } from './rpc/credential/confirm-totp-enrollment.ts';
import { deletePasskey } from './rpc/credential/delete-passkey.ts';
import { finishPasskeyRegistration } from './rpc/credential/finish-passkey-registration.ts';
import { listSecondFactors } from './rpc/credential/list-second-factors.ts';
import { regenerateRecoveryCodes } from './rpc/credential/regenerate-recovery-codes.ts';
import { removeTotp } from './rpc/credential/remove-totp.ts';
import { requestPasswordReset } from './rpc/credential/request-password-reset.ts';
import { resetSecondFactors } from './rpc/credential/reset-second-factors.ts';
import { updatePasskey } from './rpc/credential/update-passkey.ts';
import { listTrustedDevices } from './rpc/device/list-trusted-devices.ts';
import { revokeTrustedDevice } from './rpc/device/revoke-trusted-device.ts';
import { trustDevice } from './rpc/device/trust-device.ts';
import { verifyTrustedDevice } from './rpc/device/verify-trusted-device.ts';
import { check } from './rpc/envoy/check.ts';
import { encodeCheckResponse } from './rpc/envoy/check-response.ts';
import { batchGetUsers } from './rpc/identity/batch-get-users.ts';
import { createUser } from './rpc/identity/create-user.ts';
import { deleteUser } from './rpc/identity/delete-user.ts';
import { exportUsers } from './rpc/identity/export-users.ts';
import { getUser } from './rpc/identity/get-user.ts';
import { importUsers } from './rpc/identity/import-users.ts';
import { listUsers } from './rpc/identity/list-users.ts';
import { purgeUser } from './rpc/identity/purge-user.ts';
import { reactivateUser } from './rpc/identity/reactivate-user.ts';
import { sendEmailVerification } from './rpc/identity/send-email-verification.ts';
import { suspendUser } from './rpc/identity/suspend-user.ts';
import { undeleteUser } from './rpc/identity/undelete-user.ts';
import { unlockUser } from './rpc/identity/unlock-user.ts';
import { updateUser } from './rpc/identity/update-user.ts';
import { updateUserRoles } from './rpc/identity/update-user-roles.ts';
import { verifyEmail } from './rpc/identity/verify-email.ts';
import { getMaintenanceStatus } from './rpc/maintenance/get-maintenance-status.ts';
import { runMaintenanceTask } from './rpc/maintenance/run-maintenance-task.ts';
import { securityEventTable } from './rpc/security-event/security-event-table.ts';
import { getSession } from './rpc/session/get-session.ts';
import { listSessions } from './rpc/session/list-sessions.ts';
import { revokeSession } from './rpc/session/revoke-session.ts';
import { revokeUserSessions } from './rpc/session/revoke-user-sessions.ts';
import { listSigningKeys } from './rpc/signing-key/list-signing-keys.ts';
import { revokeSigningKey } from './rpc/signing-key/revoke-signing-key.ts';
import { rotateSigningKeys } from './rpc/signing-key/rotate-signing-keys.ts';
import { batchIntrospectTokens, batchIntrospectTokensRules } from './rpc/token/batch-introspect-tokens.ts';
import { getJwks } from './rpc/token/get-jwks.ts';
import { introspectToken } from './rpc/token/introspect-token.ts';
import {
  encodeBatchIntrospectTokensResponse,
  encodeIntrospectTokenResponse,
} from './rpc/token/introspection-response.ts';
import { refreshToken } from './rpc/token/refresh-token.ts';
import { revokeToken } from './rpc/token/revoke-token.ts';
import { watchRevocations } from './rpc/token/watch-revocations.ts';

/** The services that this port offers, for health. */
export const SERVICES = [
  IdentityService,
  AuthenticationService,
  CredentialService,
  DeviceService,
  SessionService,
  TokenService,
  SigningKeyService,
  SecurityEventService,
  MaintenanceService,
  Authorization,
];

/** Bounds of request messages that are checked before the handler; the others' handlers read field by field. */
export const rules: readonly RequestRules[] = [batchIntrospectTokensRules];

/** Every RPC of the service and its handler. */
export function serviceTables(context: IdentityContext): readonly ServiceTable[] {
  return [
    identityTable(context),
    serviceTable(AuthenticationService, {
      register: register(context),
      authenticate: authenticate(context),
      completeChallenge: completeChallenge(context),
      beginPasskeyAuthentication: beginPasskeyAuthentication(context),
      beginStepUp: beginStepUp(context),
      signOut: signOut(context),
    }),
    serviceTable(CredentialService, {
      changePassword: changePassword(context),
      requestPasswordReset: requestPasswordReset(context),
      confirmPasswordReset: confirmPasswordReset(context),
      listSecondFactors: listSecondFactors(context),
      beginTotpEnrollment: beginTotpEnrollment(context),
      confirmTotpEnrollment: confirmTotpEnrollment(context),
      removeTotp: removeTotp(context),
      beginPasskeyRegistration: beginPasskeyRegistration(context),
      finishPasskeyRegistration: finishPasskeyRegistration(context),
      updatePasskey: updatePasskey(context),
      deletePasskey: deletePasskey(context),
      regenerateRecoveryCodes: regenerateRecoveryCodes(context),
      resetSecondFactors: resetSecondFactors(context),
    }),
    serviceTable(DeviceService, {
      trustDevice: trustDevice(context),
      verifyTrustedDevice: verifyTrustedDevice(context),
      listTrustedDevices: listTrustedDevices(context),
      revokeTrustedDevice: revokeTrustedDevice(context),
    }),
    serviceTable(SessionService, {
      getSession: getSession(context),
      listSessions: listSessions(context),
      revokeSession: revokeSession(context),
      revokeUserSessions: revokeUserSessions(context),
    }),
    serviceTable(
      TokenService,
      {
        introspectToken: introspectToken(context),
        batchIntrospectTokens: batchIntrospectTokens(context),
        refreshToken: refreshToken(context),
        revokeToken: revokeToken(context),
        watchRevocations: watchRevocations(context),
        getJwks: getJwks(context),
      },
      {
        introspectToken: encodeIntrospectTokenResponse,
        batchIntrospectTokens: encodeBatchIntrospectTokensResponse,
      },
    ),
    serviceTable(SigningKeyService, {
      listSigningKeys: listSigningKeys(context),
      rotateSigningKeys: rotateSigningKeys(context),
      revokeSigningKey: revokeSigningKey(context),
    }),
    securityEventTable(context),
    serviceTable(MaintenanceService, {
      getMaintenanceStatus: getMaintenanceStatus(context),
      runMaintenanceTask: runMaintenanceTask(context),
    }),
    serviceTable(Authorization, { check: check(context) }, { check: encodeCheckResponse }),
  ];
}

/** What IdentityService's handlers work with. */
export type IdentityServiceContext = Pick<
  IdentityContext,
  'users' | 'directory' | 'pageTokens' | 'userAdmin' | 'verification' | 'requestKeys'
>;

/** IdentityService and its handlers. */
export function identityTable(context: IdentityServiceContext): ServiceTable {
  return serviceTable(IdentityService, {
    createUser: createUser(context),
    getUser: getUser(context),
    batchGetUsers: batchGetUsers(context),
    listUsers: listUsers(context),
    updateUser: updateUser(context),
    deleteUser: deleteUser(context),
    undeleteUser: undeleteUser(context),
    purgeUser: purgeUser(context),
    suspendUser: suspendUser(context),
    reactivateUser: reactivateUser(context),
    unlockUser: unlockUser(context),
    updateUserRoles: updateUserRoles(context),
    sendEmailVerification: sendEmailVerification(context),
    verifyEmail: verifyEmail(context),
    importUsers: importUsers(context),
    exportUsers: exportUsers(context),
  });
}

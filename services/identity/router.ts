import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { CredentialService } from '../../gen/optix/identity/v1/credential_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { SessionService } from '../../gen/optix/identity/v1/session_service_pb.ts';
import { SigningKeyService } from '../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { type ServiceTable, serviceTable } from '../../runtime/service-table.ts';
import type { RequestRules } from '../../runtime/validation.ts';
import type { IdentityContext } from './context.ts';
import { authenticate } from './rpc/authentication/authenticate.ts';
import { register } from './rpc/authentication/register.ts';
import { signOut } from './rpc/authentication/sign-out.ts';
import { changePassword } from './rpc/credential/change-password.ts';
import { confirmPasswordReset } from './rpc/credential/confirm-password-reset.ts';
import { requestPasswordReset } from './rpc/credential/request-password-reset.ts';
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
  SessionService,
  TokenService,
  SigningKeyService,
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
      signOut: signOut(context),
    }),
    serviceTable(CredentialService, {
      changePassword: changePassword(context),
      requestPasswordReset: requestPasswordReset(context),
      confirmPasswordReset: confirmPasswordReset(context),
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

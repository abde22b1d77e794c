import { ANY_CALLER, Policy } from '../../runtime/callers/policy.ts';

const USERS = 'optix.identity.v1.IdentityService';
const AUTHENTICATION = 'optix.identity.v1.AuthenticationService';
const CREDENTIALS = 'optix.identity.v1.CredentialService';
const SESSIONS = 'optix.identity.v1.SessionService';
const TOKENS = 'optix.identity.v1.TokenService';
const SIGNING_KEYS = 'optix.identity.v1.SigningKeyService';
const DEVICES = 'optix.identity.v1.DeviceService';
const EVENTS = 'optix.identity.v1.SecurityEventService';
const MAINTENANCE = 'optix.identity.v1.MaintenanceService';
const ENVOY = 'envoy.service.auth.v3.Authorization';
const CALLERS = 'optix.callers.v1.CallerService';
const OPERATIONS = 'optix.operations.v1.OperationsService';

/** Which RPC needs which scope. */
export const policy = new Policy({
  rpcs: {
    [`${USERS}/GetUser`]: 'users.read',
    [`${USERS}/BatchGetUsers`]: 'users.read',
    [`${USERS}/ListUsers`]: 'users.read',
    [`${USERS}/CreateUser`]: 'users.write',
    [`${USERS}/UpdateUser`]: 'users.write',
    [`${USERS}/SendEmailVerification`]: 'users.write',
    [`${USERS}/VerifyEmail`]: 'users.write',
    [`${USERS}/DeleteUser`]: 'users.admin',
    [`${USERS}/UndeleteUser`]: 'users.admin',
    [`${USERS}/PurgeUser`]: 'users.admin',
    [`${USERS}/SuspendUser`]: 'users.admin',
    [`${USERS}/ReactivateUser`]: 'users.admin',
    [`${USERS}/UnlockUser`]: 'users.admin',
    [`${USERS}/UpdateUserRoles`]: 'users.admin',
    [`${USERS}/ImportUsers`]: 'users.admin',
    [`${USERS}/ExportUsers`]: 'users.admin',

    [`${AUTHENTICATION}/Register`]: 'auth',
    [`${AUTHENTICATION}/Authenticate`]: 'auth',
    [`${AUTHENTICATION}/SignOut`]: 'auth',
    [`${AUTHENTICATION}/CompleteChallenge`]: 'auth',
    [`${AUTHENTICATION}/BeginPasskeyAuthentication`]: 'auth',
    [`${AUTHENTICATION}/BeginStepUp`]: 'auth',
    [`${CREDENTIALS}/ChangePassword`]: 'auth',
    [`${CREDENTIALS}/RequestPasswordReset`]: 'auth',
    [`${CREDENTIALS}/ConfirmPasswordReset`]: 'auth',
    [`${CREDENTIALS}/ListSecondFactors`]: 'users.read',
    [`${CREDENTIALS}/BeginTotpEnrollment`]: 'auth',
    [`${CREDENTIALS}/ConfirmTotpEnrollment`]: 'auth',
    [`${CREDENTIALS}/RemoveTotp`]: 'auth',
    [`${CREDENTIALS}/BeginPasskeyRegistration`]: 'auth',
    [`${CREDENTIALS}/FinishPasskeyRegistration`]: 'auth',
    [`${CREDENTIALS}/UpdatePasskey`]: 'auth',
    [`${CREDENTIALS}/DeletePasskey`]: 'auth',
    [`${CREDENTIALS}/RegenerateRecoveryCodes`]: 'auth',
    [`${CREDENTIALS}/ResetSecondFactors`]: 'users.admin',

    [`${DEVICES}/TrustDevice`]: 'auth',
    [`${DEVICES}/VerifyTrustedDevice`]: 'auth',
    [`${DEVICES}/ListTrustedDevices`]: 'sessions.read',
    [`${DEVICES}/RevokeTrustedDevice`]: 'sessions.write',

    [`${EVENTS}/LogSecurityEvent`]: 'events.write',
    [`${EVENTS}/GetSecurityEvent`]: 'events.read',
    [`${EVENTS}/ListSecurityEvents`]: 'events.read',
    [`${EVENTS}/WatchSecurityEvents`]: 'events.read',
    [`${EVENTS}/GetSecurityEventChainHead`]: 'events.read',
    [`${EVENTS}/ResolveSecurityEvent`]: 'events.admin',
    [`${EVENTS}/VerifySecurityEventChain`]: 'events.admin',

    [`${MAINTENANCE}/GetMaintenanceStatus`]: 'maintenance.admin',
    [`${MAINTENANCE}/RunMaintenanceTask`]: 'maintenance.admin',

    [`${SESSIONS}/GetSession`]: 'sessions.read',
    [`${SESSIONS}/ListSessions`]: 'sessions.read',
    [`${SESSIONS}/RevokeSession`]: 'sessions.write',
    [`${SESSIONS}/RevokeUserSessions`]: 'sessions.write',

    [`${TOKENS}/RefreshToken`]: 'auth',
    [`${TOKENS}/IntrospectToken`]: 'tokens.introspect',
    [`${TOKENS}/BatchIntrospectTokens`]: 'tokens.introspect',
    [`${TOKENS}/WatchRevocations`]: 'tokens.introspect',
    [`${TOKENS}/RevokeToken`]: 'tokens.revoke',
    // Also served over HTTP to everybody.
    [`${TOKENS}/GetJwks`]: ANY_CALLER,

    [`${ENVOY}/Check`]: 'tokens.introspect',
    'GET /forward-auth/nginx': 'tokens.introspect',
    'GET /forward-auth/traefik': 'tokens.introspect',

    [`${SIGNING_KEYS}/ListSigningKeys`]: 'keys.admin',
    [`${SIGNING_KEYS}/RotateSigningKeys`]: 'keys.admin',
    [`${SIGNING_KEYS}/RevokeSigningKey`]: 'keys.admin',

    'GET /metrics': 'metrics.read',

    [`${OPERATIONS}/GetLogSettings`]: 'operations.admin',
    [`${OPERATIONS}/UpdateLogSettings`]: 'operations.admin',

    [`${CALLERS}/CreateCallerKey`]: 'callers.admin',
    [`${CALLERS}/ListCallerKeys`]: 'callers.admin',
    [`${CALLERS}/RotateCallerKey`]: 'callers.admin',
    [`${CALLERS}/RevokeCallerKey`]: 'callers.admin',
  },
  defaultScopes: [
    'users.read',
    'users.write',
    'auth',
    'sessions.read',
    'sessions.write',
    'tokens.introspect',
    'tokens.revoke',
    'events.write',
  ],
});

import { createClient, type Transport } from '@connectrpc/connect';
import { CallerService } from '../gen/optix/callers/v1/caller_service_pb.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { CredentialService } from '../gen/optix/identity/v1/credential_service_pb.ts';
import { DeviceService } from '../gen/optix/identity/v1/device_service_pb.ts';
import { IdentityService } from '../gen/optix/identity/v1/identity_service_pb.ts';
import { MaintenanceService } from '../gen/optix/identity/v1/maintenance_service_pb.ts';
import { SecurityEventService } from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { SessionService } from '../gen/optix/identity/v1/session_service_pb.ts';
import { SigningKeyService } from '../gen/optix/identity/v1/signing_key_service_pb.ts';
import { TokenService } from '../gen/optix/identity/v1/token_service_pb.ts';

/** Clients of everything that identity serves, over one transport. */
export function identityRpcs(transport: Transport) {
  return {
    users: createClient(IdentityService, transport),
    auth: createClient(AuthenticationService, transport),
    credentials: createClient(CredentialService, transport),
    devices: createClient(DeviceService, transport),
    sessions: createClient(SessionService, transport),
    tokens: createClient(TokenService, transport),
    signingKeys: createClient(SigningKeyService, transport),
    events: createClient(SecurityEventService, transport),
    maintenance: createClient(MaintenanceService, transport),
    callers: createClient(CallerService, transport),
  };
}
export type IdentityRpcs = ReturnType<typeof identityRpcs>;

import { type Client, createClient } from '@connectrpc/connect';
import { AuthenticationService } from '../../gen/optix/identity/v1/authentication_service_pb.ts';
import { CredentialService } from '../../gen/optix/identity/v1/credential_service_pb.ts';
import { DeviceService } from '../../gen/optix/identity/v1/device_service_pb.ts';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { MaintenanceService } from '../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { SecurityEventService } from '../../gen/optix/identity/v1/security_event_service_pb.ts';
import { SessionService } from '../../gen/optix/identity/v1/session_service_pb.ts';
import { SigningKeyService } from '../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { TokenService } from '../../gen/optix/identity/v1/token_service_pb.ts';
import { createGrpcTransport, type GrpcTransportOptions } from '../grpc/grpc-transport.ts';

/** Typed clients of identity's services over one connection. Dispose it to close the connection. */
export interface IdentityClient extends Disposable {
  readonly users: Client<typeof IdentityService>;
  readonly authentication: Client<typeof AuthenticationService>;
  readonly credentials: Client<typeof CredentialService>;
  readonly sessions: Client<typeof SessionService>;
  readonly devices: Client<typeof DeviceService>;
  readonly tokens: Client<typeof TokenService>;
  readonly signingKeys: Client<typeof SigningKeyService>;
  readonly securityEvents: Client<typeof SecurityEventService>;
  readonly maintenance: Client<typeof MaintenanceService>;
}

/**
 * Connects to identity over gRPC. The connection is made with the first call and made again whenever it is lost. A call
 * fails with UNAVAILABLE where the connection is refused; where nothing answers at all, it waits until its time-out.
 *
 * @throws TypeError when the API key has a character that a header can't carry
 *
 * @example
 * using identity = createIdentityClient({ address: 'localhost:50051', apiKey });
 * const { user } = await identity.users.getUser({ id });
 */
export function createIdentityClient(options: GrpcTransportOptions): IdentityClient {
  const transport = createGrpcTransport(options);
  return {
    users: createClient(IdentityService, transport),
    authentication: createClient(AuthenticationService, transport),
    credentials: createClient(CredentialService, transport),
    sessions: createClient(SessionService, transport),
    devices: createClient(DeviceService, transport),
    tokens: createClient(TokenService, transport),
    signingKeys: createClient(SigningKeyService, transport),
    securityEvents: createClient(SecurityEventService, transport),
    maintenance: createClient(MaintenanceService, transport),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

import type { Client } from '@connectrpc/connect';
import { IdentityService } from '../../../gen/optix/identity/v1/identity_service_pb.ts';
import { type ConnectionFlags, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS } from '../identity-address.ts';

export type Users = Client<typeof IdentityService>;

/** Asks identity about users. Fails as callService does. */
export async function withUsers<T>(flags: ConnectionFlags, use: (users: Users) => Promise<T>): Promise<T> {
  return await callService(IdentityService, IDENTITY_ADDRESS, flags, use);
}

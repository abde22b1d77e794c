import {
  CallerService,
  CreateCallerKeyRequestSchema,
  ListCallerKeysRequestSchema,
  RevokeCallerKeyRequestSchema,
  RotateCallerKeyRequestSchema,
} from '../../gen/optix/callers/v1/caller_service_pb.ts';
import { type ServiceTable, serviceTable } from '../service-table.ts';
import { type RequestRules, requestRules } from '../validation.ts';
import { CALLER_NAME } from './caller.ts';
import { ManagedKeysOff } from './errors.ts';
import type { ManagedKeys } from './managed-keys.ts';
import type { Policy } from './policy.ts';
import { createCallerKey } from './rpc/create-caller-key.ts';
import { expirationBounds } from './rpc/expiration.ts';
import { readKeyPageToken } from './rpc/key-page-token.ts';
import { listCallerKeys, MAX_PAGE_SIZE } from './rpc/list-caller-keys.ts';
import { revokeCallerKey } from './rpc/revoke-caller-key.ts';
import { MAX_OVERLAP_DAYS, overlapMs, rotateCallerKey } from './rpc/rotate-caller-key.ts';

const MAX_SCOPES = 32;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DAY_MS = 86_400_000;

/** CallerService, the same on every service. @param keys undefined: each RPC is refused */
export function callerServiceTable(keys: ManagedKeys | undefined): ServiceTable {
  const required = (): ManagedKeys => {
    if (keys === undefined) throw new ManagedKeysOff();
    return keys;
  };
  return serviceTable(CallerService, {
    createCallerKey: createCallerKey(required),
    listCallerKeys: listCallerKeys(required),
    rotateCallerKey: rotateCallerKey(required),
    revokeCallerKey: revokeCallerKey(required),
  });
}

/** The bounds of CallerService's requests, by the scopes that a service has. */
export function callerServiceRules(policy: Policy): readonly RequestRules[] {
  return [
    requestRules(CreateCallerKeyRequestSchema, ({ name, scopes, expiration, requestId }, violations) => {
      if (!CALLER_NAME.test(name)) {
        violations.add('name', 'must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit');
      }
      violations.entries('scopes', scopes, MAX_SCOPES);
      for (const [index, scope] of scopes.slice(0, MAX_SCOPES).entries()) {
        if (!policy.knows(scope)) violations.add(`scopes[${index}]`, 'is no scope of this service');
      }
      expirationBounds(expiration, violations);
      if (requestId !== '' && !UUID.test(requestId)) violations.add('request_id', 'must be a UUID');
    }),
    requestRules(ListCallerKeysRequestSchema, ({ pageSize, pageToken }, violations) => {
      if (pageSize < 0 || pageSize > MAX_PAGE_SIZE) {
        violations.add('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for 100`);
      }
      if (readKeyPageToken(pageToken) === undefined) violations.add('page_token', 'is none that was given');
    }),
    requestRules(RotateCallerKeyRequestSchema, ({ id, overlap, expiration, requestId }, violations) => {
      if (!UUID.test(id)) violations.add('id', 'must be a UUID');
      const ms = overlapMs(overlap);
      if (!(ms >= 0 && ms <= MAX_OVERLAP_DAYS * DAY_MS)) {
        violations.add('overlap', `must be from 0 to ${MAX_OVERLAP_DAYS} days`);
      }
      expirationBounds(expiration, violations);
      if (requestId !== '' && !UUID.test(requestId)) violations.add('request_id', 'must be a UUID');
    }),
    requestRules(RevokeCallerKeyRequestSchema, ({ id }, violations) => {
      if (!UUID.test(id)) violations.add('id', 'must be a UUID');
    }),
  ];
}

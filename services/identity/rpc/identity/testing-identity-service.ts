import { type Client, createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect';
import { pino } from 'pino';
import { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { AccessControl } from '../../../../runtime/callers/access-control.ts';
import { Pipeline } from '../../../../runtime/pipeline.ts';
import type { ServiceTable } from '../../../../runtime/service-table.ts';
import { PageTokens } from '../../domain/users/page-tokens.ts';
import { ERROR_DOMAIN, toRpcError } from '../../errors.ts';
import { policy } from '../../policy.ts';
import { identityTable } from '../../router.ts';
import type { TestOrm } from '../../storage/testing-orm.ts';
import { TestUsers } from '../../storage/users/testing-users.ts';
import { StoredUserDirectory } from '../../storage/users/user-directory.ts';
import { requestKeysFrom } from '../request-key.ts';

/** IdentityService's handlers on a real database, behind the pipeline, for a caller with these scopes. */
export function testIdentityTable(db: TestOrm, scopes: readonly string[] = [...policy.scopes]): ServiceTable {
  const userAdmin = new TestUsers(db);
  const context = {
    userAdmin,
    users: userAdmin.identity.users,
    verification: userAdmin.identity,
    requestKeys: requestKeysFrom(new Uint8Array(32)),
    pageTokens: new PageTokens([new Uint8Array(32)]),
    directory: new StoredUserDirectory(async () => db.orm.em),
  };
  const caller = { name: 'console', scopes: new Set(scopes), credential: 'api_key' as const };
  const pipeline = new Pipeline({
    domain: ERROR_DOMAIN,
    logger: pino({ level: 'silent' }),
    accessLog: 'off',
    access: new AccessControl({
      domain: ERROR_DOMAIN,
      policy,
      authenticator: { authenticate: () => caller, callersOf: () => undefined },
      adminRpcs: true,
    }),
    rules: [],
    mapError: toRpcError,
  });
  return pipeline.wrap(identityTable(context));
}

/** A client of {@link testIdentityTable} that needs no port. */
export function identityClient(db: TestOrm, scopes?: readonly string[]): Client<typeof IdentityService> {
  const { handlers } = testIdentityTable(db, scopes);
  const implementation = handlers as unknown as ServiceImpl<typeof IdentityService>;
  return createClient(
    IdentityService,
    createRouterTransport(({ service }) => service(IdentityService, implementation)),
  );
}

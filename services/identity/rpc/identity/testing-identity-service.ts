import { type Client, createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect';
import { pino } from 'pino';
import { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import { AccessControl } from '../../../../runtime/callers/access-control.ts';
import { Pipeline } from '../../../../runtime/pipeline.ts';
import { type ServiceTable, serviceTable } from '../../../../runtime/service-table.ts';
import { PageTokens } from '../../domain/users/page-tokens.ts';
import { ERROR_DOMAIN, toRpcError } from '../../errors.ts';
import { policy } from '../../policy.ts';
import type { TestOrm } from '../../storage/testing-orm.ts';
import { TestUsers } from '../../storage/users/testing-users.ts';
import { StoredUserDirectory } from '../../storage/users/user-directory.ts';
import { requestKeysFrom } from '../request-key.ts';
import { batchGetUsers } from './batch-get-users.ts';
import { createUser } from './create-user.ts';
import { deleteUser } from './delete-user.ts';
import { exportUsers } from './export-users.ts';
import { getUser } from './get-user.ts';
import { importUsers } from './import-users.ts';
import { listUsers } from './list-users.ts';
import { purgeUser } from './purge-user.ts';
import { reactivateUser } from './reactivate-user.ts';
import { suspendUser } from './suspend-user.ts';
import { undeleteUser } from './undelete-user.ts';
import { unlockUser } from './unlock-user.ts';
import { updateUser } from './update-user.ts';
import { updateUserRoles } from './update-user-roles.ts';

/** IdentityService's handlers on a real database, behind the pipeline, for a caller with these scopes. */
export function identityTable(db: TestOrm, scopes: readonly string[] = [...policy.scopes]): ServiceTable {
  const userAdmin = new TestUsers(db);
  const context = {
    userAdmin,
    users: userAdmin.identity.users,
    requestKeys: requestKeysFrom(new Uint8Array(32)),
    pageTokens: new PageTokens([new Uint8Array(32)]),
    directory: new StoredUserDirectory(async () => db.orm.em),
  };
  const handlers: Omit<ServiceImpl<typeof IdentityService>, 'sendEmailVerification' | 'verifyEmail'> = {
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
    importUsers: importUsers(context),
    exportUsers: exportUsers(context),
  };
  const unmounted = () => {
    throw new Error('not mounted here');
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
  const table = serviceTable(IdentityService, {
    ...handlers,
    sendEmailVerification: unmounted,
    verifyEmail: unmounted,
  });
  return pipeline.wrap(table);
}

/** A client of {@link identityTable} that needs no port. */
export function identityClient(db: TestOrm, scopes?: readonly string[]): Client<typeof IdentityService> {
  const { handlers } = identityTable(db, scopes);
  const implementation = handlers as unknown as ServiceImpl<typeof IdentityService>;
  return createClient(
    IdentityService,
    createRouterTransport(({ service }) => service(IdentityService, implementation)),
  );
}

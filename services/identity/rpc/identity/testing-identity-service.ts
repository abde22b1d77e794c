import type { Client } from '@connectrpc/connect';
import { IdentityService } from '../../../../gen/optix/identity/v1/identity_service_pb.ts';
import type { ServiceTable } from '../../../../runtime/service-table.ts';
import { PageTokens } from '../../domain/users/page-tokens.ts';
import { identityTable } from '../../router.ts';
import type { TestOrm } from '../../storage/testing-orm.ts';
import { TestUsers } from '../../storage/users/testing-users.ts';
import { StoredUserDirectory } from '../../storage/users/user-directory.ts';
import { requestKeysFrom } from '../request-key.ts';
import { behindPipeline, testClient } from '../testing-client.ts';

/** IdentityService's handlers on a real database, behind the pipeline, for a caller with these scopes. */
export function testIdentityTable(db: TestOrm, scopes?: readonly string[]): ServiceTable {
  return behindPipeline(tableOn(db), { scopes });
}

/** A client of the same that needs no port. */
export function identityClient(db: TestOrm, scopes?: readonly string[]): Client<typeof IdentityService> {
  return testClient(IdentityService, tableOn(db), { scopes });
}

function tableOn(db: TestOrm): ServiceTable {
  const userAdmin = new TestUsers(db);
  const context = {
    userAdmin,
    users: userAdmin.identity.users,
    verification: userAdmin.identity,
    requestKeys: requestKeysFrom(new Uint8Array(32)),
    pageTokens: new PageTokens([new Uint8Array(32)]),
    directory: new StoredUserDirectory(async () => db.orm.em),
  };
  return identityTable(context);
}

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runOptix } from '../bin/testing-optix.ts';
import { withTestClient } from '../testing/database-admin.ts';
import { type LeastPrivilegeDatabase, startLeastPrivilegeDatabase } from './least-privilege-database.ts';

const to = join(mkdtempSync(join(tmpdir(), 'optix-backups-')), 'backup');
let database: LeastPrivilegeDatabase;
beforeAll(async () => {
  database = await startLeastPrivilegeDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

it("identity's role may back up, the schema's owner restore, and identity's may do no more than before then", async () => {
  const { serviceUrl, ownerUrl } = database;
  await withTestClient(serviceUrl, async (client) => {
    await client.query(
      `insert into user_service.revocations (kind, subject, reason, created_at, expires_at)
         select 'key', n::text, 'x', now(), now() + interval '1 day' from generate_series(1, 5) n`,
    );
  });
  const backup = await runOptix(['backup', '--to', to], { DATABASE_URL: serviceUrl });
  expect([backup.status, backup.stderr]).toEqual([0, '']);

  await withTestClient(ownerUrl, (client) => client.query('drop schema user_service cascade'));
  const restore = ['restore', '--from', to];
  const refused = await runOptix(restore, { DATABASE_URL: serviceUrl });
  expect([refused.status, refused.stderr]).toEqual([
    1,
    expect.stringContaining('give DATABASE_URL the role that owns the schema, as for optix migrate'),
  ]);
  const restored = await runOptix(restore, { DATABASE_URL: ownerUrl });
  expect([restored.status, restored.stderr]).toEqual([0, '']);

  await withTestClient(serviceUrl, async (client) => {
    const { rows } = await client.query(
      `insert into user_service.revocations (kind, subject, reason, created_at, expires_at)
         values ('key', '6', 'x', now(), now()) returning id`,
    );
    expect(rows).toEqual([{ id: '6' }]);
    await expect(client.query('delete from user_service.security_events')).rejects.toMatchObject({
      code: '42501',
    });
  });
});

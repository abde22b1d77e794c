import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { mountOnGrpc } from '../runtime/grpc-mount.ts';
import { testIdentityTable } from '../services/identity/rpc/identity/testing-identity-service.ts';
import { openTestOrm, type TestOrm } from '../services/identity/storage/testing-orm.ts';
import { usersCommand } from './commands/users.ts';
import { UsageError } from './usage.ts';

let db: TestOrm;
const server = new Server();
let address: string;
beforeAll(async () => {
  db = await openTestOrm();
  mountOnGrpc(server, testIdentityTable(db));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `127.0.0.1:${port}`;
});
afterAll(async () => {
  server.forceShutdown();
  await db[Symbol.asyncDispose]();
});
afterEach(() => vi.restoreAllMocks());

/** The lines that a command prints, split into their fields. */
async function optix(...args: string[]): Promise<string[][]> {
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  expect(await usersCommand([...args, '--address', address])).toBe(0);
  const lines = printed.mock.calls.map(([line]) => String(line).split('\t'));
  printed.mockRestore();
  return lines;
}

test('creates, shows, changes and lists users', async () => {
  const [created] = await optix(
    'create',
    '--email',
    'ada@example.com',
    '--first-name',
    'Ada',
    '--roles',
    'trial,user',
  );
  const [id = ''] = created ?? [];
  expect(created).toEqual([id, 'ada@example.com', 'active', 'user,trial', 'Ada', '']);
  expect(await optix('get', '--email', 'ADA@example.com')).toEqual([created]);

  const said = ['--id', id, '--actor', 'op-7', '--reason', 'a test'];
  expect((await optix('suspend', ...said))[0]?.[2]).toBe('suspended');
  expect(await optix('list', '--status', 'suspended,inactive')).toHaveLength(1);
  expect((await optix('reactivate', ...said))[0]?.[2]).toBe('active');
  expect((await optix('roles', ...said, '--roles', 'premium'))[0]?.[3]).toBe('premium');
  await db.rows(`update user_service.users set locked_until = now() + interval '1 hour'`);
  expect((await optix('get', '--id', id))[0]?.[5]).toBe('locked');
  expect((await optix('unlock', ...said))[0]?.[5]).toBe('');
  expect(
    await db.rows(`select 1 from user_service.security_events where metadata->>'actor' = 'op-7'`),
  ).toHaveLength(4);

  for (let index = 0; index < 201; index += 1) await optix('create', '--email', `u${index}@example.com`);
  expect(await optix('list')).toHaveLength(202);
  expect(await optix('list', '--prefix', 'U20', '--order-by', 'email')).toHaveLength(2);
});

test('a refusal is one line, and a wrong command line says what is missing', async () => {
  await expect(optix('get', '--id', 'x')).rejects.toThrow('id must be a UUID');
  for (const args of [[], ['purge'], ['suspend'], ['get'], ['create'], ['list', '--status', 'gone']]) {
    await expect(usersCommand(args)).rejects.toThrow(UsageError);
  }
});

import type { Client } from '@connectrpc/connect';
import { IdentityService } from '../../gen/optix/identity/v1/identity_service_pb.ts';
import { type User, UserStatus } from '../../gen/optix/identity/v1/user_pb.ts';
import { parseFlags, UsageError } from '../usage.ts';
import { CONNECTION_FLAGS, type ConnectionFlags, callService } from './call-service.ts';

type Users = Client<typeof IdentityService>;

const TEXT = { type: 'string' } as const;
const CHANGE = { ...CONNECTION_FLAGS, id: TEXT, actor: TEXT, reason: TEXT } as const;
const STATUSES: ReadonlyMap<string, UserStatus> = new Map([
  ['active', UserStatus.ACTIVE],
  ['inactive', UserStatus.INACTIVE],
  ['suspended', UserStatus.SUSPENDED],
  ['deleted', UserStatus.DELETED],
]);
/** Users a call: a page is shown as soon as it is there. */
const PAGE_SIZE = 200;

const ACTIONS: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  list,
  get,
  create,
  suspend: async (args) => await change('suspend', args, (users, said) => users.suspendUser(said)),
  reactivate: async (args) => await change('reactivate', args, (users, said) => users.reactivateUser(said)),
  unlock: async (args) => await change('unlock', args, (users, said) => users.unlockUser(said)),
  roles: updateRoles,
};

/** `optix users`: looks at and changes the users of a running identity. */
export async function usersCommand([name, ...args]: string[]): Promise<number> {
  const choices = Object.keys(ACTIONS).join(', ');
  if (name === undefined) throw new UsageError(`users: what? One of ${choices}`);
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) throw new UsageError(`users: "${name}" is none of ${choices}`);
  await action(args);
  return 0;
}

async function list(args: string[]): Promise<void> {
  const flags = parseFlags(args, {
    ...CONNECTION_FLAGS,
    prefix: TEXT,
    status: TEXT,
    roles: TEXT,
    'order-by': TEXT,
    deleted: { type: 'boolean' },
  });
  const request = {
    pageSize: PAGE_SIZE,
    orderBy: flags['order-by'] ?? '',
    showDeleted: flags.deleted ?? false,
    filter: {
      prefix: flags.prefix ?? '',
      roles: words(flags.roles),
      statuses: words(flags.status).map(statusOf),
    },
  };
  await withUsers(flags, async (users) => {
    let pageToken = '';
    do {
      const page = await users.listUsers({ ...request, pageToken });
      for (const user of page.users) console.log(userLine(user));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
  });
}

async function get(args: string[]): Promise<void> {
  const flags = parseFlags(args, { ...CONNECTION_FLAGS, id: TEXT, email: TEXT });
  const { id = '', email = '' } = flags;
  if ((id === '') === (email === '')) throw new UsageError('users get: --id or --email must be given');
  show((await withUsers(flags, (users) => users.getUser({ id, email, showDeleted: id !== '' }))).user);
}

async function create(args: string[]): Promise<void> {
  const flags = parseFlags(args, {
    ...CONNECTION_FLAGS,
    email: TEXT,
    'first-name': TEXT,
    'last-name': TEXT,
    phone: TEXT,
    roles: TEXT,
    actor: TEXT,
  });
  const { email, phone = '', actor = '' } = flags;
  if (email === undefined) throw new UsageError('users create: --email must be given');
  const request = {
    email,
    phone,
    actor,
    firstName: flags['first-name'] ?? '',
    lastName: flags['last-name'] ?? '',
    roles: words(flags.roles),
  };
  show((await withUsers(flags, (users) => users.createUser(request))).user);
}

async function updateRoles(args: string[]): Promise<void> {
  const flags = parseFlags(args, { ...CHANGE, roles: TEXT });
  const { id, actor = '', reason = '' } = flags;
  if (id === undefined || flags.roles === undefined) {
    throw new UsageError('users roles: --id and --roles must be given');
  }
  const request = { id, actor, reason, roles: words(flags.roles) };
  show((await withUsers(flags, (users) => users.updateUserRoles(request))).user);
}

async function change(
  name: string,
  args: string[],
  ask: (
    users: Users,
    said: { readonly id: string; readonly actor: string; readonly reason: string },
  ) => Promise<{ readonly user?: User | undefined }>,
): Promise<void> {
  const flags = parseFlags(args, CHANGE);
  const { id, actor = '', reason = '' } = flags;
  if (id === undefined) throw new UsageError(`users ${name}: --id must be given`);
  show((await withUsers(flags, (users) => ask(users, { id, actor, reason }))).user);
}

/** @throws Error with the service's refusal, as one line */
async function withUsers<T>(flags: ConnectionFlags, use: (users: Users) => Promise<T>): Promise<T> {
  return await callService(IdentityService, '127.0.0.1:50051', flags, use);
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((word) => word !== '');
}

function statusOf(text: string): UserStatus {
  const status = STATUSES.get(text);
  if (status === undefined) throw new UsageError(`users list: there is no status "${text}"`);
  return status;
}

function show(user: User | undefined): void {
  if (user !== undefined) console.log(userLine(user));
}

/** One line for one user, its fields between tabs. */
function userLine(user: User): string {
  const { id, email, roles, firstName, lastName } = user;
  const status = STATUSES.entries().find(([, value]) => value === user.status)?.[0] ?? '';
  const name = `${firstName} ${lastName}`.trim();
  const lock = user.lockExpireTime === undefined ? '' : 'locked';
  return [id, email, status, roles.join(','), name, lock].join('\t');
}

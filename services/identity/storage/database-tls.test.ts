import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { postgresAccount } from '../../../stack/postgres-account.ts';
import { type PostgresServer, startPostgres } from '../../../stack/postgres-server.ts';
import { makeAuthority, makeCertificate } from '../../../testing/certificates.ts';
import { createTestDatabase } from '../../../testing/database.ts';
import { withTestClient } from '../../../testing/database-admin.ts';
import { DatabaseProbe } from './database-probe.ts';
import { ormOptions } from './mikro-orm.config.ts';

let directory: string;
let server: PostgresServer;
/** The same at a host that its certificate is not for. */
let misplaced: PostgresServer;
const file = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(inject('temporaryDirectory'), 'database-tls-'));
  chmodSync(directory, 0o711);
  for (const name of ['authority', 'stranger']) makeAuthority(directory, name);
  makeCertificate(directory, 'server', 'authority', { names: ['DNS:localhost'] });
  makeCertificate(directory, 'misplaced', 'authority', { names: ['DNS:db.example'] });
  for (const name of ['app', 'other']) makeCertificate(directory, name, 'authority');
  writeFileSync(
    file('hba.conf'),
    'hostssl all app 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 scram-sha-256\n',
  );
  for (const name of ['authority.crt', 'hba.conf']) handOver(name);
  [server, misplaced] = await Promise.all([start('server'), start('misplaced')]);
  await withTestClient(server.url, (client) => client.query('CREATE ROLE app LOGIN'));
});
afterAll(async () => {
  await Promise.all([server.stop(), misplaced.stop()]);
});

/** A PostgreSQL that shows this certificate. */
async function start(certificate: string): Promise<PostgresServer> {
  for (const suffix of ['crt', 'key']) handOver(`${certificate}.${suffix}`);
  return await startPostgres({
    dataDir: join(directory, `data-${certificate}`),
    settings: {
      fsync: 'off',
      ssl: 'on',
      ssl_cert_file: file(`${certificate}.crt`),
      ssl_key_file: file(`${certificate}.key`),
      ssl_ca_file: file('authority.crt'),
      hba_file: file('hba.conf'),
    },
  });
}

/** Makes a file one that PostgreSQL can read, and others can not: it takes no other key. */
function handOver(name: string): void {
  const account = postgresAccount();
  if (account) chownSync(file(name), account.uid, account.gid);
  chmodSync(file(name), 0o600);
}

/** DATABASE_URL with other parts; paths of files are those of the test's directory. */
function url(
  query: Readonly<Record<string, string>>,
  change: { readonly of?: PostgresServer; readonly user?: string; readonly host?: string } = {},
): string {
  const changed = new URL((change.of ?? server).url);
  changed.hostname = change.host ?? 'localhost';
  if (change.user !== undefined) {
    changed.username = change.user;
    changed.password = '';
  }
  for (const [name, value] of Object.entries(query)) {
    changed.searchParams.set(name, /^ssl(root)?(cert|key)$/.test(name) ? file(value) : value);
  }
  return changed.href;
}

interface Connected {
  readonly user: string;
  readonly ssl: boolean;
}

/** How identity's own connections reach the server. */
async function connected(databaseUrl: string): Promise<Connected> {
  const orm = await MikroORM.init(ormOptions({ databaseUrl, poolSize: 1, maxOverflow: 0 }));
  onTestFinished(async () => await orm.close());
  const sql = 'SELECT current_user::text AS "user", ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
  const [row] = await orm.em.getConnection().execute<Connected[]>(sql);
  return row as Connected;
}

/** What identity's probe, which has a connection of its own, finds; a schema that is not there is one step further. */
async function probed(databaseUrl: string): Promise<string> {
  const orm = await MikroORM.init(ormOptions({ databaseUrl, poolSize: 1, maxOverflow: 0 }));
  onTestFinished(async () => await orm.close());
  using probe = new DatabaseProbe(orm, databaseUrl);
  return await probe.probe(AbortSignal.timeout(5000)).then(() => 'well', String);
}

const VERIFYING = ['prefer', 'require', 'verify-ca', 'verify-full'] as const;
const CA = { sslrootcert: 'authority.crt' };

describe('sslmode in DATABASE_URL', () => {
  it.each([{}, { sslmode: 'disable' }, { sslmode: 'disable', ...CA }])(
    'means cleartext: %j',
    async (query) => {
      expect(await connected(url(query))).toEqual({ user: 'optix', ssl: false });
    },
  );

  it.each(VERIFYING)('%s means TLS with the authority that sslrootcert names', async (sslmode) => {
    const databaseUrl = url({ sslmode, ...CA });
    expect(await connected(databaseUrl)).toEqual({ user: 'optix', ssl: true });
    expect(await probed(databaseUrl)).toMatch(/migrations are pending/);
  });

  it('need not be there beside sslrootcert', async () => {
    expect(await connected(url(CA))).toMatchObject({ ssl: true });
  });

  it.each(VERIFYING)('%s refuses a server of another authority', async (sslmode) => {
    for (const query of [{ sslmode }, { sslmode, sslrootcert: 'stranger.crt' }]) {
      await expect(connected(url(query))).rejects.toThrow(/certificate/);
      expect(await probed(url(query))).toMatch(/certificate/);
    }
  });

  it.each(VERIFYING)('%s refuses a server whose certificate is for another host', async (sslmode) => {
    const databaseUrl = url({ sslmode, ...CA }, { of: misplaced });
    await expect(connected(databaseUrl)).rejects.toThrow(/Hostname\/IP does not match/);
    expect(await probed(databaseUrl)).toMatch(/Hostname\/IP does not match/);
  });

  // pg 8.23.0, which MikroORM would bring, compares with `localhost` there.
  it.each(VERIFYING)(
    '%s refuses a server at an IP address that its certificate does not name',
    async (sslmode) => {
      const databaseUrl = url({ sslmode, ...CA }, { host: '127.0.0.1' });
      await expect(connected(databaseUrl)).rejects.toThrow(/Hostname\/IP does not match/);
      expect(await probed(databaseUrl)).toMatch(/Hostname\/IP does not match/);
    },
  );

  it.each(VERIFYING)('%s never falls back to cleartext', async (sslmode) => {
    await using database = await createTestDatabase({ migrated: false });
    const cleartextOnly = `${database.url}?sslmode=${sslmode}`;
    await expect(connected(cleartextOnly)).rejects.toThrow('The server does not support SSL connections');
    expect(await probed(cleartextOnly)).toMatch(/The server does not support SSL connections/);
  });

  it.each([{ sslmode: 'no-verify' }, { uselibpqcompat: 'true', sslmode: 'require' }])(
    'encrypts and verifies nothing: %j',
    async (query) => {
      expect(await connected(url(query, { of: misplaced }))).toMatchObject({ ssl: true });
    },
  );

  it('verify-ca checks the authority and not the host, as libpq has it, with uselibpqcompat', async () => {
    const query = { uselibpqcompat: 'true', sslmode: 'verify-ca' };
    expect(await connected(url({ ...query, ...CA }, { of: misplaced }))).toMatchObject({ ssl: true });
    await expect(connected(url({ ...query, sslrootcert: 'stranger.crt' }))).rejects.toThrow(/certificate/);
  });
});

describe('a client certificate in DATABASE_URL', () => {
  const TLS = { sslmode: 'verify-full', ...CA };

  it('logs in the role that its common name says, without a password', async () => {
    const databaseUrl = url({ ...TLS, sslcert: 'app.crt', sslkey: 'app.key' }, { user: 'app' });
    expect(await connected(databaseUrl)).toEqual({ user: 'app', ssl: true });
  });

  it('logs in no other role, and nobody without one', async () => {
    const other = url({ ...TLS, sslcert: 'other.crt', sslkey: 'other.key' }, { user: 'app' });
    await expect(connected(other)).rejects.toThrow(/certificate authentication failed/);
    await expect(connected(url(TLS, { user: 'app' }))).rejects.toThrow(/valid client certificate/);
  });

  it('is read again for each new connection', async () => {
    makeCertificate(directory, 'renewed', 'authority', { subject: '/CN=other' });
    const databaseUrl = url({ ...TLS, sslcert: 'renewed.crt', sslkey: 'renewed.key' }, { user: 'app' });
    await expect(connected(databaseUrl)).rejects.toThrow();
    makeCertificate(directory, 'renewed', 'authority', { subject: '/CN=app' });
    expect(await connected(databaseUrl)).toMatchObject({ user: 'app' });
  });
});

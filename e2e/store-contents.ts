import { Redis } from 'ioredis';
import { withTestClient } from '../testing/database-admin.ts';
import type { Place } from './secret-search.ts';

/** Every value in every table of a PostgreSQL database, but for PostgreSQL's own. */
export async function postgresContents(url: string): Promise<Place[]> {
  return await withTestClient(url, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'm') and not c.relispartition
         and n.nspname not in ('pg_catalog', 'information_schema')`,
    );
    const places: Place[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<Record<string, unknown>>(`select * from ${name}`);
      for (const row of rows) {
        for (const [column, value] of Object.entries(row)) {
          for (const text of textsOf(value)) places.push({ name: `${name}.${column}`, text });
        }
      }
    }
    return places;
  });
}

/** Every key and value of a Redis database. */
export async function redisContents(url: string): Promise<Place[]> {
  const client = new Redis(url, { protocol: 2 });
  try {
    const places: Place[] = [];
    for (const key of await client.keysBuffer('*')) {
      const type = await client.type(key);
      const name = `a ${type} of Redis`;
      for (const text of [...textsOf(key), ...flatten(await readKey(client, key, type)).flatMap(textsOf)]) {
        places.push({ name, text });
      }
    }
    return places;
  } finally {
    client.disconnect();
  }
}

async function readKey(client: Redis, key: Buffer, type: string): Promise<unknown> {
  switch (type) {
    case 'string':
      return await client.getBuffer(key);
    case 'list':
      return await client.lrangeBuffer(key, 0, -1);
    case 'set':
      return await client.smembersBuffer(key);
    case 'zset':
      return await client.zrangeBuffer(key, '0', '-1');
    case 'hash':
      return [await client.hkeysBuffer(key), await client.hvalsBuffer(key)];
    case 'stream':
      return await client.xrangeBuffer(key, '-', '+');
    default:
      throw new Error(`what a ${type} of Redis holds can't be read here`);
  }
}

function flatten(value: unknown): unknown[] {
  return Array.isArray(value) ? value.flatMap(flatten) : [value];
}

/** Bytes as they are, and as each text that a search may look for. */
function textsOf(value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (Buffer.isBuffer(value)) {
    return [
      value.toString('latin1'),
      value.toString('utf8'),
      value.toString('hex'),
      value.toString('base64'),
    ];
  }
  return [typeof value === 'string' ? value : JSON.stringify(value)];
}

import type { EntityManager } from '@mikro-orm/postgresql';
import type { StoredCallerKey } from '../../../runtime/callers/caller-key.ts';
import { type CallerKeyStore, KEPT_AFTER_END_MS } from '../../../runtime/callers/caller-key-store.ts';
import { CallerKeyChanged, CallerKeyExists, CallerKeyNotFound } from '../../../runtime/callers/errors.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly key_hash: Buffer;
  readonly created_at: TimestampText;
  readonly created_by: string;
  readonly expires_at: TimestampText | null;
  readonly revoked_at: TimestampText | null;
  readonly last_used_at: TimestampText | null;
}

const COLUMNS = 'id, name, scopes, key_hash, created_at, created_by, expires_at, revoked_at, last_used_at';

/** JSON travels as one parameter whatever its length, and PostgreSQL takes it apart. */
const NEW_KEY = `select (k->>'id')::uuid, k->>'name', array(select jsonb_array_elements_text(k->'scopes')),
    decode(k->>'digest', 'hex'), (k->>'createdAt')::timestamptz, k->>'createdBy', (k->>'expiresAt')::timestamptz
  from (select ?::jsonb as k) as made`;
const INSERT = `insert into user_service.caller_keys
    (id, name, scopes, key_hash, created_at, created_by, expires_at)`;

/** Caller keys in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class PostgresCallerKeyStore implements CallerKeyStore {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async version(): Promise<string> {
    const rows = await query<{ version: string | null }>(
      this.#em,
      `select md5(string_agg(concat_ws(',', id, coalesce(expires_at::text, '-'), coalesce(revoked_at::text, '-')),
         ';' order by id)) as version
       from user_service.caller_keys`,
      [],
    );
    return rows[0]?.version ?? '';
  }

  async list(): Promise<readonly StoredCallerKey[]> {
    const rows = await query<Row>(
      this.#em,
      `select ${COLUMNS} from user_service.caller_keys order by created_at, id`,
      [],
    );
    return rows.map(keyOf);
  }

  async insert(key: StoredCallerKey): Promise<void> {
    const made = await query<{ id: string }>(
      this.#em,
      `with forgotten as (
         delete from user_service.caller_keys
         where least(expires_at, revoked_at) < now() - make_interval(secs => ?) and id <> ?
       )
       ${INSERT} ${NEW_KEY} on conflict (id) do nothing returning id`,
      [KEPT_AFTER_END_MS / 1000, key.id, JSON.stringify(key)],
    );
    if (made.length === 0) throw new CallerKeyExists();
  }

  async replace(before: StoredCallerKey, expiresAt: Date, successor: StoredCallerKey): Promise<void> {
    const [outcome] = await query<{ ended: boolean; made: boolean }>(
      this.#em,
      // A successor that is there already must leave the other key as it is.
      `with ended as (
         update user_service.caller_keys set expires_at = ?
         where id = ? and revoked_at is null and expires_at is not distinct from ?
           and not exists (select from user_service.caller_keys where id = ?)
         returning id
       ), made as (
         ${INSERT} ${NEW_KEY} where exists (select from ended) returning id
       )
       select exists (select from ended) as ended, exists (select from user_service.caller_keys where id = ?) as made`,
      [expiresAt, before.id, before.expiresAt, successor.id, JSON.stringify(successor), successor.id],
    );
    if (outcome?.ended === true) return;
    throw outcome?.made === true ? new CallerKeyExists() : new CallerKeyChanged();
  }

  async revoke(id: string, at: Date): Promise<StoredCallerKey> {
    const [row] = await query<Row>(
      this.#em,
      `update user_service.caller_keys set revoked_at = coalesce(revoked_at, ?) where id = ? returning ${COLUMNS}`,
      [at, id],
    );
    if (row === undefined) throw new CallerKeyNotFound();
    return keyOf(row);
  }

  async noteUse(uses: ReadonlyMap<string, Date>): Promise<void> {
    await query(
      this.#em,
      `update user_service.caller_keys as kept set last_used_at = greatest(kept.last_used_at, used.at::timestamptz)
       from jsonb_each_text(?::jsonb) as used (id, at) where kept.id = used.id::uuid returning kept.id`,
      [JSON.stringify(Object.fromEntries(uses))],
    );
  }
}

function keyOf(row: Row): StoredCallerKey {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    digest: row.key_hash.toString('hex'),
    createdAt: toDate(row.created_at),
    createdBy: row.created_by,
    expiresAt: toDateOrNull(row.expires_at),
    revokedAt: toDateOrNull(row.revoked_at),
    lastUsedAt: toDateOrNull(row.last_used_at),
  };
}

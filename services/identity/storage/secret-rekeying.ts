import type { EntityManager } from '@mikro-orm/postgresql';
import { SecretUnreadable } from '../domain/errors.ts';
import type { SecretBox } from '../domain/secret-box.ts';
import { query } from './sql.ts';
import { TOTP_PURPOSE } from './totp-authenticator-repository.ts';

/** How secrets of a table are sealed: `purpose` as those say who read them, and the column with the owner. */
const SEALED = {
  totp_authenticators: {
    secret: 'secret',
    keyId: 'secret_key_id',
    owner: 'user_id',
    purpose: TOTP_PURPOSE,
  },
  signing_keys: {
    secret: 'private_key',
    keyId: 'private_key_key_id',
    owner: 'kid',
    purpose: 'signing-key',
  },
  outgoing_mails: { secret: 'payload', keyId: 'payload_key_id', owner: 'id', purpose: 'mail' },
} as const;

/** Where sealed secrets are. */
export type SealedTable = keyof typeof SEALED;
const TABLES = Object.keys(SEALED) as SealedTable[];

/** A secret that does not open: it stays as it is. */
export interface UnreadableSecret {
  readonly table: SealedTable;
  /** Its row. */
  readonly id: string;
  /** The key that it names. */
  readonly keyId: string;
}

interface SealedRow {
  readonly id: string;
  readonly owner: string;
  readonly key_id: string;
  readonly secret: Buffer;
}

/** Rows that are read at once: opening and sealing them takes a few milliseconds, in which nothing else runs. */
const CHUNK = 100;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const START = { keyId: '', id: NIL_UUID };

/**
 * Seals secrets again that are sealed with another key than today's, while the service runs: what is replaced or in use
 * at that moment is left alone, for another time. Once none remain, the older keys are of no more use. Every process has
 * to know the new key, as an older one, before one of them seals with it.
 */
export class SecretRekeying {
  readonly #em: EntityManager;
  readonly #secretBox: SecretBox;
  readonly #onUnreadable: (secret: UnreadableSecret, error: unknown) => void;
  /** The row of each table that was read last, so that the next call goes on behind those that do not open. */
  readonly #places = new Map<SealedTable, typeof START>();

  constructor(
    em: EntityManager,
    secretBox: SecretBox,
    onUnreadable: (secret: UnreadableSecret, error: unknown) => void,
  ) {
    this.#em = em;
    this.#secretBox = secretBox;
    this.#onUnreadable = onUnreadable;
  }

  /**
   * Seals up to `most` secrets again, each in an instant by itself.
   *
   * @returns how many: fewer than `most` once every row was looked at; the next call begins anew then.
   * @throws DatabaseUnavailable
   */
  async rekey(most: number): Promise<number> {
    let done = 0;
    for (const table of TABLES) {
      while (done < most) {
        const rows = await this.#read(table, Math.min(CHUNK, most - done));
        const last = rows.at(-1);
        if (last === undefined) {
          this.#places.delete(table);
          break;
        }
        done += await this.#reseal(table, rows);
        this.#places.set(table, { keyId: last.key_id, id: last.id });
      }
    }
    return done;
  }

  /** How many secrets of each table are sealed with another key than today's. @throws DatabaseUnavailable */
  async remaining(): Promise<Record<SealedTable, number>> {
    const primary = this.#secretBox.primaryKeyId;
    const counts = TABLES.map((table) => {
      const { keyId } = SEALED[table];
      return `(select count(*)::int from user_service.${table} where ${keyId} < ? or ${keyId} > ?) as ${table}`;
    });
    const [row] = await query<Record<SealedTable, number>>(
      this.#em,
      `select ${counts.join(', ')}`,
      TABLES.flatMap(() => [primary, primary]),
    );
    if (row === undefined) throw new Error('counts without a row');
    return row;
  }

  /** Two ranges around today's key, not `<>`: an index on key and id then finds the few among many. */
  async #read(table: SealedTable, limit: number): Promise<SealedRow[]> {
    const { secret, keyId, owner } = SEALED[table];
    const { keyId: afterKey, id: afterId } = this.#places.get(table) ?? START;
    const range = (comparison: '<' | '>') =>
      `(select id, ${owner}::text as owner, ${keyId} as key_id, ${secret} as secret from user_service.${table}
        where ${keyId} ${comparison} ? and (${keyId}, id) > (?, ?) order by ${keyId}, id limit ${limit})`;
    const values = [this.#secretBox.primaryKeyId, afterKey, afterId];
    return await query<SealedRow>(
      this.#em,
      `${range('<')} union all ${range('>')} order by key_id, id limit ${limit}`,
      [...values, ...values],
    );
  }

  async #reseal(table: SealedTable, rows: readonly SealedRow[]): Promise<number> {
    const { secret, keyId } = SEALED[table];
    const sealed = rows.flatMap((row) => this.#sealedAnew(table, row));
    if (sealed.length === 0) return 0;
    // Rows that somebody holds are left out: waiting for one would make the others wait for this statement.
    const written = await query(
      this.#em,
      `with same as materialized (
         select t.id, n.after from jsonb_to_recordset(?::jsonb) as n (id uuid, before text, after text)
         join user_service.${table} t on t.id = n.id and t.${secret} = decode(n.before, 'base64')
         for no key update of t skip locked)
       update user_service.${table} t set ${secret} = decode(same.after, 'base64'), ${keyId} = ?
       from same where t.id = same.id returning t.id`,
      [JSON.stringify(sealed), this.#secretBox.primaryKeyId],
    );
    return written.length;
  }

  /** The secret under today's key, with what it replaces; nothing where it does not open. */
  #sealedAnew(
    table: SealedTable,
    row: SealedRow,
  ): { readonly id: string; readonly before: string; readonly after: string }[] {
    const context = { purpose: SEALED[table].purpose, owner: row.owner };
    try {
      const secret = this.#secretBox.open({ keyId: row.key_id, ciphertext: row.secret }, context);
      const { ciphertext } = this.#secretBox.seal(secret, context);
      return [
        {
          id: row.id,
          before: row.secret.toString('base64'),
          after: Buffer.from(ciphertext).toString('base64'),
        },
      ];
    } catch (error) {
      if (!(error instanceof SecretUnreadable)) throw error;
      this.#onUnreadable({ table, id: row.id, keyId: row.key_id }, error);
      return [];
    }
  }
}

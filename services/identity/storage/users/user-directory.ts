import { type EntityManager, IsolationLevel } from '@mikro-orm/postgresql';
import { TooManyExports } from '../../domain/errors.ts';
import type { User } from '../../domain/user.ts';
import type {
  UserDirectory,
  UserFilter,
  UserListing,
  UserOrder,
  UserPage,
  UserPlace,
} from '../../domain/users/user-directory.ts';
import type { Uuid } from '../../domain/uuid.ts';
import { withDatabaseErrors } from '../database-errors.ts';
import { query } from '../sql.ts';
import { toUser, USER_COLUMNS, type UserColumns } from '../user-columns.ts';
import { userFilterSql } from './user-filter-sql.ts';

/** What a list is ordered by, as its index has it, and its type. */
const ORDERS: Readonly<Record<UserOrder, { readonly expression: string; readonly type: string }>> = {
  create_time: { expression: 'created_at', type: 'timestamptz' },
  email: { expression: 'email_normalized collate "C"', type: 'text' },
  last_name: { expression: 'lower(last_name) collate "C"', type: 'text' },
};

/** Below every UUID that is given out. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000' as Uuid;

/** How long a stream's consumer may take for one batch. Longer, and what it holds keeps the database from tidying up. */
const CONSUMER_TIMEOUT = '10min';

/** Users by filter, in PostgreSQL: by keyset, so that the last page costs what the first one does. */
export class StoredUserDirectory implements UserDirectory {
  readonly #reader: () => Promise<EntityManager>;
  readonly #maxStreams: number;
  #streams = 0;

  /**
   * @param reader gives the database to read from: one that has everything that was committed before it was asked for
   * @param maxStreams streams at a time: each holds a connection for as long as its consumer takes
   */
  constructor(reader: () => Promise<EntityManager>, maxStreams = 4) {
    this.#reader = reader;
    this.#maxStreams = maxStreams;
  }

  async list(listing: UserListing, after: UserPlace | null, limit: number): Promise<UserPage> {
    const { expression, type } = ORDERS[listing.order];
    const filter = userFilterSql(listing.filter);
    const direction = listing.descending ? 'desc' : 'asc';
    const behind =
      after === null
        ? ''
        : ` and (${expression}, id) ${listing.descending ? '<' : '>'} (?::${type}, ?::uuid)`;
    const rows = await query<UserColumns & { order_key: string }>(
      await this.#reader(),
      `select ${USER_COLUMNS}, ${expression} as order_key from user_service.users
       where ${filter.sql}${behind} order by ${expression} ${direction}, id ${direction} limit ?`,
      [...filter.params, ...(after === null ? [] : [after.key, after.id]), limit + 1],
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const hasMore = rows.length > limit && last !== undefined;
    return { users: page.map(toUser), next: hasMore ? { key: last.order_key, id: last.id } : null };
  }

  async *stream(filter: UserFilter, batch: number): AsyncIterable<readonly User[]> {
    if (this.#streams >= this.#maxStreams) throw new TooManyExports(this.#maxStreams);
    this.#streams += 1;
    try {
      yield* this.#snapshot(filter, batch);
    } finally {
      this.#streams -= 1;
    }
  }

  async *#snapshot(filter: UserFilter, batch: number): AsyncIterable<readonly User[]> {
    const em = (await this.#reader()).fork();
    await withDatabaseErrors(() =>
      em.begin({ isolationLevel: IsolationLevel.REPEATABLE_READ, readOnly: true }),
    );
    try {
      await query(em, `set local idle_in_transaction_session_timeout = '${CONSUMER_TIMEOUT}'`, []);
      const { sql, params } = userFilterSql(filter);
      let last = NIL_UUID;
      for (;;) {
        const rows = await query<UserColumns>(
          em,
          `select ${USER_COLUMNS} from user_service.users where ${sql} and id > ? order by id limit ?`,
          [...params, last, batch],
        );
        if (rows.length > 0) yield rows.map(toUser);
        if (rows.length < batch) return;
        last = rows.at(-1)?.id ?? last;
      }
    } finally {
      // Nothing was written; a connection that broke has no transaction any more.
      await withDatabaseErrors(() => em.rollback());
    }
  }
}

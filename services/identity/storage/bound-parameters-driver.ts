import {
  type AnyEntity,
  type Configuration,
  type Dictionary,
  type EntityData,
  isRaw,
  JsonProperty,
  type LoggingOptions,
  NativeQueryBuilder,
  PostgreSqlConnection,
  PostgreSqlDriver,
  type QueryResult,
  type RawQueryFragment,
  raw,
  type Transaction,
  Utils,
} from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';

/**
 * PostgreSQL driver that sends values beside the statement. MikroORM 7 writes them into its text, where the server shows
 * them: in pg_stat_activity, and with each statement that fails in its log, so that a second registration of an address
 * would log the password's hash.
 */
export class BoundParametersDriver extends PostgreSqlDriver {
  protected override readonly connection: PostgreSqlConnection;

  constructor(config: Configuration) {
    super(config);
    this.connection = new BoundParametersConnection(config);
  }
}

class BoundParametersConnection extends PostgreSqlConnection {
  override async execute<
    T extends QueryResult | EntityData<AnyEntity> | EntityData<AnyEntity>[] = EntityData<AnyEntity>[],
  >(
    query: string | NativeQueryBuilder | RawQueryFragment,
    params: readonly unknown[] | Dictionary<unknown> = [],
    method: 'all' | 'get' | 'run' = 'all',
    ctx?: Transaction,
    loggerContext?: LoggingOptions,
  ): Promise<T> {
    await this.ensureConnection();
    const { sql, params: values } = flatten(query, params);
    const bound: unknown[] = [];
    const text = this.#bind(sql, values, bound);
    return this.executeQuery(
      sql,
      async () => {
        const client = (ctx ?? this.getClient()) as ReturnType<typeof this.getClient>;
        return this.transformRawResult<T>(await client.executeQuery(CompiledQuery.raw(text, bound)), method);
      },
      { query: sql, ...loggerContext },
    );
  }

  /** Replaces MikroORM's placeholders: `?` a value, `??` an identifier, `\?` a question mark. */
  #bind(sql: string, values: readonly unknown[], bound: unknown[]): string {
    if (values.length === 0) return sql;
    let next = 0;
    return sql.replace(/\\\?|\?\?|\?/g, (placeholder) => {
      if (placeholder === '\\?') return '?';
      const value = values[next++];
      return placeholder === '??' ? this.platform.quoteIdentifier(String(value)) : this.#place(value, bound);
    });
  }

  /** Numbers, booleans and null stay literals: they carry their type, which an untyped parameter would lack. */
  #place(value: unknown, bound: unknown[]): string {
    const parameter = (encoded: unknown) => `$${bound.push(encoded)}`;
    if (isRaw(value)) return this.#bind(value.sql, value.params, bound);
    if (typeof value === 'string') return parameter(value);
    if (typeof value === 'bigint') return parameter(value.toString());
    if (value instanceof Date) return parameter(value.toISOString());
    if (ArrayBuffer.isView(value)) {
      return parameter(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    }
    if (Utils.isPlainObject(value) || isTaggedJson(value)) return parameter(JSON.stringify(value));
    if (Array.isArray(value)) return value.map((item) => this.#place(item, bound)).join(', ');
    return String(this.platform.quoteValue(value));
  }
}

function flatten(
  query: string | NativeQueryBuilder | RawQueryFragment,
  params: readonly unknown[] | Dictionary<unknown>,
): { readonly sql: string; readonly params: readonly unknown[] } {
  if (query instanceof NativeQueryBuilder) return query.toRaw();
  if (typeof query !== 'string') return query;
  return Array.isArray(params) ? { sql: query, params } : raw<RawQueryFragment>(query, params);
}

/** Arrays that MikroORM has marked as JSON, which otherwise would be read as lists of values. */
function isTaggedJson(value: unknown): boolean {
  return typeof value === 'object' && value !== null && JsonProperty in value;
}

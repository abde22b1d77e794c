/** What statements are counted as: of a bounded number, whatever their texts are. */
export interface StatementFamily {
  /** The verb and the first table, such as `select users`. */
  readonly name: string;
  readonly operation: string;
  /** Undefined: the statement names no table, or none of the schema. */
  readonly table: string | undefined;
}

/** Texts that are remembered, and how long they may be, in characters: some megabytes at most. */
const MAX_REMEMBERED = 1000;
const MAX_REMEMBERED_LENGTH = 4000;

const CHANGES = ['insert', 'update', 'delete', 'merge'];
const VERBS_WITH_TABLE = new Set([...CHANGES, 'select', 'lock', 'truncate', 'analyze']);
const VERBS_ALONE = new Set(
  'begin commit rollback savepoint release set reset show explain listen notify call create alter drop'.split(
    ' ',
  ),
);
/** What stands before a table's name, and the name: with its schema or without, quoted or not. */
const TABLE = /\b(?:from|into|update|join|table|truncate|analyze)\s+(?:only\s+)?(?:"?\w+"?\.)?"?(\w+)"?/gi;
const CHANGED_TABLE =
  /\b(insert|update|delete|merge)\s+(?:(?:into|from)\s+)?(?:only\s+)?(?:"?\w+"?\.)?"?(\w+)"?/gi;

/**
 * Tells statements apart by what they do and to which table, for metrics and spans. It reads texts roughly: one that looks
 * like another inside of a literal is counted wrongly, and never as a family of its own. Remembers texts that it has seen.
 */
export class StatementFamilies {
  readonly #tables: ReadonlySet<string>;
  readonly #families = new Map<string, StatementFamily>();
  readonly #seen = new Map<string, StatementFamily>();

  /** @param tables names of the tables that are told apart, without their schema */
  constructor(tables: Iterable<string>) {
    this.#tables = new Set(tables);
  }

  of(sql: string): StatementFamily {
    const seen = this.#seen.get(sql);
    if (seen !== undefined) return seen;
    const family = this.#read(sql);
    if (sql.length > MAX_REMEMBERED_LENGTH) return family;
    // The driver writes numbers into texts, so there is no end of them; those that come often are soon back.
    if (this.#seen.size >= MAX_REMEMBERED) this.#seen.clear();
    this.#seen.set(sql, family);
    return family;
  }

  #read(sql: string): StatementFamily {
    const verb = /^[\s(]*([a-z]+)/i.exec(sql)?.[1]?.toLowerCase() ?? 'other';
    if (verb === 'start') return this.#family('begin', 'begin');
    if (VERBS_ALONE.has(verb)) return this.#family(verb, verb);
    if (verb === 'with') return this.#readWith(sql);
    if (!VERBS_WITH_TABLE.has(verb)) return this.#family('other', 'other');
    return this.#readTables(verb, verb === 'select' ? fromClause(sql) : sql);
  }

  /** By the change that it ends in, else the first that it makes on its way, else as a read. */
  #readWith(sql: string): StatementFamily {
    const changes = [...sql.matchAll(CHANGED_TABLE)]
      .map(({ 1: verb = '', 2: name = '', index }) => ({
        verb: verb.toLowerCase(),
        table: name.toLowerCase(),
        index,
      }))
      .filter(({ table }) => this.#tables.has(table));
    const change = changes.find(({ index }) => isOutermost(sql, index)) ?? changes[0];
    if (change === undefined) return this.#readTables('select', sql);
    return this.#family(`${change.verb} ${change.table}`, change.verb, change.table);
  }

  #readTables(operation: string, sql: string): StatementFamily {
    let namesAny = false;
    for (const [, name = ''] of sql.matchAll(TABLE)) {
      namesAny = true;
      const table = name.toLowerCase();
      if (this.#tables.has(table)) return this.#family(`${operation} ${table}`, operation, table);
    }
    return this.#family(namesAny ? `${operation} other` : operation, operation);
  }

  /** The same object for the same name. */
  #family(name: string, operation: string, table?: string): StatementFamily {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const family = { name, operation, table };
    this.#families.set(name, family);
    return family;
  }
}

/** A query from its own FROM on: before that there may be whole queries among its columns. */
function fromClause(sql: string): string {
  let depth = 0;
  let own: number | undefined;
  for (const { 0: token, index } of sql.matchAll(/[()]|\b(?:select|from)\b/gi)) {
    if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (token.length > 4) own ??= depth;
    else if (depth === own) return sql.slice(index);
  }
  return sql;
}

/** Whether a place in a text lies within no parentheses. */
function isOutermost(text: string, place: number): boolean {
  let depth = 0;
  for (const [parenthesis] of text.slice(0, place).matchAll(/[()]/g)) depth += parenthesis === '(' ? 1 : -1;
  return depth === 0;
}

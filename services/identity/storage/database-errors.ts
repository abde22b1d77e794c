import { DatabaseUnavailable, EmailAlreadyRegistered } from '../domain/errors.ts';

/** What the database refused that no domain error stands for. Says which rule was broken, and no values of the row. */
export class DatabaseError extends Error {
  /** SQLSTATE (PostgreSQL, appendix A). */
  readonly sqlState: string;
  readonly table: string | undefined;
  readonly constraint: string | undefined;

  constructor(facts: DriverErrorFacts, sqlState: string) {
    const where = [facts.table, facts.constraint].filter((part) => part !== undefined).join('.');
    super(`the database refused a statement: SQLSTATE ${sqlState}${where === '' ? '' : ` at ${where}`}`);
    this.name = 'DatabaseError';
    this.sqlState = sqlState;
    this.table = facts.table;
    this.constraint = facts.constraint;
  }
}

/** What pg puts on its errors. Its message and `detail` may repeat a whole row, secrets included. */
interface DriverErrorFacts {
  readonly code?: string;
  readonly severity?: string;
  readonly table?: string;
  readonly constraint?: string;
}

/** Socket and name resolution errors of Node. ENOENT: the directory of a Unix socket is gone. */
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/**
 * SQLSTATEs of a server that can't serve now: connection exceptions (08), refused logins (28), insufficient resources
 * (53), operator intervention including shutdown and statement time-outs (57), system errors (58); a database that is
 * not there (3D000), a standby (25006), a transaction that idled too long (25P03), a lock that was not had (55P03); and
 * what a second try would mend: a deadlock (40P01), a read that a replica broke off to go on replaying (40001). At READ
 * COMMITTED a primary does not answer 40001.
 */
const UNAVAILABLE_STATE = /^(?:08|28|53|57|58)|^(?:3D000|25006|25P03|40001|40P01|55P03)$/;

/** Errors that pg and its pool tell by their message only. */
const UNAVAILABLE_MESSAGE =
  /^(?:Connection terminated|timeout expired|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed and is not queryable|Query read timeout|Cannot use a pool after calling end|driver has already been destroyed)/;

const EMAIL_CONSTRAINT = 'users_email_normalized_unique';

/**
 * Turns an error of the driver into what the domain knows: DatabaseUnavailable where the database is away or too slow,
 * EmailAlreadyRegistered for its unique index. Other refusals become a DatabaseError without the values that were
 * refused. Errors that are not the database's pass as they are.
 */
export function translateDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const facts = error as DriverErrorFacts;
  const { code } = facts;
  if (typeof code === 'string') {
    if (SOCKET_CODES.has(code)) return new DatabaseUnavailable({ cause: new Error(code) });
    // MikroORM's own errors have codes too; only a server's have a severity beside.
    if (facts.severity !== undefined) {
      const refusal = new DatabaseError(facts, code);
      if (UNAVAILABLE_STATE.test(code)) return new DatabaseUnavailable({ cause: refusal });
      return code === '23505' && facts.constraint === EMAIL_CONSTRAINT
        ? new EmailAlreadyRegistered()
        : refusal;
    }
  }
  if (UNAVAILABLE_MESSAGE.test(error.message)) {
    return new DatabaseUnavailable({ cause: new Error(error.message) });
  }
  return error;
}

/** Runs `work`; what it throws is translated. */
export async function withDatabaseErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

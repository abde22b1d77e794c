/** Why there was no connection: `timeout`: none in time; `refused`: none could be opened; `lost`: it broke while open. */
export type ConnectionErrorReason = 'timeout' | 'refused' | 'lost';

/** What pg and its pool put on their errors. Their messages may repeat values: only fixed ones are compared. */
interface DriverError {
  readonly code?: unknown;
  readonly severity?: unknown;
}

/** The five characters of SQLSTATE (PostgreSQL, appendix A); undefined where the error is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = error as DriverError;
  return typeof code === 'string' && severity !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether the server's answer did not come in time: the client has given up on the connection. */
export function isUnanswered(error: Error): boolean {
  return error.message === 'Query read timeout';
}

/** Whether a statement's failure is the end of its connection. One that breaks by itself says so in an event. */
export function isConnectionLost(error: Error): boolean {
  const { severity } = error as DriverError;
  return isUnanswered(error) || severity === 'FATAL' || severity === 'PANIC';
}

/** Why the pool gave no connection; undefined where it is being closed. */
export function connectFailureReason({ message }: Error): ConnectionErrorReason | undefined {
  if (message.startsWith('Cannot use a pool after calling end')) return undefined;
  return message === 'timeout exceeded when trying to connect' ||
    message === 'Connection terminated due to connection timeout'
    ? 'timeout'
    : 'refused';
}

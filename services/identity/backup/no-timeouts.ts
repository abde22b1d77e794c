/**
 * Whatever the server, the database or the role ends by itself, as pg_dump has it: a backup takes as long as it takes. The last is
 * of PostgreSQL 17 and later.
 */
export const NO_TIMEOUTS = `set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;
  select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'`;

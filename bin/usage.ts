import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

export const USAGE = `Usage: optix <command> [options]

  start               run PostgreSQL, Redis and both services on this machine
    --fresh           delete the data of former runs first
    --data-dir DIR    where the data is kept (also OPTIX_DATA_DIR)
  migrate             bring the database that DATABASE_URL names up to date
  users list          show users (--prefix --status --roles --order-by --deleted)
  users get           show one (--id or --email)
  users create        add one (--email --first-name --last-name --phone --roles --actor)
  users suspend       shut one out (--id --actor --reason)
  users reactivate    let one in again (--id --actor --reason)
  users unlock        end a lockout (--id --actor --reason)
  users roles         replace one's roles (--id --roles A,B --actor --reason)
  sessions            show and end a user's sessions (list, revoke)
  keys                show, rotate and revoke the signing keys (list, rotate, revoke)
  events              read, follow and check the audit log (list, tail, verify, resolve)
  maintenance         see and run what identity does by itself (status, run)
  callers create      make an API key of a running service
    --service NAME    identity or ratelimit, on this machine
    --address H:P     where its gRPC API is, if not there
    --tls, --ca FILE  speak TLS; trust these certificates only
    --cert FILE       show this certificate
    --cert-key FILE   its private key
    --name NAME       the caller that the key stands for
    --scopes A,B      what it may do
    --ttl 90d         when it ends (s, m, h, d); never, if not given
  callers list        show the keys
  callers rotate      make the key that follows another one
    --id ID           the other one
    --overlap 1d      how long that stays good
    --ttl 90d         when the new one ends
  callers revoke      end a key (--id)
  callers hash        print the SHA-256 of a key read from standard input
  simulate LOG        try rules on an access log (--rules --endpoint --map --by --format --fields --reorder
                      --duration --suggest --top --json --svg; simulate --help)
  check ENDPOINT WHO  count one operation, and tell whether it may go on (--cost --role)
  peek ENDPOINT WHO   tell what a check would be answered, and count nothing
  rules               see and change the rules of the limiter (list, show, edit, apply, diff)
  top                 show which keys are limited most (--denied --checked --endpoint --count --watch)
  tail                show decisions as they are made (--endpoint --identifier --denied --sample)
  doctor              look for what is wrong with settings, services, PostgreSQL and Redis
  completion          print a completion script (bash, zsh, fish)
  help                show this

Commands that call a service do so with the API key in OPTIX_API_KEY, and take --address, --tls, --ca, --cert and
--cert-key as callers does. Many have a --help of their own.
Settings are environment variables; a file .env beside package.json is read too.`;

/** The command line can't be understood. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/**
 * Reads a command's flags. There are no positional arguments.
 *
 * @throws UsageError
 */
export function parseFlags<O extends ParseArgsOptionsConfig>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!code.startsWith('ERR_PARSE_ARGS_')) throw error;
    throw new UsageError((error as Error).message);
  }
}

import type { EntityManager } from '@mikro-orm/postgresql';
import type {
  PreferredFactor,
  SecondFactorFlags,
  SecondFactorReads,
  SecondFactorSummary,
} from '../domain/second-factors/second-factors.ts';
import type { Uuid } from '../domain/uuid.ts';
import { PASSKEY_COLUMNS, type PasskeyColumns, toPasskey } from './passkey-columns.ts';
import { query, type TimestampText, toDateOrNull } from './sql.ts';

/** Of an account without passkeys there is one row, whose columns of a passkey are null. */
type FactorColumns = {
  totp_since: TimestampText | null;
  recovery_codes_left: number;
  preferred: PreferredFactor | null;
} & (PasskeyColumns | { readonly [column in keyof PasskeyColumns]: null });

/** Which second factors there are, in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
export class SecondFactorRepository implements SecondFactorFlags, SecondFactorReads {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async find(userId: Uuid): Promise<SecondFactorSummary | null> {
    // One statement, so that all of it is of one moment.
    const rows = await query<FactorColumns>(
      this.#em,
      `select u.totp_since, u.recovery_codes_left, u.preferred, p.* from (
         select id as owner_id, mfa_type as preferred,
           (select confirmed_at from user_service.totp_authenticators t
            where t.user_id = users.id and t.confirmed_at is not null) as totp_since,
           (select count(*)::int from user_service.recovery_codes c
            where c.user_id = users.id and c.used_at is null) as recovery_codes_left
         from user_service.users where id = ? and deleted_at is null
       ) u left join (select ${PASSKEY_COLUMNS} from user_service.passkeys where user_id = ?) p on p.user_id = u.owner_id
       order by p.created_at, p.id`,
      [userId, userId],
    );
    const [first] = rows;
    if (first === undefined) return null;
    return {
      totpSince: toDateOrNull(first.totp_since),
      passkeys: rows.flatMap((row) => (row.id === null ? [] : [toPasskey(row)])),
      recoveryCodesLeft: first.recovery_codes_left,
      preferred: first.preferred,
    };
  }

  async refreshFlags(userId: Uuid, at: Date): Promise<boolean> {
    const [row] = await query<{ mfa_enabled: boolean }>(
      this.#em,
      `update user_service.users
       set mfa_enabled = has.totp or has.passkey,
         mfa_type = case
           when has.passkey and (mfa_type = 'webauthn' or not has.totp) then 'webauthn'
           when has.totp then 'totp' end,
         version = version + 1, updated_at = ?
       from (select
           exists (select from user_service.totp_authenticators
             where user_id = ? and confirmed_at is not null) as totp,
           exists (select from user_service.passkeys where user_id = ?) as passkey) has
       where id = ? returning mfa_enabled`,
      [at, userId, userId, userId],
    );
    return row?.mfa_enabled === true;
  }
}

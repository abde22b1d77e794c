import type { EntityManager } from '@mikro-orm/postgresql';
import type { ExpiredRows } from '../domain/maintenance/expired-rows.ts';
import { query } from './sql.ts';

/** Rows of no more use, in PostgreSQL. */
export class ExpiredRowRepository implements ExpiredRows {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async deleteFamilies(before: Date, most: number): Promise<number> {
    return await this.#delete('refresh_token_families', 'expires_at < ?', before, most);
  }

  async deleteExpiredDevices(before: Date, most: number): Promise<number> {
    return await this.#delete('trusted_devices', 'expires_at < ?', before, most);
  }

  async deleteRevokedDevices(before: Date, most: number): Promise<number> {
    return await this.#delete('trusted_devices', 'revoked_at < ?', before, most);
  }

  async deleteChallenges(before: Date, most: number): Promise<number> {
    return await this.#delete('auth_challenges', 'expires_at < ?', before, most);
  }

  async deletePendingTotp(before: Date, most: number): Promise<number> {
    return await this.#delete('totp_authenticators', 'confirmed_at is null and expires_at < ?', before, most);
  }

  async #delete(table: string, condition: string, before: Date, most: number): Promise<number> {
    const [row] = await query<{ deleted: number }>(
      this.#em,
      `with gone as (
         delete from user_service.${table} where id in (
           select id from user_service.${table} where ${condition} limit ? for update skip locked)
         returning 1)
       select count(*)::int as deleted from gone`,
      [before, most],
    );
    return row?.deleted ?? 0;
  }
}

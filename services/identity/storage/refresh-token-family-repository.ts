import type { EntityManager } from '@mikro-orm/postgresql';
import type { NewRefreshTokenFamily } from '../domain/session.ts';
import type { RefreshTokenFamilies } from '../domain/unit-of-work.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { RefreshTokenFamilyEntity } from './refresh-token-family.entity.ts';

/** Lineages of refresh tokens in PostgreSQL. */
export class RefreshTokenFamilyRepository implements RefreshTokenFamilies {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  /** @throws DatabaseUnavailable */
  async insert(family: NewRefreshTokenFamily): Promise<void> {
    await withDatabaseErrors(() => this.#em.insert(RefreshTokenFamilyEntity, { ...family, generation: 1 }));
  }
}

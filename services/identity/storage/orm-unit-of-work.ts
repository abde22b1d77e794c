import type { EntityManager } from '@mikro-orm/postgresql';
import type { Repositories, UnitOfWork } from '../domain/unit-of-work.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { RefreshTokenFamilyRepository } from './refresh-token-family-repository.ts';
import { SecurityEventRepository } from './security-event-repository.ts';
import { SessionRepository } from './session-repository.ts';
import { UserRepository } from './user-repository.ts';

/** Transactions of PostgreSQL at its default level, READ COMMITTED. */
export class OrmUnitOfWork implements UnitOfWork {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async transactional<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    return await withDatabaseErrors(() =>
      // A fork: entities of one call are never seen by another.
      this.#em.fork().transactional((em) =>
        work({
          users: new UserRepository(em),
          sessions: new SessionRepository(em),
          refreshTokenFamilies: new RefreshTokenFamilyRepository(em),
          securityEvents: new SecurityEventRepository(em),
        }),
      ),
    );
  }
}

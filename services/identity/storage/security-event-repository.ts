import type { EntityManager } from '@mikro-orm/postgresql';
import type { SecurityEvent } from '../domain/security-event.ts';
import type { SecurityEvents } from '../domain/unit-of-work.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { SecurityEventEntity } from './security-event.entity.ts';

/** The audit log in PostgreSQL. */
export class SecurityEventRepository implements SecurityEvents {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  /** @throws DatabaseUnavailable */
  async append({ device, type, ...event }: SecurityEvent): Promise<void> {
    await withDatabaseErrors(() =>
      this.#em.insert(SecurityEventEntity, {
        ...event,
        eventType: type,
        deviceId: device.id,
        deviceFingerprint: device.fingerprint,
        ipAddress: device.ipAddress,
        userAgent: device.userAgent,
      }),
    );
  }
}

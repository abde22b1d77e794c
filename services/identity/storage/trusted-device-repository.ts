import type { EntityManager } from '@mikro-orm/postgresql';
import { type IpAddress, parseIpAddress } from '../domain/ip-address.ts';
import type { NewTrustedDevice, TrustedDevice, TrustedDevices } from '../domain/trusted-devices.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';
import { TrustedDeviceEntity } from './trusted-device.entity.ts';

/** Before every id when read from the newest on: RFC 9562 section 5.10. */
const MAX_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const COLUMNS = `id, user_id, device_id, device_fingerprint, device_name, host(ip_address) as ip_address, created_at,
  last_seen_at, use_count, expires_at, revoked_at, revocation_reason`;

interface DeviceColumns {
  id: Uuid;
  user_id: Uuid;
  device_id: string | null;
  device_fingerprint: string | null;
  device_name: string | null;
  ip_address: string | null;
  created_at: TimestampText;
  last_seen_at: TimestampText;
  use_count: number;
  expires_at: TimestampText;
  revoked_at: TimestampText | null;
  revocation_reason: string | null;
}

/** Trusted devices in PostgreSQL. */
export class TrustedDeviceRepository implements TrustedDevices {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async insert({ fingerprint, name, ...device }: NewTrustedDevice): Promise<void> {
    await withDatabaseErrors(() =>
      this.#em.insert(TrustedDeviceEntity, {
        ...device,
        deviceFingerprint: fingerprint,
        deviceName: name,
        lastSeenAt: device.createdAt,
        useCount: 0,
      }),
    );
  }

  async findByTokenHash(trustTokenHash: Buffer): Promise<TrustedDevice | null> {
    const [row] = await query<DeviceColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.trusted_devices where trust_token_hash = ?`,
      [trustTokenHash],
    );
    return row === undefined ? null : toDevice(row);
  }

  async listByUser(
    userId: Uuid,
    { before, limit }: { readonly before: Uuid | null; readonly limit: number },
  ): Promise<TrustedDevice[]> {
    const rows = await query<DeviceColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.trusted_devices where user_id = ? and id < ? order by id desc limit ?`,
      [userId, before ?? MAX_UUID, limit],
    );
    return rows.map(toDevice);
  }

  async recordUse(use: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly ipAddress: IpAddress | null;
    readonly at: Date;
  }): Promise<boolean> {
    const rows = await query(
      this.#em,
      `update user_service.trusted_devices
       set use_count = use_count + 1, last_seen_at = greatest(last_seen_at, ?), ip_address = ?
       where id = ? and user_id = ? and revoked_at is null and expires_at > ? returning id`,
      [use.at, use.ipAddress, use.id, use.userId, use.at],
    );
    return rows.length === 1;
  }

  async revoke(revocation: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly reason: string;
    readonly at: Date;
  }): Promise<boolean> {
    const rows = await query(
      this.#em,
      `update user_service.trusted_devices set revoked_at = ?, revocation_reason = ?
       where id = ? and user_id = ? and revoked_at is null returning id`,
      [revocation.at, revocation.reason, revocation.id, revocation.userId],
    );
    return rows.length === 1;
  }

  async revokeAllOfUser(revocation: {
    readonly userId: Uuid;
    readonly reason: string;
    readonly at: Date;
  }): Promise<number> {
    const rows = await query(
      this.#em,
      `update user_service.trusted_devices set revoked_at = ?, revocation_reason = ?
       where user_id = ? and revoked_at is null and expires_at > ? returning id`,
      [revocation.at, revocation.reason, revocation.userId, revocation.at],
    );
    return rows.length;
  }
}

function toDevice(row: DeviceColumns): TrustedDevice {
  const address = row.ip_address === null ? null : parseIpAddress(row.ip_address);
  return {
    id: row.id,
    userId: row.user_id,
    deviceId: row.device_id,
    fingerprint: row.device_fingerprint,
    name: row.device_name,
    ipAddress: address?.ok === true ? address.value : null,
    createdAt: toDate(row.created_at),
    lastSeenAt: toDate(row.last_seen_at),
    useCount: row.use_count,
    expiresAt: toDate(row.expires_at),
    revokedAt: toDateOrNull(row.revoked_at),
    revocationReason: row.revocation_reason,
  };
}

import type { EntityManager } from '@mikro-orm/postgresql';
import { type IpAddress, parseIpAddress } from '../domain/ip-address.ts';
import type {
  NewTrustedDevice,
  TrustedDevice,
  TrustedDevicePage,
  TrustedDevices,
  TrustRevocation,
} from '../domain/trusted-devices.ts';
import type { Uuid } from '../domain/uuid.ts';
import { withDatabaseErrors } from './database-errors.ts';
import { query, type TimestampText, toDate, toDateOrNull } from './sql.ts';
import { TrustedDeviceEntity } from './trusted-device.entity.ts';

/** Before every id when read from the newest on: RFC 9562 section 5.10. */
const MAX_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const COLUMNS = `id, user_id, device_id, device_fingerprint, device_name, host(ip_address) as ip_address, created_at,
  last_seen_at, use_count, expires_at, revoked_at, revocation_reason`;

/** Trusted at a time, which is its one value. */
const TRUSTED = 'revoked_at is null and expires_at > ?';

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

/** Trusted devices in PostgreSQL. Every method throws DatabaseUnavailable where the database is away. */
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

  async find({ id, userId }: { readonly id: Uuid; readonly userId: Uuid }): Promise<TrustedDevice | null> {
    return await this.#one(
      `select ${COLUMNS} from user_service.trusted_devices where id = ? and user_id = ?`,
      [id, userId],
    );
  }

  async findByTokenHash(trustTokenHash: Buffer): Promise<TrustedDevice | null> {
    return await this.#one(`select ${COLUMNS} from user_service.trusted_devices where trust_token_hash = ?`, [
      trustTokenHash,
    ]);
  }

  /** Newest first: ids of UUID version 7 are in the order of their making. */
  async listByUser(userId: Uuid, { trustedAt, before, limit }: TrustedDevicePage): Promise<TrustedDevice[]> {
    const rows = await query<DeviceColumns>(
      this.#em,
      `select ${COLUMNS} from user_service.trusted_devices
       where user_id = ? and id < ? ${trustedAt === null ? '' : `and ${TRUSTED}`} order by id desc limit ?`,
      [userId, before ?? MAX_UUID, ...(trustedAt === null ? [] : [trustedAt]), limit],
    );
    return rows.map(toDevice);
  }

  async recordUse(use: {
    readonly id: Uuid;
    readonly userId: Uuid;
    readonly ipAddress: IpAddress | null;
    readonly at: Date;
  }): Promise<TrustedDevice | null> {
    return await this.#one(
      `update user_service.trusted_devices
       set use_count = use_count + 1, last_seen_at = greatest(last_seen_at, ?), ip_address = ?
       where id = ? and user_id = ? and ${TRUSTED} returning ${COLUMNS}`,
      [use.at, use.ipAddress, use.id, use.userId, use.at],
    );
  }

  async revoke({ id, userId, reason, at }: TrustRevocation & { readonly id: Uuid }): Promise<boolean> {
    return (await this.#revoke({ userId, reason, at }, 'and id = ?', [id])) === 1;
  }

  async revokeAllOfUser(revocation: TrustRevocation): Promise<number> {
    return await this.#revoke(revocation);
  }

  async revokeBeyond({ most, ...revocation }: TrustRevocation & { readonly most: number }): Promise<number> {
    const { userId, at } = revocation;
    return await this.#revoke(
      revocation,
      `and id <= (select id from user_service.trusted_devices where user_id = ? and ${TRUSTED}
         order by id desc limit 1 offset ?)`,
      [userId, at, most],
    );
  }

  /** @param condition beside that of being trusted; starts with `and` */
  async #revoke(
    { userId, reason, at }: TrustRevocation,
    condition = '',
    values: unknown[] = [],
  ): Promise<number> {
    const rows = await query(
      this.#em,
      `update user_service.trusted_devices set revoked_at = ?, revocation_reason = ?
       where user_id = ? and ${TRUSTED} ${condition} returning id`,
      [at, reason, userId, at, ...values],
    );
    return rows.length;
  }

  async #one(sql: string, values: readonly unknown[]): Promise<TrustedDevice | null> {
    const [row] = await query<DeviceColumns>(this.#em, sql, values);
    return row === undefined ? null : toDevice(row);
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

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@connectrpc/connect';
import type { Client as PgClient } from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { DeviceService } from '../../../../gen/optix/identity/v1/device_service_pb.ts';
import { serviceTable } from '../../../../runtime/service-table.ts';
import type { Device } from '../../domain/device.ts';
import type { DeviceDeps } from '../../domain/devices/device-deps.ts';
import { trustDevice as trust } from '../../domain/devices/trust.ts';
import { TrustedDevicePolicy } from '../../domain/devices/trusted-device-policy.ts';
import type { TrustedDevice } from '../../domain/trusted-devices.ts';
import type { User } from '../../domain/user.ts';
import { DEVICE, TestIdentity } from '../../storage/testing-identity.ts';
import { type ReceivedMail, TestMailbox } from '../../storage/testing-mailbox.ts';
import type { TestOrm } from '../../storage/testing-orm.ts';
import { TrustedDeviceRepository } from '../../storage/trusted-device-repository.ts';
import { testClient } from '../testing-client.ts';
import { listTrustedDevices } from './list-trusted-devices.ts';
import { revokeTrustedDevice } from './revoke-trusted-device.ts';
import { trustDevice } from './trust-device.ts';
import { verifyTrustedDevice } from './verify-trusted-device.ts';

export const LIFETIME_MS = 30 * 24 * 3_600_000;

/** The device of all tests, as requests name it. */
export const SHOWN = {
  id: DEVICE.id ?? '',
  fingerprint: DEVICE.fingerprint ?? '',
  name: DEVICE.name ?? '',
  ipAddress: DEVICE.ipAddress ?? '',
  userAgent: DEVICE.userAgent ?? '',
};

/** DeviceService's handlers on a real database, behind the pipeline. Users have the role `user`. */
export class TestDevices implements DeviceDeps {
  readonly #db: TestOrm;
  readonly identity: TestIdentity;
  readonly introspection: TestIdentity;
  readonly stepUpMaxAgeMs = 600_000;
  readonly trustedDevices: TrustedDeviceRepository;
  trustedDevicePolicy = new TrustedDevicePolicy({ lifetimeMs: LIFETIME_MS, roles: ['user', 'premium'] });

  constructor(db: TestOrm) {
    this.#db = db;
    this.identity = new TestIdentity(db);
    this.introspection = this.identity;
    this.trustedDevices = new TrustedDeviceRepository(db.orm.em);
  }

  get sessions(): DeviceDeps['sessions'] {
    return this.identity.sessions;
  }

  get credentialReads(): DeviceDeps['credentialReads'] {
    return this.identity.credentials;
  }

  get unitOfWork(): DeviceDeps['unitOfWork'] {
    return this.identity.unitOfWork;
  }

  readonly now = () => this.identity.now();

  /** A client of the handlers, for a caller with every scope. */
  client(): Client<typeof DeviceService> {
    const context = { devices: this };
    const table = serviceTable(DeviceService, {
      trustDevice: trustDevice(context),
      verifyTrustedDevice: verifyTrustedDevice(context),
      listTrustedDevices: listTrustedDevices(context),
      revokeTrustedDevice: revokeTrustedDevice(context),
    });
    return testClient(DeviceService, table);
  }

  newUser(): Promise<User> {
    return this.identity.register(`ada.${uuidV7()}@example.com`);
  }

  /** Trusts a device, as a sign-in with a second factor does. */
  async trusted(
    user: User,
    device: Device = DEVICE,
  ): Promise<{ readonly device: TrustedDevice; readonly token: string }> {
    const { id: userId, roles, email } = user;
    return await this.unitOfWork.transactional(async (repositories) => {
      await repositories.users.hold(userId);
      const sessionId = uuidV7() as TrustedDevice['id'];
      const at = this.now();
      return await trust(repositories, this.trustedDevicePolicy, {
        ...{ userId, roles, email, sessionId, device, at },
      });
    });
  }

  /** The events of a user that are about devices, oldest first. */
  events(user: User): Promise<Record<string, unknown>[]> {
    return this.#db.rows(
      `select * from user_service.security_events where user_id = $1 and event_type like '%device%' order by id`,
      [user.id],
    );
  }

  /** Mails that wait to be sent; they are forgotten. */
  mails(): Promise<ReceivedMail[]> {
    return new TestMailbox(this.#db, this.identity).receive();
  }

  /** A device as it is kept. */
  async row(id: string): Promise<Record<string, unknown>> {
    const [row] = await this.#db.rows('select * from user_service.trusted_devices where id = $1', [id]);
    if (row === undefined) throw new Error('there is no such device');
    return row;
  }
}

/** Fulfilled once somebody waits for a lock in the client's database. */
export async function untilSomebodyWaits(client: PgClient): Promise<void> {
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await client.query(waiting)).rowCount === 0) await sleep(10);
}

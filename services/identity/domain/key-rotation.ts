import { v7 as uuidV7 } from 'uuid';
import type { ChangeOrigin } from './change.ts';
import type { Device } from './device.ts';
import { NextKeyTooNew, SigningKeyNotFound } from './errors.ts';
import { type AnswerCodec, once, type RequestKey } from './idempotency.ts';
import { dueChanges, type KeySchedule } from './key-rotation-plan.ts';
import type { RevocationBarrier } from './revocation.ts';
import type { SecretBox } from './secret-box.ts';
import type { SecurityEvent } from './security-event.ts';
import { generateSigningKey, openSigningKey, type SigningKeyFacts } from './signing-key.ts';
import { inOrder, type SigningKeyReads, type SigningKeyStore } from './signing-key-store.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { Repositories, UnitOfWork } from './unit-of-work.ts';
import type { Uuid } from './uuid.ts';

export interface KeyRotationOptions {
  readonly keys: SigningKeys;
  readonly store: SigningKeyReads;
  readonly unitOfWork: UnitOfWork;
  readonly secretBox: SecretBox;
  readonly barrier: Pick<RevocationBarrier, 'enforce'>;
  readonly schedule: KeySchedule;
  readonly now: () => Date;
}

/** A request to change keys. */
export interface KeyChange {
  readonly origin: ChangeOrigin;
  /** Null where the request has no id. */
  readonly requestKey: RequestKey | null;
}

const NO_DEVICE: Device = { id: null, fingerprint: null, name: null, ipAddress: null, userAgent: null };

/**
 * Replaces signing keys, by schedule and on request. Of several replicas one makes a change: all changes of keys wait for
 * each other, and what is due is looked at again once it is the replica's turn.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
  }

  /**
   * Makes the changes that are due (the next key where there is none, the rotation after its time, the end of retired
   * keys) and reads the keys again. Once all is well it is two reads.
   *
   * @throws DatabaseUnavailable, SecretUnreadable where the next key does not open: it is not put to use.
   */
  async maintain(): Promise<void> {
    const { keys, store, schedule, now } = this.#options;
    let stored = await store.list();
    if (!stored.some(({ status }) => status === 'active')) {
      // Makes the first one.
      await keys.reload();
      stored = await store.list();
    }
    const due = dueChanges(stored, schedule, now());
    try {
      if (due.replaceNext || due.rotate || due.deleteRetired) await this.#makeDueChanges();
    } finally {
      // Last: where nothing was due, another replica may have made the change just now. And where it can't be made here.
      await keys.reload();
    }
  }

  async #makeDueChanges(): Promise<void> {
    const { unitOfWork, schedule, now } = this.#options;
    await unitOfWork.transactional(async (repositories) => {
      const { signingKeys } = repositories;
      await signingKeys.lock();
      const at = now();
      const changes = dueChanges(await signingKeys.list(), schedule, at);
      if (changes.replaceNext) await this.#replaceNext(signingKeys, at);
      if (changes.rotate) await this.#rotate(repositories, at, { cause: 'schedule' });
      if (changes.deleteRetired) {
        await signingKeys.deleteRetired(new Date(at.getTime() - schedule.retentionMs));
      }
    });
  }

  /** The keys in use. @throws DatabaseUnavailable */
  async list(): Promise<SigningKeyFacts[]> {
    return inOrder(await this.#options.store.list());
  }

  /**
   * Makes the next key the active one now. Answers the keys after that.
   *
   * @throws NextKeyTooNew where verifiers may not know the next key yet, unless `force`; RequestIdReused;
   *   SecretUnreadable where the next key does not open; DatabaseUnavailable.
   */
  async rotate(change: KeyChange & { readonly force: boolean }): Promise<SigningKeyFacts[]> {
    const { schedule, now } = this.#options;
    return await this.#change(change.requestKey, async (repositories) => {
      const { signingKeys } = repositories;
      await signingKeys.lock();
      const at = now();
      if (dueChanges(await signingKeys.list(), schedule, at).replaceNext) {
        await this.#replaceNext(signingKeys, at);
      }
      const next = (await signingKeys.list()).find(({ status }) => status === 'next');
      const waitMs = (next?.createdAt ?? at).getTime() + schedule.propagationMs - at.getTime();
      if (!change.force && waitMs > 0) throw new NextKeyTooNew(waitMs);
      await this.#rotate(repositories, at, { cause: 'request', ...change.origin });
      return inOrder(await signingKeys.list());
    });
  }

  /**
   * Gives a key up at once: no replica believes it once this is fulfilled. The active one is replaced. A replica that has
   * not read of it yet, as it does four times a second, may still sign with it; nobody takes such a token.
   * Answers the keys after that.
   *
   * @throws SigningKeyNotFound; RequestIdReused; SecretUnreadable where the next key does not open: revoke that one first;
   *   DatabaseUnavailable.
   */
  async revoke(change: KeyChange & { readonly kid: string }): Promise<SigningKeyFacts[]> {
    const { keys, barrier, now } = this.#options;
    const { kid, origin } = change;
    let hasRun = false;
    const work = async (repositories: Repositories) => {
      const { signingKeys, securityEvents, revocations } = repositories;
      await signingKeys.lock();
      const at = now();
      const stored = await signingKeys.list();
      const revoked = stored.find((key) => key.kid === kid);
      if (revoked === undefined) throw new SigningKeyNotFound();
      await signingKeys.delete(kid);
      if (revoked.status === 'active') await this.#replaceActive(signingKeys, at);
      if (revoked.status !== 'retired') await this.#insertNext(signingKeys, at);
      await securityEvents.append(
        keyEvent('signing_key_revoked', 'high', 'A signing key was given up.', at, {
          ...{ kid, algorithm: revoked.algorithm, status: revoked.status },
          ...origin,
        }),
      );
      const left = inOrder(await signingKeys.list());
      await revocations.add([{ kind: 'key', keyId: kid, reason: 'key_revoked', createdAt: at }]);
      hasRun = true;
      return left;
    };
    const left = await this.#change(change.requestKey, work, () => keys.forget(kid));
    // A retry: the first attempt may have ended between its commit and the unit of work's own waiting.
    if (!hasRun) await barrier.enforce([{ kind: 'key', keyId: kid }]);
    return left;
  }

  async #change(
    requestKey: RequestKey | null,
    work: (repositories: Repositories) => Promise<SigningKeyFacts[]>,
    onCommitted: () => void = () => undefined,
  ): Promise<SigningKeyFacts[]> {
    const changed = await once(this.#options.unitOfWork, requestKey, FACTS_CODEC, work);
    onCommitted();
    await this.#options.keys.reload();
    return changed;
  }

  async #rotate(
    { signingKeys, securityEvents }: Repositories,
    at: Date,
    metadata: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const stored = await signingKeys.list();
    const next = stored.find(({ status }) => status === 'next');
    if (next === undefined) throw new SigningKeyNotFound();
    // A key that can't be read would leave nobody able to sign.
    await openSigningKey(next, this.#options.secretBox);
    await signingKeys.retireActive(at);
    await signingKeys.activateNext(at);
    await this.#insertNext(signingKeys, at);
    await securityEvents.append(
      keyEvent('signing_key_rotated', 'info', 'The next signing key signs from now on.', at, {
        kid: next.kid,
        algorithm: next.algorithm,
        retired_kid: stored.find(({ status }) => status === 'active')?.kid ?? null,
        ...metadata,
      }),
    );
  }

  /** The next key takes the place of one that is gone, however new it is: a late verifier is better than a stolen key. */
  async #replaceActive(signingKeys: SigningKeyStore, at: Date): Promise<void> {
    const { secretBox, schedule } = this.#options;
    const next = (await signingKeys.list()).find(({ status }) => status === 'next');
    if (next !== undefined) {
      await openSigningKey(next, secretBox);
      await signingKeys.activateNext(at);
    } else {
      await signingKeys.insert(
        await generateSigningKey(secretBox, { algorithm: schedule.algorithm, status: 'active', at }),
      );
    }
  }

  async #replaceNext(signingKeys: SigningKeyStore, at: Date): Promise<void> {
    const next = (await signingKeys.list()).find(({ status }) => status === 'next');
    if (next !== undefined) await signingKeys.delete(next.kid);
    await this.#insertNext(signingKeys, at);
  }

  async #insertNext(signingKeys: SigningKeyStore, at: Date): Promise<void> {
    const { secretBox, schedule } = this.#options;
    await signingKeys.insert(
      await generateSigningKey(secretBox, { algorithm: schedule.algorithm, status: 'next', at }),
    );
  }
}

function keyEvent(
  type: string,
  severity: SecurityEvent['severity'],
  description: string,
  createdAt: Date,
  metadata: Readonly<Record<string, unknown>>,
): SecurityEvent {
  return {
    id: uuidV7({ msecs: createdAt.getTime() }) as Uuid,
    ...{ type, severity, description, metadata, createdAt },
    userId: null,
    sessionId: null,
    device: NO_DEVICE,
  };
}

const FACTS_CODEC: AnswerCodec<SigningKeyFacts[]> = {
  toJson: (keys) => keys,
  fromJson: (json) =>
    (json as (Omit<SigningKeyFacts, 'createdAt'> & { createdAt: string })[]).map((key) => ({
      ...key,
      createdAt: new Date(key.createdAt),
      activatedAt: key.activatedAt === null ? null : new Date(key.activatedAt),
      retiredAt: key.retiredAt === null ? null : new Date(key.retiredAt),
    })),
  userIdOf: () => null,
};

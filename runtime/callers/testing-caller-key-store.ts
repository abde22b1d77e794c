import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { StoredCallerKey } from './caller-key.ts';
import { type CallerKeyStore, KEPT_AFTER_END_MS } from './caller-key-store.ts';
import { CallerKeyChanged, CallerKeyExists, CallerKeyNotFound } from './errors.ts';

let made = 0;

/** A key as the store gets it; each is younger than the one before. */
export function newKey(facts: Partial<StoredCallerKey> = {}): StoredCallerKey {
  made += 1;
  return {
    id: randomUUID(),
    name: 'gateway',
    scopes: ['limits.check', 'rules.read'],
    digest: randomBytes(32).toString('hex'),
    createdAt: new Date(Date.now() + made),
    createdBy: 'ops',
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    ...facts,
  };
}

const inAnHour = () => new Date(Date.now() + 3_600_000);
const DAY_MS = 86_400_000;

/** What holds for each store of caller keys. @param open two stores of two processes on the same, empty data */
export function describeCallerKeyStore(open: () => Promise<readonly [CallerKeyStore, CallerKeyStore]>): void {
  describe('a store of caller keys', () => {
    it('tells each process of the keys that another one made, oldest first', async () => {
      const [one, two] = await open();
      const [first, second] = [newKey(), newKey({ expiresAt: inAnHour() })];
      await one.insert(first);
      await two.insert(second);
      expect(await one.list()).toEqual([first, second]);
      expect(await two.list()).toEqual([first, second]);
    });

    it('has another version after each change, and the same one on each process', async () => {
      const [one, two] = await open();
      const key = newKey();
      const versions = [await one.version()];
      const note = async () => {
        versions.push(await one.version());
        expect(await two.version()).toBe(versions.at(-1));
      };
      await one.insert(key);
      await note();
      const next = newKey();
      await two.replace(key, inAnHour(), next);
      await note();
      await one.revoke(next.id, new Date());
      await note();
      expect(new Set(versions).size).toBe(4);
      await one.noteUse(new Map([[key.id, new Date()]]));
      expect(await one.version()).toBe(versions.at(-1));
    });

    it('takes a UUID of any version and variant as the id', async () => {
      const [one, two] = await open();
      const keys = ['00000000', '11111111', 'ffffffff'].map((digits) =>
        newKey({ id: `${digits}-1111-1111-1111-111111111111` }),
      );
      for (const key of keys) await one.insert(key);
      expect(await two.list()).toEqual(keys);
    });

    it('takes an id once', async () => {
      const [one, two] = await open();
      const key = newKey();
      await one.insert(key);
      const again = newKey({ id: key.id });
      await expect(two.insert(again)).rejects.toThrow(CallerKeyExists);
      expect(await one.list()).toEqual([key]);
    });

    it('gives an id that 20 want at once to one of them', async () => {
      const [one, two] = await open();
      const id = randomUUID();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) => (index % 2 ? one : two).insert(newKey({ id }))),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await one.list()).toHaveLength(1);
    });

    it('keeps all of what 20 add at once', async () => {
      const [one, two] = await open();
      const keys = Array.from({ length: 20 }, () => newKey());
      await Promise.all(keys.map((key, index) => (index % 2 ? one : two).insert(key)));
      const ids = (await two.list()).map(({ id }) => id);
      expect(ids.sort()).toEqual(keys.map(({ id }) => id).sort());
    });

    it('replaces a key by another one, in one step', async () => {
      const [one, two] = await open();
      const [before, after, end] = [newKey(), newKey(), inAnHour()];
      await one.insert(before);
      await two.replace(before, end, after);
      expect(await one.list()).toEqual([{ ...before, expiresAt: end }, after]);
    });

    it('replaces a key once where 10 do so at once', async () => {
      const [one, two] = await open();
      const before = newKey({ expiresAt: new Date(Date.now() + DAY_MS) });
      await one.insert(before);
      const attempts = Array.from({ length: 10 }, (_, index) =>
        (index % 2 ? one : two).replace(before, inAnHour(), newKey()),
      );
      const outcomes = await Promise.allSettled(attempts);
      const refused = outcomes.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
      expect(refused).toHaveLength(9);
      expect(refused.every((error) => error instanceof CallerKeyChanged)).toBe(true);
      expect(await one.list()).toHaveLength(2);
    });

    it('changes nothing where the key to replace is revoked or gone, or the new id is taken', async () => {
      const [one] = await open();
      const [key, other, revoked] = [newKey(), newKey(), newKey({ revokedAt: null })];
      for (const each of [key, other, revoked]) await one.insert(each);
      await one.revoke(revoked.id, new Date());
      const before = await one.list();
      await expect(one.replace(revoked, inAnHour(), newKey())).rejects.toThrow(CallerKeyChanged);
      await expect(one.replace(newKey(), inAnHour(), newKey())).rejects.toThrow(CallerKeyChanged);
      await expect(one.replace(key, inAnHour(), newKey({ id: other.id }))).rejects.toThrow(CallerKeyExists);
      expect(await one.list()).toEqual(before);
    });

    it('revokes a key once and for all', async () => {
      const [one, two] = await open();
      const key = newKey();
      await one.insert(key);
      const at = new Date();
      expect(await two.revoke(key.id, at)).toMatchObject({ id: key.id, revokedAt: at });
      expect(await one.revoke(key.id, inAnHour())).toMatchObject({ revokedAt: at });
      await expect(one.revoke(randomUUID(), at)).rejects.toThrow(CallerKeyNotFound);
    });

    it('notes when keys were used, and leaves out those that it does not have', async () => {
      const [one, two] = await open();
      const [key, idle] = [newKey(), newKey()];
      for (const each of [key, idle]) await one.insert(each);
      const at = new Date();
      await one.noteUse(
        new Map([
          [key.id, at],
          [randomUUID(), at],
        ]),
      );
      expect((await two.list()).map(({ lastUsedAt }) => lastUsedAt)).toEqual([at, null]);
    });

    it('forgets keys that ended long ago when another one is made', async () => {
      const [one] = await open();
      const long = new Date(Date.now() - KEPT_AFTER_END_MS - DAY_MS);
      const lately = new Date(Date.now() - KEPT_AFTER_END_MS + DAY_MS);
      const [kept, gone] = [newKey({ expiresAt: lately }), newKey({ expiresAt: long })];
      await one.insert(gone);
      await one.insert(kept);
      const fresh = newKey();
      await one.insert(fresh);
      expect((await one.list()).map(({ id }) => id)).toEqual([kept.id, fresh.id]);
    });
  });
}

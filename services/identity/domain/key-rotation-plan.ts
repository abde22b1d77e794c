import type { SigningAlgorithm, StoredSigningKey } from './signing-key.ts';

/** By what time keys come and go. Durations in milliseconds. */
export interface KeySchedule {
  /** What new keys are made for. */
  readonly algorithm: SigningAlgorithm;
  /** How long a key signs; 0 for as long as nobody rotates it. */
  readonly rotationMs: number;
  /** How long a key is published before it signs: longer than verifiers keep an old JWKS. */
  readonly propagationMs: number;
  /** How long a retired key verifies: longer than the tokens that it signed. */
  readonly retentionMs: number;
}

/** What the keys need at a moment. */
export interface DueChanges {
  /** There is no next key, or it is for another algorithm than the one that is set. It has signed nothing yet. */
  readonly replaceNext: boolean;
  readonly rotate: boolean;
  readonly deleteRetired: boolean;
}

/** Tells what is due. The next key is never younger than `propagationMs` when it begins to sign. */
export function dueChanges(keys: readonly StoredSigningKey[], schedule: KeySchedule, now: Date): DueChanges {
  const active = keys.find(({ status }) => status === 'active');
  const next = keys.find(({ status }) => status === 'next');
  const age = (since: Date | null | undefined) => now.getTime() - (since?.getTime() ?? Number.NaN);
  const replaceNext = next === undefined || next.algorithm !== schedule.algorithm;
  return {
    replaceNext,
    rotate:
      !replaceNext &&
      schedule.rotationMs > 0 &&
      age(active?.activatedAt) >= schedule.rotationMs &&
      age(next.createdAt) >= schedule.propagationMs,
    deleteRetired: keys.some(
      ({ status, retiredAt }) => status === 'retired' && age(retiredAt) > schedule.retentionMs,
    ),
  };
}

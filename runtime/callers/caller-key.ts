import { hash, randomBytes } from 'node:crypto';

/** An API key that was made while the service runs, as it is kept: without its text. */
export interface StoredCallerKey {
  /** UUID. */
  readonly id: string;
  /** The caller that it stands for. */
  readonly name: string;
  readonly scopes: readonly string[];
  /** SHA-256 of the key, in hex: the key has 256 random bits, so that there is nothing to guess. */
  readonly digest: string;
  readonly createdAt: Date;
  /** The caller that had it made. */
  readonly createdBy: string;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** Says what a key is to whoever finds one, scanners for leaked secrets among them. */
const PREFIX = 'optix_';

/** Makes the text of a new key. */
export function newKeyText(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/** What is kept of a key's text. */
export function keyDigest(text: string): string {
  return hash('sha256', text, 'hex');
}

/** When a key stops, or stopped, being good; null for never. */
export function endOf({ expiresAt, revokedAt }: StoredCallerKey): Date | null {
  if (revokedAt === null || expiresAt === null) return revokedAt ?? expiresAt;
  return revokedAt < expiresAt ? revokedAt : expiresAt;
}

/** Whether a key is good at a time. */
export function isGood(key: StoredCallerKey, at: Date): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > at);
}

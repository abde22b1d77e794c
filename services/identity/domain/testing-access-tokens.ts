import { randomBytes, randomUUID } from 'node:crypto';
import { AccessTokens } from './access-token.ts';
import { authenticationContext } from './authentication-context.ts';
import { SecretBox } from './secret-box.ts';
import { generateSigningKey, type SigningAlgorithm, type StoredSigningKey } from './signing-key.ts';
import { SigningKeys } from './signing-keys.ts';

export const ISSUER = 'https://identity.example';
export const AUDIENCE = 'optix-backends';
export const START = new Date('2026-01-01T00:00:00Z');

const secretBox = SecretBox.fromKeys({ id: 'k1', key: randomBytes(32) });

export const session = {
  userId: randomUUID(),
  sessionId: randomUUID(),
  roles: ['user', 'premium'],
  generation: 3,
  authentication: authenticationContext(['pwd'], START),
};

/** Keys that several processes share, as the database would keep them, and the time on their clocks. */
export class TestKeys {
  stored: StoredSigningKey[] = [];
  /** How often they were read. */
  reads = 0;
  clock = START;

  static async create(algorithm: SigningAlgorithm = 'EdDSA'): Promise<TestKeys> {
    const keys = new TestKeys();
    keys.stored = [await newKey(algorithm)];
    return keys;
  }

  /** A process of its own. */
  replica(overrides: { issuer?: string; audience?: string; reloadIntervalMs?: number } = {}) {
    const { reloadIntervalMs = 60_000, ...options } = overrides;
    const keys = new SigningKeys({
      store: {
        list: async () => {
          this.reads += 1;
          return this.stored;
        },
        insert: async () => false,
      },
      secretBox,
      onUnreadable: (_kid, error) => {
        throw error;
      },
      reloadIntervalMs,
    });
    const now = () => this.clock;
    return { keys, tokens: new AccessTokens({ keys, issuer: ISSUER, audience: AUDIENCE, now, ...options }) };
  }
}

export function newKey(
  algorithm: SigningAlgorithm,
  status: 'active' | 'next' = 'active',
): Promise<StoredSigningKey> {
  return generateSigningKey(secretBox, { algorithm, status, at: START });
}

export const later = (seconds: number) => new Date(START.getTime() + seconds * 1000);

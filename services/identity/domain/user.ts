import type { Uuid } from './uuid.ts';

/** What a user may do. */
export const ROLES = ['admin', 'premium', 'user', 'trial'] as const;
export type Role = (typeof ROLES)[number];

/** Whether an account can be used: only an active one can. */
export const USER_STATUSES = ['active', 'inactive', 'suspended', 'deleted'] as const;
export type UserStatus = (typeof USER_STATUSES)[number];

/** A user without secrets. */
export interface User {
  readonly id: Uuid;
  /** As the user wrote it. */
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  /** E.164; null where unknown. */
  readonly phone: string | null;
  readonly status: UserStatus;
  readonly roles: readonly Role[];
  readonly mfaEnabled: boolean;
  readonly createdAt: Date;
  /** Last change of the account. Signing in is none. */
  readonly updatedAt: Date;
  readonly lastLoginAt: Date | null;
  readonly emailVerifiedAt: Date | null;
  readonly deletedAt: Date | null;
  /** Until when wrong passwords keep the user from signing in; null or past where they do not. */
  readonly lockedUntil: Date | null;
  readonly hasPassword: boolean;
  /** Access tokens of an older generation (claim `gen`) are not accepted. Starts at 1. */
  readonly tokenGeneration: number;
  /** Counts the changes of the account, from 1. Signing in is none, so it does not spoil an editor's etag. */
  readonly version: number;
}

/** An opaque text that changes with each change of the account (https://google.aip.dev/154). */
export function etagOf(user: Pick<User, 'id' | 'version'>): string {
  return `"${user.version}"`;
}

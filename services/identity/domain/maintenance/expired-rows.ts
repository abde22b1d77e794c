/**
 * Rows of no more use. Each method deletes up to `most` of those that ended before `before`, passes over what somebody
 * holds, answers how many it deleted, and throws DatabaseUnavailable where the database is away.
 */
export interface ExpiredRows {
  /** Lineages of refresh tokens that expired. */
  deleteFamilies(before: Date, most: number): Promise<number>;
  /** Devices whose trust expired. */
  deleteExpiredDevices(before: Date, most: number): Promise<number>;
  /** Devices whose trust was revoked. */
  deleteRevokedDevices(before: Date, most: number): Promise<number>;
  /** Challenges that expired, completed or not. */
  deleteChallenges(before: Date, most: number): Promise<number>;
  /** Secrets of authenticator apps that nobody confirmed. */
  deletePendingTotp(before: Date, most: number): Promise<number>;
}

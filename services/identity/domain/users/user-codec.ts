import type { AnswerCodec } from '../idempotency.ts';
import type { User } from '../user.ts';

const DATES = [
  'createdAt',
  'updatedAt',
  'lastLoginAt',
  'emailVerifiedAt',
  'deletedAt',
  'lockedUntil',
] as const satisfies readonly (keyof User)[];

/** Keeps a user for the same request to be answered with again. */
export const userCodec: AnswerCodec<User> = {
  toJson: (user) => user,
  fromJson: (json) => {
    const user = { ...(json as User) } as Record<string, unknown>;
    for (const field of DATES) {
      const value = user[field];
      if (typeof value === 'string') user[field] = new Date(value);
    }
    return user as unknown as User;
  },
  userIdOf: ({ id }) => id,
};

import { p } from '@mikro-orm/postgresql';
import { UserEntity } from './user.entity.ts';

/**
 * The column `user_id` of what belongs to a user. Its indexes are the entity's own.
 *
 * @param onErasure what becomes of the row with its user: it goes too, or it has to be gone before
 */
export const userReference = (onErasure: 'cascade' | 'restrict') =>
  p
    .manyToOne(UserEntity)
    .mapToPk()
    .joinColumn('user_id')
    .deleteRule(onErasure)
    .updateRule('no action')
    .index(false);

import { defineEntity, p } from '@mikro-orm/postgresql';
import { ROLES } from '../domain/user.ts';

/** Who had an account, after the time in which a deletion can be taken back: no secret, no session, no device. */
export const ArchivedUserEntity = defineEntity({
  name: 'ArchivedUser',
  tableName: 'archived_users',
  indexes: [{ name: 'archived_users_email_normalized_index', properties: ['emailNormalized'] }],
  properties: {
    id: p.uuid().primary(),
    email: p.text(),
    emailNormalized: p.text(),
    firstName: p.text(),
    lastName: p.text(),
    phone: p.text().nullable(),
    roles: p.enum(ROLES).array(),
    createdAt: p.datetime().columnType('timestamptz'),
    lastLoginAt: p.datetime().columnType('timestamptz').nullable(),
    deletedAt: p.datetime().columnType('timestamptz'),
    archivedAt: p.datetime().columnType('timestamptz'),
  },
});

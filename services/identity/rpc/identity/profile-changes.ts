import type { FieldMask } from '@bufbuild/protobuf/wkt';
import type { User } from '../../../../gen/optix/identity/v1/user_pb.ts';
import { parseEmail } from '../../domain/email.ts';
import { accepted } from '../../domain/parsed.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import type { ProfileChanges } from '../../domain/users.ts';
import type { Fields } from '../fields.ts';

const PATHS = ['email', 'first_name', 'last_name', 'phone'] as const;
type Path = (typeof PATHS)[number];
const PROPERTIES = {
  email: 'email',
  first_name: 'firstName',
  last_name: 'lastName',
  phone: 'phone',
} as const satisfies Record<Path, keyof User>;

/**
 * What a mask says is to be changed (https://google.aip.dev/134#field-masks): the fields it names, all of them with `*`,
 * and without a mask those that are not empty.
 */
export function takeProfileChanges(fields: Fields, user: User, mask: FieldMask | undefined): ProfileChanges {
  const named = new Set(takePaths(fields, user, mask));
  return {
    ...(named.has('email') && { email: fields.take('user.email', parseEmail(user.email)) }),
    ...(named.has('first_name') && {
      firstName: fields.take('user.first_name', parsePersonName(user.firstName)),
    }),
    ...(named.has('last_name') && {
      lastName: fields.take('user.last_name', parsePersonName(user.lastName)),
    }),
    ...(named.has('phone') && {
      phone: fields.take('user.phone', user.phone === '' ? accepted(null) : parsePhone(user.phone)),
    }),
  };
}

function takePaths(fields: Fields, user: User, mask: FieldMask | undefined): readonly Path[] {
  const paths = mask?.paths ?? [];
  if (paths.length === 0) return PATHS.filter((path) => user[PROPERTIES[path]] !== '');
  const unknown = paths.findIndex((path) => path !== '*' && !PATHS.includes(path as Path));
  if (unknown >= 0) {
    fields.add('update_mask', `must name ${PATHS.join(', ')} or *: its path ${unknown} is none of them`);
  }
  return paths.includes('*') ? PATHS : PATHS.filter((path) => paths.includes(path));
}

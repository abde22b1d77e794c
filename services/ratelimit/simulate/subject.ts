import { networkOf, parseIp } from '../../../clients/http/ip-address.ts';
import { headerIdentifier, identifierOf } from '../../../clients/ratelimit/identifier.ts';

/** Against whom a request counts. */
export type Subject = 'ip' | 'user' | { readonly header: string };

/** What a line says of whoever sent the request; undefined where it says nothing. */
export interface Sender {
  readonly ip: string | undefined;
  readonly user: string | undefined;
  /** @param name in lower case */
  header(name: string): string | undefined;
}

/**
 * Reads `ip`, `user`, `header:<name>`, or several between commas.
 *
 * @returns undefined where one of them is none of these
 */
export function readSubjects(text: string): readonly Subject[] | undefined {
  const subjects: Subject[] = [];
  for (const each of text.split(',')) {
    const [, header] = /^header:([a-z0-9-]{1,64})$/.exec(each.toLowerCase()) ?? [];
    if (header !== undefined) subjects.push({ header });
    else if (each === 'ip' || each === 'user') subjects.push(each);
    else return undefined;
  }
  return subjects;
}

/**
 * The identifier of the first subject that the sender has, as the middleware and forward-auth make them: `ip:<address>`
 * (of IPv6 the /64), `user:<name>`, `<header>:<value>`; undefined where there is none.
 */
export function senderIdentifier(subjects: readonly Subject[], sender: Sender): string | undefined {
  for (const subject of subjects) {
    const value = valueFor(subject, sender);
    if (value === undefined || value === '' || value === '-') continue;
    return typeof subject === 'string'
      ? identifierOf(subject, value)
      : headerIdentifier(subject.header, value);
  }
  return undefined;
}

function valueFor(subject: Subject, { ip, user, header }: Sender): string | undefined {
  if (typeof subject === 'object') return header(subject.header);
  if (subject === 'user') return user;
  return ip?.includes(':') ? networkText(ip) : ip;
}

function networkText(text: string): string {
  const address = parseIp(text);
  return address === undefined ? text : networkOf(address, 64);
}

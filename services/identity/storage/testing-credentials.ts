import type { User } from '../domain/user.ts';
import { TestIdentity } from './testing-identity.ts';
import { TestMailbox } from './testing-mailbox.ts';
import type { TestOrm } from './testing-orm.ts';

/** What Ada's password is changed to. */
export const NEW_PASSWORD = 'a quite different horse';
/** Of a request that changes something, with an id. */
export const KEY = { caller: 'web', rpc: 'Change', requestId: 'r1', mac: Buffer.alloc(32, 1) };

/** An empty database with one account in it, whose registration has left no event and no mail. */
export async function freshAccount(
  db: TestOrm,
): Promise<{ readonly identity: TestIdentity; readonly mailbox: TestMailbox; readonly ada: User }> {
  await db.rows(
    `truncate user_service.users, user_service.signing_keys, user_service.sign_in_throttles,
       user_service.answered_requests cascade`,
  );
  const identity = new TestIdentity(db);
  const ada = await identity.register('Ada@example.com');
  await db.rows('truncate user_service.security_events, user_service.outgoing_mails');
  return { identity, mailbox: new TestMailbox(db, identity), ada };
}

/** What the one account has come to. */
export const accountIn = async (db: TestOrm) => (await db.rows('select * from user_service.users'))[0];

/** All events but those of signing in, in their order. */
export const eventsIn = (db: TestOrm) =>
  db.rows(
    `select * from user_service.security_events where event_type not like 'login%' order by created_at, id`,
  );

/** Ids of the sessions that were not ended. */
export async function liveSessionsIn(db: TestOrm): Promise<unknown[]> {
  const rows = await db.rows('select id from user_service.sessions_history where terminated_at is null');
  return rows.map(({ id }) => id);
}

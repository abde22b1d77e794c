import type { Client } from 'pg';

/**
 * What holds of every committed state, by name: each query answers what is wrong. `e` is an event, `about` those of a user.
 * Nothing is said of users who were purged: their rows are gone, their events stay.
 */
const QUERIES: Readonly<Record<string, string>> = {
  'each user has an event of its making': `
    select u.id from user_service.users u where (
      select count(*) from user_service.security_events e where e.user_id = u.id and e.event_type = 'user_created') <> 1`,
  'each session has an event of its sign-in, and each sign-in its session': `
    select coalesce(s.id, e.session_id) from user_service.sessions_history s
      full join (select * from user_service.security_events where event_type = 'login_succeeded') e on e.session_id = s.id
    where (s.id is null and exists (select from user_service.users u where u.id = e.user_id))
      or e.id is null or e.user_id <> s.user_id`,
  'each session that ended has an event of its end': `
    select s.id, s.termination_reason from user_service.sessions_history s
    where s.terminated_at is not null and not exists (
      select from user_service.security_events e
      where e.user_id = s.user_id and e.created_at = s.terminated_at and coalesce(e.session_id, s.id) = s.id
        and e.event_type = case s.termination_reason when 'revoked' then 'session_revoked' else s.termination_reason end)`,
  'each end of a session is that of its event': `
    select e.session_id from user_service.security_events e join user_service.sessions_history s on s.id = e.session_id
    where e.event_type in ('signed_out', 'session_revoked', 'refresh_token_reused')
      and s.termination_reason is distinct from
        case e.event_type when 'session_revoked' then 'revoked' else e.event_type end`,
  'what ended has ended whole: its tokens are refused': `
    select s.id from user_service.sessions_history s
      left join user_service.refresh_token_families f on f.session_id = s.id
      left join user_service.revocations r on r.session_id = s.id
    where s.terminated_at is not null and (f.revoked_at is null or r.id is null)
      or s.terminated_at is null and (f.revoked_at is not null or r.id is not null)`,
  'each password is as old as an event of it': `
    select u.id from user_service.users u where u.password_changed_at is not null and not exists (
      select from user_service.security_events e
      where e.user_id = u.id and e.created_at = u.password_changed_at
        and e.event_type in ('user_created', 'password_changed', 'password_reset'))`,
  'each change of a password was made': `
    select e.id from user_service.security_events e join user_service.users u on u.id = e.user_id
    where e.event_type in ('password_changed', 'password_reset') and u.password_changed_at < e.created_at`,
  'an authenticator app is there if it was added and not removed': `
    select u.id from user_service.users u
    where exists (select from user_service.totp_authenticators t where t.user_id = u.id and t.confirmed_at is not null)
      <> coalesce((select e.event_type = 'second_factor_added' from user_service.security_events e
                   where e.user_id = u.id and (e.event_type = 'second_factors_reset'
                     or e.event_type like 'second_factor%' and e.metadata ->> 'factor' = 'totp')
                   order by e.id desc limit 1), false)`,
  'an authenticator app that waits was begun': `
    select t.user_id from user_service.totp_authenticators t where not exists (
      select from user_service.security_events e
      where e.user_id = t.user_id and e.event_type = 'totp_enrollment_begun' and e.created_at = t.created_at)`,
  'a passkey is there if it was added and not removed': `
    select e.user_id from user_service.security_events e join user_service.users u on u.id = e.user_id
      left join user_service.passkeys p on p.id = (e.metadata ->> 'passkey_id')::uuid
    where e.event_type = 'second_factor_added' and e.metadata ->> 'factor' = 'passkey'
      and (p.id is not null) = exists (
        select from user_service.security_events gone
        where gone.user_id = e.user_id and gone.id > e.id and (gone.event_type = 'second_factors_reset'
          or gone.event_type = 'second_factor_removed' and gone.metadata -> 'passkey_id' = e.metadata -> 'passkey_id'))
    union all
    select p.user_id from user_service.passkeys p where not exists (
      select from user_service.security_events e
      where e.event_type = 'second_factor_added' and e.metadata ->> 'passkey_id' = p.id::text)`,
  'a second factor is asked for if there is one, and recovery codes come and go with it': `
    select u.id from user_service.users u
    where u.mfa_enabled <> (
        exists (select from user_service.totp_authenticators t where t.user_id = u.id and t.confirmed_at is not null)
        or exists (select from user_service.passkeys p where p.user_id = u.id))
      or u.mfa_enabled <> exists (select from user_service.recovery_codes c where c.user_id = u.id)`,
  'each recovery code that was used has an event, and each use its code': `
    select c.user_id from user_service.recovery_codes c where c.used_at is not null and not exists (
      select from user_service.security_events e
      where e.user_id = c.user_id and e.event_type = 'recovery_code_used' and e.created_at = c.used_at)
    union all
    select e.user_id from user_service.security_events e
    where e.event_type = 'recovery_code_used'
      and exists (select from user_service.recovery_codes c where c.user_id = e.user_id and c.created_at < e.created_at)
      and not exists (select from user_service.recovery_codes c where c.user_id = e.user_id and c.used_at = e.created_at)`,
  'each challenge that was used opened a session, made one fresh, or was ended with others': `
    select c.id, c.purpose from user_service.auth_challenges c
    where c.used_at is not null and c.user_id is not null and not exists (
      select from user_service.security_events e
      where e.user_id = c.user_id and e.created_at = c.used_at and e.event_type in (
        'login_succeeded', 'step_up_completed', 'second_factor_added', 'password_changed', 'password_reset',
        'user_suspended', 'user_deleted', 'second_factors_reset'))`,
  'each step-up is in its session': `
    select e.session_id from user_service.security_events e join user_service.sessions_history s on s.id = e.session_id
    where e.event_type = 'step_up_completed' and (s.authenticated_at is null or s.authenticated_at < e.created_at)`,
  'each trusted device has an event of it, and the other way round': `
    select coalesce(d.user_id, e.user_id) from user_service.trusted_devices d
      full join (select * from user_service.security_events where event_type = 'device_trusted') e
        on e.metadata ->> 'trusted_device_id' = d.id::text
    where e.id is null or d.id is null and exists (select from user_service.users u where u.id = e.user_id)`,
  'each device that lost its trust has an event of that, and the other way round': `
    select d.user_id from user_service.trusted_devices d where d.revoked_at is not null and not exists (
      select from user_service.security_events e
      where e.user_id = d.user_id and e.created_at = d.revoked_at and (
        e.event_type = d.revocation_reason
        or e.event_type = 'device_trust_revoked' and e.metadata ->> 'trusted_device_id' = d.id::text))
    union all
    select d.user_id from user_service.trusted_devices d join user_service.security_events e
      on e.user_id = d.user_id and e.created_at >= d.created_at
    where d.revoked_at is null and (e.event_type in ('password_changed', 'password_reset', 'second_factor_removed',
        'second_factors_reset', 'user_suspended', 'user_deleted')
      or e.event_type = 'device_trust_revoked' and e.metadata ->> 'trusted_device_id' = d.id::text)`,
  'each device that stood in for a factor has this counted': `
    select d.user_id from user_service.trusted_devices d where d.use_count <> (
      select count(*) from user_service.security_events e
      where e.user_id = d.user_id and e.event_type = 'login_succeeded' and e.metadata ->> 'trusted_device_id' = d.id::text)`,
  'each user is in the state that the last event says': `
    select u.id, u.status from user_service.users u
    where u.status <> coalesce((
      select case e.event_type when 'user_suspended' then 'suspended' when 'user_deleted' then 'deleted' else 'active' end
      from user_service.security_events e
      where e.user_id = u.id and e.event_type in ('user_suspended', 'user_reactivated', 'user_deleted', 'user_undeleted')
      order by e.id desc limit 1), 'active')`,
  'each address that is verified has an event of it': `
    select u.id from user_service.users u where (u.email_verified_at is not null) <> exists (
      select from user_service.security_events e
      where e.user_id = u.id and e.event_type in ('email_verified', 'password_reset'))`,
  'each wrong proof has an event': `
    select u.id from user_service.users u where u.failed_login_attempts > (
      select count(*) from user_service.security_events e where e.user_id = u.id and e.event_type = 'login_failed')`,
  'each resolution has an event of it, and the other way round': `
    select e.id from user_service.security_events e where e.resolved <> exists (
      select from user_service.security_events r
      where r.event_type = 'security_event_resolved' and r.metadata ->> 'event_id' = e.id::text)`,
  'nothing of a purged user is left': `
    select e.user_id from user_service.security_events e where e.event_type = 'user_purged' and (
      exists (select from user_service.users u where u.id = e.user_id)
      or exists (select from user_service.sessions_history s where s.user_id = e.user_id)
      or exists (select from user_service.security_events told where told.user_id = e.user_id and told.id < e.id
                 and (told.ip_address is not null or told.device_id is not null or told.user_agent is not null)))`,
  'each event has its seal or waits for it, and there are no others': `
    select coalesce(e.id, w.event_id) from user_service.security_events e full join (
      select event_id from user_service.security_event_seals
      union all select event_id from user_service.security_event_queue) w on w.event_id = e.id
    where e.id is null or w.event_id is null
    union all
    select event_id from user_service.security_event_seals join user_service.security_event_queue using (event_id)`,
  'the numbers of the seals have no gaps and no doubles': `
    select max(sequence) from user_service.security_event_seals
    having count(*) <> max(sequence) or count(distinct sequence) <> count(*)`,
};

/** What is wrong in the state that is committed at this moment: the name of each rule that is broken, and where. */
export async function brokenInvariants(client: Client): Promise<Record<string, unknown[]>> {
  const broken: Record<string, unknown[]> = {};
  await client.query('begin isolation level repeatable read, read only');
  for (const [name, text] of Object.entries(QUERIES)) {
    const { rows } = await client.query(text);
    if (rows.length > 0) broken[name] = rows;
  }
  await client.query('commit');
  return broken;
}

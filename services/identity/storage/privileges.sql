-- What optix_identity and optix_readonly (deploy/postgres/sql/roles.sql) may do. Applied after every migration where these roles
-- are, by who owns the tables; it takes away first, so that it says everything. A table that it does not name is closed:
-- privileges.test.ts fails for one.
--
-- Partitions get no privileges: what goes through their table is judged by the table's. That is also why there are no
-- default privileges for tables, which would open each new partition of security_events to be changed or emptied.
revoke all on schema user_service from public, optix_identity, optix_readonly;
revoke all on all tables in schema user_service from public, optix_identity, optix_readonly;
revoke all on all sequences in schema user_service from public, optix_identity, optix_readonly;
revoke all on all functions in schema user_service from public, optix_identity, optix_readonly;
alter default privileges revoke execute on functions from public;

grant usage on schema user_service to optix_identity, optix_readonly;
grant execute on function user_service.uuid_floor(timestamptz) to optix_identity, optix_readonly;
grant execute on function user_service.ensure_partitions(text, timestamptz, int) to optix_identity;
grant execute on function user_service.drop_partitions(text, timestamptz) to optix_identity;
grant execute on function user_service.analyze_table(text) to optix_identity;

-- Which migrations ran: readiness looks.
grant select on user_service.mikro_orm_migrations to optix_identity, optix_readonly;

-- Purging a user deletes the row; its tokens and mails go with it.
grant select, insert, update, delete on
  user_service.users,
  user_service.sessions_history,
  user_service.refresh_token_families,
  user_service.trusted_devices,
  user_service.one_time_tokens,
  user_service.outgoing_mails,
  user_service.answered_requests,
  user_service.sign_in_throttles,
  user_service.signing_keys,
  user_service.caller_keys,
  user_service.totp_authenticators,
  user_service.passkeys,
  user_service.recovery_codes,
  user_service.auth_challenges,
  user_service.maintenance_tasks,
  user_service.archived_users
to optix_identity;

-- Revocations are added, and forgotten once what they are about has ended. Deleting takes them by `for update`, which asks for
-- a column that may be changed: the one that nothing is decided by.
grant select, insert, delete, update (reason) on user_service.revocations to optix_identity;
grant usage on sequence user_service.revocations_id_seq to optix_identity;

-- The audit log is appended to. What may change: its resolution, and personal data, which is erased on request.
grant select, insert on user_service.security_events to optix_identity;
grant update (resolved, resolved_at, resolved_by, resolution_note, device_id, device_fingerprint, ip_address, user_agent,
  personal_salt) on user_service.security_events to optix_identity;

-- Seals are added to the chain and never changed. What waits for its seal is taken out of the queue with it.
grant select, insert on user_service.security_event_seals to optix_identity;
grant select, insert, delete, update (queued_at) on user_service.security_event_queue to optix_identity;
grant select on user_service.security_event_checkpoints to optix_identity;

-- People see no hash of a password or token, no private key, no second factor, no mail and no answer of a request, which
-- may hold tokens. No salt either: with it an erased address could be found by trying.
grant select (id, email, email_normalized, first_name, last_name, phone, status, roles, mfa_enabled, mfa_type, created_at,
  updated_at, last_login_at, email_verified_at, deleted_at, status_before_delete, password_changed_at, token_generation,
  failed_login_attempts, last_login_failure_at, locked_until, version) on user_service.users to optix_readonly;
grant select on user_service.sessions_history, user_service.revocations, user_service.sign_in_throttles to optix_readonly;
grant select (id, event_type, severity, description, user_id, session_id, device_id, device_fingerprint, ip_address,
  user_agent, metadata, created_at, resolved, resolved_at, resolved_by, resolution_note, personal_hash)
  on user_service.security_events to optix_readonly;
grant select (id, user_id, device_id, device_fingerprint, device_name, ip_address, created_at, last_seen_at, use_count,
  expires_at, revoked_at, revocation_reason) on user_service.trusted_devices to optix_readonly;
grant select (id, user_id, session_id, device_id, created_at, last_used_at, expires_at, generation, rotated_at, revoked_at,
  revocation_reason) on user_service.refresh_token_families to optix_readonly;
grant select (id, kid, algorithm, status, public_jwk, private_key_key_id, created_at, activated_at, retired_at)
  on user_service.signing_keys to optix_readonly;
grant select (id, user_id, purpose, email_normalized, created_at, expires_at, used_at)
  on user_service.one_time_tokens to optix_readonly;
grant select (id, user_id, payload_key_id, created_at, next_attempt_at, attempts, expires_at)
  on user_service.outgoing_mails to optix_readonly;
grant select (caller, rpc, request_id, user_id, created_at) on user_service.answered_requests to optix_readonly;
grant select (id, name, scopes, created_at, created_by, expires_at, revoked_at, last_used_at)
  on user_service.caller_keys to optix_readonly;
grant select (id, user_id, secret_key_id, created_at, expires_at, confirmed_at)
  on user_service.totp_authenticators to optix_readonly;
grant select on user_service.passkeys to optix_readonly;
grant select (id, user_id, created_at, used_at) on user_service.recovery_codes to optix_readonly;
grant select (id, purpose, user_id, session_id, amr, device_id, device_fingerprint, created_at, expires_at, attempts, used_at)
  on user_service.auth_challenges to optix_readonly;
grant select on user_service.security_event_seals, user_service.security_event_queue,
  user_service.security_event_checkpoints, user_service.maintenance_tasks, user_service.archived_users to optix_readonly;

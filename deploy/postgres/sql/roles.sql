-- Least-privilege roles for identity's database. Plain SQL, safe to run again. Run it in that database, as a superuser or
-- as a role that has CREATEROLE and owns the database, before the first `optix migrate`:
--
--   psql --set=ON_ERROR_STOP=1 --file=deploy/postgres/sql/roles.sql "$ADMIN_DATABASE_URL"
--
-- optix_owner     owns the schema and runs the migrations: DATABASE_URL of `optix migrate`.
-- optix_identity  the service: DATABASE_URL of identity, and of its read replicas.
-- optix_readonly  for people and reports: everything but secrets.
--
-- They are made without LOGIN. Let each in that is used, with a password that nobody has to type twice:
--
--   alter role optix_identity login; \password optix_identity
--
-- What each may do with the tables stands in services/identity/storage/privileges.sql, which `optix migrate` applies after
-- the migrations, in their transaction: a new table is never open, and never missing. Of a database whose objects another
-- role owns: `reassign owned by <that role> to optix_owner;`, then `optix migrate` as optix_owner.
do $$
declare
  name text;
begin
  foreach name in array array['optix_owner', 'optix_identity', 'optix_readonly'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls', name);
    end if;
  end loop;
  -- CREATE, for the schema that the first migration makes. TEMPORARY stays with nobody.
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect, create on database %I to optix_owner', current_database());
  execute format('grant connect on database %I to optix_identity, optix_readonly', current_database());
end
$$;
revoke create on schema public from public;

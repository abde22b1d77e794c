import type { Client } from 'pg';
import type { Findings } from './finding.ts';

/** The audit log: events are added and seals never changed. */
const EVENTS = 'user_service.security_events';
const SEALS = 'user_service.security_event_seals';

interface Rights {
  readonly role: string;
  readonly superuser: boolean;
  readonly appends: boolean;
  readonly forbidden: readonly string[];
}

/** Looks at what the service's role may do to the audit log. In production it must not be able to rewrite it. */
export async function checkAuditRights(
  client: Client,
  environment: string,
  findings: Findings,
): Promise<void> {
  const { rows } = await client.query<Rights>(
    `select current_user as role,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       has_table_privilege($1, 'select, insert') and has_table_privilege($2, 'select, insert') as appends,
       array(select lower(privilege) || ' on ' || name from (values ($1::text), ($2)) as logs (name),
               (values ('DELETE'), ('TRUNCATE')) as rights (privilege)
             where has_table_privilege(name, privilege)
             union all
             select 'update on ' || $2 where has_table_privilege($2, 'UPDATE')) as forbidden`,
    [EVENTS, SEALS],
  );
  const [rights] = rows;
  if (rights === undefined) throw new Error('PostgreSQL answered no row');
  const { role, superuser, appends, forbidden } = rights;
  if (!appends) {
    const advice = 'run optix migrate as the owner: it gives optix_identity its rights';
    findings.add(
      'problem',
      `role ${role} may not add to the audit log`,
      'what must be recorded fails',
      advice,
    );
  }
  if (forbidden.length === 0) {
    findings.ok(`role ${role} may add to the audit log, and not rewrite it`);
    return;
  }
  const may = superuser ? 'is a superuser and may do anything' : `may ${forbidden.join(', ')}`;
  findings.add(
    environment === 'production' ? 'problem' : 'warning',
    `role ${role} ${may}`,
    'whoever breaks into identity can rewrite the audit log, seals included',
    'let DATABASE_URL name a member of optix_identity (deploy/postgres/sql/roles.sql)',
  );
}

import type { PutOutcome } from '../../../services/ratelimit/backup/limiter-documents.ts';

/** What `optix restore --json` prints. Null is what was not restored. */
export interface RestoreSummary {
  readonly directory: string;
  /** Whether nothing was to be restored. */
  readonly checkOnly: boolean;
  readonly seconds: number;
  /** When the backup was taken of the database: what was written later is lost. */
  readonly takenAt: string | null;
  readonly users: number | null;
  readonly rows: number | null;
  /** Migrations that ran after the rows were loaded. */
  readonly migrated: readonly string[];
  /** What the backup has that is not identity's: tables, `table.column`, sequences that somebody added. */
  readonly leftOut: readonly string[];
  /** What was ended; null where it was kept. */
  readonly ended: {
    readonly sessions: number;
    readonly signingKeys: number;
    readonly trustedDevices: number;
  } | null;
  readonly chain: {
    readonly intact: boolean;
    readonly verifiedEntries: string;
    readonly findings: readonly string[];
  } | null;
  /** Ids of encryption keys that are not set, with the number of secrets that can't be read without. */
  readonly missingKeys: readonly { readonly id: string; readonly secrets: number }[];
  readonly limiter: { readonly rules: PutOutcome | 'none'; readonly callers: PutOutcome | 'none' } | null;
  /** Whether the backup has the limiter's part, and there was no Redis to put it into. */
  readonly limiterSkipped: boolean;
}

const SHOWN_FINDINGS = 10;

/** For a person. */
export function restoreText(summary: RestoreSummary): string {
  const { directory, checkOnly, seconds, takenAt, users, rows, migrated, ended, chain, limiter } = summary;
  const what = takenAt === null ? 'without a database' : `${users} users, ${rows} rows, as of ${takenAt}`;
  const lines = [
    checkOnly
      ? `${directory} is whole: ${what}`
      : `restored from ${directory} in ${seconds.toFixed(1)} s: ${what}`,
  ];
  for (const name of migrated) lines.push(`applied ${name}`);
  if (summary.leftOut.length > 0) {
    lines.push(`left out, as no migration of identity makes it: ${summary.leftOut.join(', ')}`);
  }
  for (const { id, secrets } of summary.missingKeys) {
    lines.push(`the encryption key ${id} is not set: ${secrets} secrets can't be read without it`);
  }
  if (chain !== null) {
    const state = chain.intact ? 'intact' : 'NOT INTACT';
    lines.push(`audit log: ${state}, ${chain.verifiedEntries} entries`);
    lines.push(...chain.findings.slice(0, SHOWN_FINDINGS).map((finding) => `  ${finding}`));
    if (chain.findings.length > SHOWN_FINDINGS) lines.push('  and more: optix events verify');
  }
  if (ended !== null) {
    const { sessions, signingKeys, trustedDevices } = ended;
    lines.push(`ended: ${sessions} sessions, ${trustedDevices} trusted devices, ${signingKeys} signing keys`);
  }
  if (limiter !== null) {
    lines.push(
      `live rules: ${outcomeText(limiter.rules)}`,
      `ratelimit's caller keys: ${outcomeText(limiter.callers)}`,
    );
  }
  if (summary.limiterSkipped) {
    lines.push("live rules and ratelimit's caller keys: NOT RESTORED, as REDIS_URL is not set");
  }
  if (!checkOnly && takenAt !== null) {
    lines.push(
      `now do again what was done after ${takenAt}: revoke caller keys, suspend users (docs/backup.md)`,
    );
  }
  return lines.join('\n');
}

function outcomeText(outcome: PutOutcome | 'none'): string {
  if (outcome === 'none') return 'none in the backup';
  return outcome === 'kept' ? 'left alone, as those in Redis are as new or newer' : 'restored';
}

import { sizeText } from './backup-parts.ts';

/** What `optix backup --json` prints. */
export interface BackupSummary {
  readonly directory: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly identity: {
    readonly takenAt: string;
    readonly schema: string;
    readonly rows: number;
    /** Rows of each table. */
    readonly tables: Readonly<Record<string, number>>;
    readonly encryptionKeys: readonly { readonly id: string; readonly secrets: number }[];
    readonly chain: { readonly sequence: string; readonly hash: string } | null;
  } | null;
  /** How many there are. */
  readonly limiter: { readonly rules: number; readonly callers: number } | null;
}

/** For a person. */
export function backupText({ directory, bytes, seconds, identity, limiter }: BackupSummary): string {
  const lines = [`wrote ${directory}: ${sizeText(bytes)} in ${seconds.toFixed(1)} s`];
  if (identity !== null) {
    const { rows, tables, takenAt, schema, encryptionKeys, chain } = identity;
    const users = tables['users'] ?? 0;
    lines.push(`identity: ${users} users, ${rows} rows, as of ${takenAt}, schema ${schema}`);
    if (chain !== null) lines.push(`audit log: the anchor of its end is ${chain.sequence}:${chain.hash}`);
    for (const { id, secrets } of encryptionKeys) {
      lines.push(`needs the encryption key ${id} for ${secrets} secrets: keep it apart from the backup`);
    }
  }
  if (limiter === null) lines.push('limiter: not in it');
  else lines.push(`limiter: ${limiter.rules} live rules, ${limiter.callers} caller keys`);
  return lines.join('\n');
}

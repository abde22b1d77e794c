import { z } from 'zod';

/** What this program writes, and the only form that it reads. */
export const FORMAT = 1;

const file = z.string().regex(/^[a-z0-9_]+(?:\.[a-z0-9]+)+$/);
const name = z.string().regex(/^[a-z_][a-z0-9_]*$/);
const count = z.int().nonnegative();

/** What manifest.json of a backup holds. Never a key or anything else that is secret. */
export const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  createdAt: z.iso.datetime(),
  /** Null where the backup is without it. */
  identity: z
    .strictObject({
      /** When the snapshot was taken, by the database's clock: nothing later is in the backup. */
      takenAt: z.iso.datetime(),
      serverVersion: z.string(),
      /** Those that had run, oldest first. */
      migrations: z.array(z.string().regex(/^Migration\w+$/)).min(1),
      tables: z
        .array(
          z.strictObject({
            name,
            columns: z.array(name).min(1),
            rows: count,
            /** Of a partitioned table: the time of its oldest row; null where it has none, or is not partitioned. */
            since: z.iso.datetime().nullable(),
            file,
          }),
        )
        .min(1)
        .refine(
          (tables) => new Set(tables.map((table) => table.name)).size === tables.length,
          'a table is there twice',
        ),
      sequences: z.array(z.strictObject({ name, value: z.string().regex(/^\d{1,19}$/) })),
      /** By which encryption keys its secrets are sealed: ids, and how many secrets. */
      encryptionKeys: z.array(z.strictObject({ id: z.string(), secrets: count })),
      /** The end of the audit log's chain; null where nothing was sealed. */
      chain: z
        .strictObject({ sequence: z.string().regex(/^\d+$/), hash: z.string().regex(/^[0-9a-f]{64}$/) })
        .nullable(),
    })
    .nullable(),
  /** Null where the backup is without it. */
  limiter: z
    .strictObject({
      documents: z.array(
        z.strictObject({
          name: z.enum(['rules', 'callers']),
          revision: z.string(),
          file: file.endsWith('.json'),
        }),
      ),
    })
    .nullable(),
});

/** What a backup holds. */
export type Manifest = z.infer<typeof manifestSchema>;

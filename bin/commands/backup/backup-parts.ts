import { UsageError } from '../../usage.ts';

/** What a backup holds: identity's database, and what the limiter keeps in Redis. */
const PARTS = ['identity', 'limiter'] as const;
export type BackupPart = (typeof PARTS)[number];

/** @throws UsageError */
export function readPart(command: string, text: string | undefined): BackupPart | undefined {
  if (text === undefined) return undefined;
  const part = PARTS.find((each) => each === text);
  if (part === undefined) throw new UsageError(`${command}: --only "${text}" is none of ${PARTS.join(', ')}`);
  return part;
}

/** For a person: 34.2 MiB. */
export function sizeText(bytes: number): string {
  const mebibytes = bytes / 1_048_576;
  return mebibytes < 0.1 ? `${(bytes / 1024).toFixed(1)} KiB` : `${mebibytes.toFixed(1)} MiB`;
}

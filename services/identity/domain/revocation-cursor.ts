import { type LogPosition, START } from './revocation-feed.ts';

const FORM = /^(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,15})$/;
/** PostgreSQL's bigint ends here. */
const LAST_ID = 2n ** 63n - 1n;

/** A position in the form that watchers keep: opaque to them. */
export function writeCursor({ id, createdAt }: LogPosition): string {
  return Buffer.from(`${id}.${createdAt}`).toString('base64url');
}

/** Undefined for a text that is no cursor. */
export function readCursor(text: string): LogPosition | undefined {
  const [, id, createdAt] = FORM.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (id === undefined || createdAt === undefined || BigInt(id) > LAST_ID) return undefined;
  const position = id === '0' ? START : { id: BigInt(id), createdAt: Number(createdAt) };
  return writeCursor(position) === text ? position : undefined;
}

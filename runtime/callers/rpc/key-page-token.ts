const PREFIX = 'after:';
const PLACE = /^\d{1,16}\/[0-9a-f-]{36}$/;

/** Where a key stands in the list: when it was made, then its id. */
export interface KeyPlace {
  readonly createdAt: Date;
  readonly id: string;
}

/** Where the page after a key begins. Keys that come and go meanwhile don't move it. */
export function writeKeyPageToken({ createdAt, id }: KeyPlace): string {
  return Buffer.from(`${PREFIX}${createdAt.getTime()}/${id}`).toString('base64url');
}

/** The place of the key before the page, null for the first page; undefined for a text that is no token. */
export function readKeyPageToken(token: string): KeyPlace | null | undefined {
  if (token === '') return null;
  const text = Buffer.from(token, 'base64url').toString();
  const place = text.slice(PREFIX.length);
  if (!text.startsWith(PREFIX) || !PLACE.test(place)) return undefined;
  const [ms = '', id = ''] = place.split('/');
  return { createdAt: new Date(Number(ms)), id };
}

/** Oldest first. */
export function compareKeyPlaces(a: KeyPlace, b: KeyPlace): number {
  return a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/** Cost of one argon2id hash (RFC 9106 section 3.1). */
export interface Argon2idCost {
  /** Memory in KiB. */
  readonly memoryKiB: number;
  /** Passes over the memory. */
  readonly passes: number;
  /** Lanes. */
  readonly parallelism: number;
}

/** A stored argon2id hash with all that is needed to check a password against it. */
export interface Argon2idHash extends Argon2idCost {
  readonly salt: Buffer;
  readonly tag: Buffer;
}

/** The bounds keep a hash that somebody put into the database from eating the memory or the processor. */
const MAX_MEMORY_KIB = 262_144;
const MAX_PASSES = 10;
const MAX_PARALLELISM = 4;

const FORM =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Writes the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, base64 without padding. */
export function formatArgon2id({ memoryKiB, passes, parallelism, salt, tag }: Argon2idHash): string {
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

/** Reads the PHC string format. Null where it is another format, or costs more than this process is willing to pay. */
export function parseArgon2id(text: string): Argon2idHash | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [memoryKiB = 0, passes = 0, parallelism = 0] = match.slice(1, 4).map(Number);
  if (memoryKiB > MAX_MEMORY_KIB || passes > MAX_PASSES || parallelism > MAX_PARALLELISM) return null;
  if (memoryKiB < 8 * parallelism) return null;
  const [salt, tag] = match.slice(4).map((part) => Buffer.from(part, 'base64'));
  if (salt === undefined || tag === undefined) return null;
  return { memoryKiB, passes, parallelism, salt, tag };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

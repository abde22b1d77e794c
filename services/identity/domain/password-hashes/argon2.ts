import { argon2, timingSafeEqual } from 'node:crypto';
import { accepted, type Parsed, rejected } from '../parsed.ts';
import type { StoredHash } from './stored-hash.ts';
import { fits, formatUnpaddedBase64, parseUnpaddedBase64 } from './unpadded-base64.ts';

/** Cost of one argon2 hash (RFC 9106 section 3.1). */
export interface Argon2Cost {
  /** Memory in KiB. */
  readonly memoryKiB: number;
  /** Passes over the memory. */
  readonly passes: number;
  /** Lanes. */
  readonly parallelism: number;
}

/** What a hash is made with. */
export interface Argon2Parameters extends Argon2Cost {
  readonly variant: 'argon2id' | 'argon2i' | 'argon2d';
  readonly salt: Buffer;
}

/** A stored argon2 hash with all that is needed to check a password against it. */
export interface Argon2Hash extends StoredHash, Argon2Parameters {
  readonly tag: Buffer;
}

/**
 * The bounds keep a hash that somebody put into the database from eating the memory or the processor. They admit the
 * defaults of the usual libraries (100 MiB, two passes, eight lanes), but not 2 GiB, the first choice of RFC 9106.
 */
const MAX_MEMORY_KIB = 262_144;
const MAX_PASSES = 10;
const MAX_PARALLELISM = 16;
/** RFC 9106 section 3.1 asks for 8 bytes of salt at least; a shorter tag than 16 is matched by chance too soon. */
const SALT_BYTES = { min: 8, max: 64 };
const TAG_BYTES = { min: 16, max: 64 };

const PARAMETERS = /^m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})$/;

/** Derives a tag of `tagBytes` from a password, on a thread of libuv's. */
export function deriveArgon2(
  password: string,
  { variant, salt, memoryKiB, passes, parallelism }: Argon2Parameters,
  tagBytes: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2(
      variant,
      {
        message: Buffer.from(password, 'utf8'),
        nonce: salt,
        memory: memoryKiB,
        passes,
        parallelism,
        tagLength: tagBytes,
      },
      (error, tag) => (error === null ? resolve(tag) : reject(error)),
    );
  });
}

/** The hash that has this tag. */
export function argon2Hash(parameters: Argon2Parameters, tag: Buffer): Argon2Hash {
  const { variant, memoryKiB, passes, parallelism, salt } = parameters;
  return {
    algorithm: variant,
    cost: `${variant} m=${memoryKiB} t=${passes} p=${parallelism}`,
    verify: async (password) => timingSafeEqual(await deriveArgon2(password, parameters, tag.length), tag),
    ...{ variant, memoryKiB, passes, parallelism, salt, tag },
  };
}

/** Writes the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, base64 without padding. */
export function formatArgon2({ variant, memoryKiB, passes, parallelism, salt, tag }: Argon2Hash): string {
  const cost = `m=${memoryKiB},t=${passes},p=${parallelism}`;
  return `$${variant}$v=19$${cost}$${formatUnpaddedBase64(salt)}$${formatUnpaddedBase64(tag)}`;
}

/** Reads argon2id, argon2i and argon2d of version 1.3 in PHC string format. Null where it is none of them. */
export function parseArgon2(text: string): Parsed<Argon2Hash> | null {
  const [, variant, rest = ''] = /^\$(argon2id|argon2i|argon2d)\$(.*)$/s.exec(text) ?? [];
  if (variant !== 'argon2id' && variant !== 'argon2i' && variant !== 'argon2d') return null;

  const parts = rest.split('$');
  // Before version 1.3 the string had no version.
  if (parts[0] !== 'v=19')
    return rejected('must be of argon2 version 1.3 (v=19): older ones are not supported');
  const [, parameters = '', encodedSalt = '', encodedTag = ''] = parts;
  if (/,(?:keyid|data)=/.test(parameters)) {
    return rejected('must not have the argon2 parameters keyid or data: they are not supported');
  }
  const match = PARAMETERS.exec(parameters);
  const salt = parseUnpaddedBase64(encodedSalt);
  const tag = parseUnpaddedBase64(encodedTag);
  if (parts.length !== 4 || match === null || !fits(salt, SALT_BYTES) || !fits(tag, TAG_BYTES)) {
    return rejected(
      `must be $${variant}$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<hash> with a salt of ${SALT_BYTES.min} to ${SALT_BYTES.max} bytes and a hash of ${TAG_BYTES.min} to ${TAG_BYTES.max}, in base64 without padding`,
    );
  }
  const [memoryKiB = 0, passes = 0, parallelism = 0] = match.slice(1).map(Number);
  if (memoryKiB > MAX_MEMORY_KIB || passes > MAX_PASSES || parallelism > MAX_PARALLELISM) {
    return rejected(
      `must have argon2 parameters of at most m=${MAX_MEMORY_KIB}, t=${MAX_PASSES} and p=${MAX_PARALLELISM}`,
    );
  }
  if (memoryKiB < 8 * parallelism)
    return rejected('must have argon2 parameters with m of at least 8 times p');
  return accepted(argon2Hash({ variant, memoryKiB, passes, parallelism, salt }, tag));
}

import { z } from 'zod';
import { CALLER_NAME } from './caller.ts';
import { publicJwkSchema } from './jwks.ts';

const callerName = z.string().regex(CALLER_NAME, {
  error: 'must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit',
});
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, { error: 'must be a SHA-256 in hex (64 digits); `optix callers hash` prints it' })
  .transform((text) => text.toLowerCase());
const someText = z
  .string()
  .min(1, { error: 'must not be empty' })
  .max(512, { error: 'must have at most 512 characters' });

const certificateSchema = z
  .strictObject({
    uri: someText.optional(),
    dns: someText.optional(),
    common_name: someText.optional(),
    // As openssl prints it, with colons, or without.
    sha256: z
      .string()
      .transform((text) => text.replaceAll(':', ''))
      .pipe(digest)
      .optional(),
  })
  .refine(hasOneField, { error: 'must have one of uri, dns, common_name and sha256' });

const callerSchema = z
  .strictObject({
    name: callerName,
    scopes: z.array(z.string()).min(1, { error: 'must not be empty' }),
    api_keys: z.array(digest).default([]),
    certificates: z.array(certificateSchema).default([]),
    service_tokens: z.array(z.strictObject({ issuer: someText, subject: someText })).default([]),
  })
  .refine(
    (caller) => caller.api_keys.length + caller.certificates.length + caller.service_tokens.length > 0,
    {
      error: 'must have api_keys, certificates or service_tokens',
    },
  );

const issuerSchema = z
  .strictObject({
    issuer: someText,
    audience: someText.optional(),
    jwks_file: someText.optional(),
    jwks_url: z
      .string()
      .refine(isKeySetUrl, { error: 'must be an https:// URL without a password' })
      .optional(),
    keys: z.array(publicJwkSchema).min(1, { error: 'must not be empty' }).optional(),
  })
  .refine(({ jwks_file, jwks_url, keys }) => hasOneField({ jwks_file, jwks_url, keys }), {
    error: 'must have one of jwks_file, jwks_url and keys',
  });

/** The form of the callers file. */
export const callersSchema = z.strictObject({
  callers: z.array(callerSchema),
  issuers: z.array(issuerSchema).default([]),
  policy: z
    .record(
      z.string(),
      z.strictObject({ callers: z.array(callerName).min(1, { error: 'must not be empty' }) }),
    )
    .default({}),
});

/** The callers file as it is written, its form being good. */
export type WrittenCallers = z.output<typeof callersSchema>;

function hasOneField(fields: Readonly<Record<string, unknown>>): boolean {
  return Object.values(fields).filter((value) => value !== undefined).length === 1;
}

/** Keys that come over cleartext are anybody's; on loopback that is this machine, for development. */
function isKeySetUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  const isLoopback = /^(?:127(?:\.\d+){3}|\[::1\]|localhost)$/.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}

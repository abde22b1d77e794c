import { createHash, randomBytes } from 'node:crypto';

/** A text that stands nowhere else. */
export const randomText = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;

/** What must be told nowhere, by what it is. More is added as it comes into being. */
export const secrets: Record<string, string | Uint8Array> = {
  'encryption key': randomBytes(32),
  ...Object.fromEntries(
    [
      'API key of ops',
      'API key of identity',
      'API key of nobody',
      'mail password',
      'Redis password',
      'collector key',
      'password',
      'wrong password',
      'cookie',
      'header',
      'original authorization',
      'query',
      'body',
      'identifier',
      'endpoint',
      'role',
      'fingerprint',
      'user agent',
      'name of a person',
      'refused token',
    ].map((name) => [name, randomText(name.replaceAll(' ', '-'))]),
  ),
  // Personal, and as little for a log.
  'address of a user': `${randomText('ada')}@example.com`,
  'address of nobody': `${randomText('eve')}@example.com`,
  'address of the new': `${randomText('bob')}@example.com`,
};
export const secret = (name: string): string => secrets[name] as string;

/** SHA-256 of one, as settings of caller keys have it. */
export const digest = (name: string) => createHash('sha256').update(secret(name)).digest('hex');

/** What a gateway, a browser or a mistaken client sends along. */
export const plantedHeaders = () => ({
  cookie: `session=${secret('cookie')}`,
  'x-secret': secret('header'),
  'proxy-authorization': `Basic ${secret('header')}`,
  'x-optix-authorization': `Bearer ${secret('API key of nobody')}`,
  'x-secret-bin': Buffer.from(secret('header')).toString('base64'),
});

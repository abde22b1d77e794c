import crypto from 'node:crypto';

/**
 * The command line runs on the Node that package.json's `engines` names; the services hash passwords by node:crypto, which has
 * Argon2 since Node 24.7.
 *
 * @throws Error where this Node is older
 */
export function requireServicesNode(): void {
  if (typeof crypto.argon2 === 'function') return;
  throw new Error(`the services need Node 24.7 or newer, for its argon2; this is ${process.versions.node}`);
}

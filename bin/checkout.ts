import { fileURLToPath } from 'node:url';

/** The directory that this program was checked out to. */
export const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

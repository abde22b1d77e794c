import { fileURLToPath } from 'node:url';

/** The directory that holds this program: a checkout, or what was built of one. */
export const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

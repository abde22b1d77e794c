import { CHECKOUT } from './checkout.ts';

/**
 * Where `.env` and the embedded stack's data are: the checkout or, where this is the installed package, whose folder npm
 * replaces, the current directory.
 */
export const HOME_DIRECTORY = import.meta.url.endsWith('.ts') ? CHECKOUT : process.cwd();

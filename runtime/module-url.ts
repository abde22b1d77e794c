import { extname } from 'node:path';

/**
 * Where a module of this program lies that is run by its address (a thread, a process) and not imported: `.ts` in a checkout,
 * `.js` in the package, whose compiler rewrites the specifiers of imports only.
 *
 * @param specifier relative, without extension
 * @param importer `import.meta.url` of the module that names it
 */
export function moduleUrl(specifier: string, importer: string): URL {
  return new URL(`${specifier}${extname(importer)}`, importer);
}

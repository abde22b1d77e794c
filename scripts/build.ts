// Builds what the package offers and runs, for `npm pack`: Node does not strip types of packages. Into dist/.
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runCommand } from './run-command.ts';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
for (const project of ['tsconfig.build.json', 'tsconfig.declarations.json']) {
  const { code } = await runCommand('tsc', ['-p', project]);
  if (code !== 0) throw new Error('the package can not be built');
}

// What programs read from beside their modules.
for (const name of globSync('services/**/*.{lua,sql}', { cwd: ROOT })) {
  cpSync(join(ROOT, name), join(ROOT, 'dist', name));
}
const { name, version, type } = manifest;
writeFileSync(join(ROOT, 'dist/package.json'), `${JSON.stringify({ name, version, type }, null, 2)}\n`);

// The compiler leaves the specifiers of declarations as they are, which not every tool understands.
for (const name of globSync('dist/**/*.d.ts', { cwd: ROOT })) {
  const text = readFileSync(join(ROOT, name), 'utf8');
  writeFileSync(join(ROOT, name), text.replace(/(from |import\()(["'])(\.[^"']*)\.ts\2/g, '$1$2$3.js$2'));
}

const promised = ['dist/bin/optix.js', ...Object.values(manifest.exports).flatMap(Object.values)];
const missing = promised.filter((file) => !existsSync(join(ROOT, file)));
if (missing.length > 0) throw new Error(`the package promises what was not built: ${missing.join(', ')}`);

// Builds what the package offers, for `npm pack`: Node does not strip types of packages. Into dist/.
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runCommand } from './run-command.ts';

/** Every file that the package's `exports` name. */
function exportedFiles(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  return Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
}

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
const { code } = await runCommand('tsc', ['-p', 'tsconfig.build.json']);
if (code !== 0) throw new Error('the package can not be built');

// The compiler leaves the specifiers of declarations as they are, which not every tool understands.
for (const name of globSync('dist/**/*.d.ts', { cwd: ROOT })) {
  const text = readFileSync(join(ROOT, name), 'utf8');
  writeFileSync(join(ROOT, name), text.replace(/(from |import\()(["'])(\.[^"']*)\.ts\2/g, '$1$2$3.js$2'));
}

const missing = exportedFiles().filter((file) => !existsSync(join(ROOT, file)));
if (missing.length > 0) throw new Error(`package.json exports what was not built: ${missing.join(', ')}`);

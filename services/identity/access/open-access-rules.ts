import { InvalidFile } from '../../../runtime/invalid-file.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { InvalidSettings } from '../../../runtime/settings.ts';
import type { AccessDeps } from '../domain/access/decide-access.ts';
import { accessSettings } from '../settings/access-settings.ts';
import { NO_ACCESS_RULES } from './access-rules-document.ts';
import { accessRulesOf, loadAccessRulesText } from './access-rules-file.ts';
import { AccessRulesFileWatch } from './access-rules-file-watch.ts';

/**
 * The access rules as they are at any time: of a file that is read anew when it changes, or, where there is none, that a
 * good token is required.
 *
 * @throws InvalidSettings where the file can't be used
 */
export async function openAccessRules(
  path: string | undefined,
  resources: AsyncDisposableStack,
  logger: Logger,
): Promise<AccessDeps['accessRules']> {
  if (path === undefined) return () => NO_ACCESS_RULES;
  try {
    const text = await loadAccessRulesText(path);
    let rules = accessRulesOf(path, text);
    resources.use(
      new AccessRulesFileWatch({
        path,
        current: text,
        logger,
        onChange: (next) => {
          rules = next;
        },
      }),
    );
    return () => rules;
  } catch (error) {
    if (!(error instanceof InvalidFile)) throw error;
    throw new InvalidSettings(
      error.problems.map((problem) => `${accessSettings.accessRulesFile.env} ${problem}`),
    );
  }
}

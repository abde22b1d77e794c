import { FileWatch } from '../../../runtime/file-watch.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { AccessRules } from '../domain/access/access-rules.ts';
import { accessRulesOf, loadAccessRulesText } from './access-rules-file.ts';

export interface AccessRulesFileWatchOptions {
  readonly path: string;
  /** The content that is in force. */
  readonly current: string;
  readonly logger: Logger;
  /** Called with the rules of each new content that is good. */
  readonly onChange: (rules: AccessRules) => void;
  /** How often the file is read, in ms. Default: 300. */
  readonly everyMs?: number;
}

/** Watches an access rules file. What can't be used is refused whole and logged once; the rules stay as they are. */
export class AccessRulesFileWatch extends FileWatch<string> {
  constructor({ path, current, logger, onChange, everyMs = 300 }: AccessRulesFileWatchOptions) {
    super({
      current,
      everyMs,
      load: () => loadAccessRulesText(path),
      digestOf: (text) => text,
      take(text) {
        onChange(accessRulesOf(path, text));
        logger.info({ file: path }, 'access rules read anew');
      },
      refuse(problems) {
        logger.error(
          { file: path, problems },
          'the access rules file is refused: the rules stay as they were',
        );
      },
    });
  }
}

import { textSetting } from '../../../runtime/settings.ts';

/** What gateways ask identity on behalf of other services. */
export const accessSettings = {
  accessRulesFile: textSetting(
    'ACCESS_RULES_FILE',
    undefined,
    'What requests through a gateway require, by host, method and path: a YAML file, read anew when it changes. Unset: a good token, beside what the gateway asks for itself.',
  ),
};

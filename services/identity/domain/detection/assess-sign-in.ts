import type { Finding } from './finding.ts';
import { impossibleTravel } from './impossible-travel.ts';
import { newCountry } from './new-country.ts';
import { newDevice } from './new-device.ts';
import type { AssessedSignIn } from './sign-in.ts';

/**
 * All that the rules about a single sign-in find, in the order of DETECTION_RULES; nothing where the user has not signed in
 * before. Knows nothing of what is configured: findings whose response is `off` are the caller's to leave out.
 */
export function assessSignIn(signIn: AssessedSignIn): readonly Finding[] {
  return [newDevice(signIn), newCountry(signIn), impossibleTravel(signIn)].filter((found) => found !== null);
}

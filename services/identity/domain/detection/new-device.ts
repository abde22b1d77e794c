import { type Finding, finding } from './finding.ts';
import type { AssessedSignIn } from './sign-in.ts';

/**
 * A user who has signed in before does so from a device that none of the past sign-ins names, by id or by fingerprint.
 * Nothing is found where this sign-in names neither: a caller that does not tell devices apart must not raise one a sign-in.
 */
export function newDevice({ device, history }: AssessedSignIn): Finding | null {
  const { id, fingerprint } = device;
  if (history.length === 0 || (id === null && fingerprint === null)) return null;
  const known = history.some(
    (past) =>
      (id !== null && past.deviceId === id) || (fingerprint !== null && past.fingerprint === fingerprint),
  );
  if (known) return null;
  return finding('new_device', 'A user signed in from a device not seen before.', {
    past_sign_ins: history.length,
  });
}

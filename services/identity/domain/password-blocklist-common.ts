import type { PasswordBlocklist } from './password-blocklist.ts';

/**
 * The common passwords and dictionary words that come with the service: 57,000 from zxcvbn's lists, of which the 21,000
 * with 8 characters or more can matter. Loading takes some 40 ms and 4 MB, once a process: at the start, so that no call
 * waits for it.
 */
export async function loadCommonPasswords(): Promise<PasswordBlocklist> {
  // Not at the head of the file: whatever else needs this module's neighbours would pay for it too.
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  const listed = new Set<string>();
  for (const words of Object.values(dictionary)) {
    for (const word of words) {
      if (word.length >= 8) listed.add(word.toLowerCase());
    }
  }
  return { has: async (password) => listed.has(password.toLowerCase()) };
}

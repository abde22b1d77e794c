import type { NormalizedPassword } from './password-policy.ts';

/** Passwords that nobody may choose, because attackers know them. */
export interface PasswordBlocklist {
  /**
   * Whether the whole password is listed, in any case of letters as far as the list allows to tell.
   *
   * @throws PasswordBlocklistUnreadable
   */
  has(password: NormalizedPassword): Promise<boolean>;
}

/** A blocklist could be opened, but can't be read any more. */
export class PasswordBlocklistUnreadable extends Error {
  constructor(options?: ErrorOptions) {
    super('the list of refused passwords can not be read', options);
    this.name = 'PasswordBlocklistUnreadable';
  }
}

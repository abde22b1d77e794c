import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';

/** A mail as it arrived (RFC 5322), read as far as tests need it. */
export interface ArrivedMail {
  readonly to: string;
  readonly subject: string;
  /** What the mail lets its reader do, where it does. */
  readonly token: string | undefined;
}

/** Reads the text of a mail. */
export function readMail(source: string): ArrivedMail {
  // Quoted-printable (RFC 2045 section 6.7) breaks long lines; tokens have no characters that it encodes.
  const text = source.replace(/=\r?\n/g, '');
  return {
    to: /^To: (.*)$/m.exec(text)?.[1]?.trim() ?? '',
    subject: /^Subject: (.*)$/m.exec(text)?.[1]?.trim() ?? '',
    token: /^Your code: (\S+)/m.exec(text)?.[1],
  };
}

/** The mails to an address in a directory of `.eml` files, oldest first. */
export function mailsTo(directory: string, address: string): ArrivedMail[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.eml'));
  return names
    .sort()
    .map((name) => readMail(readFileSync(join(directory, name), 'utf8')))
    .filter(({ to }) => to === address);
}

/** Waits for the `count`th mail with this subject, and gives the token in it. */
export async function mailedToken(
  directory: string,
  address: string,
  subject: string,
  count = 1,
): Promise<string> {
  return await vi.waitFor(
    () => {
      const mails = mailsTo(directory, address).filter((mail) => mail.subject === subject);
      const token = mails[count - 1]?.token;
      if (token === undefined)
        throw new Error(`${mails.length} mails "${subject}" came, none the ${count}th`);
      return token;
    },
    { timeout: 10_000, interval: 50 },
  );
}

/** A mail in words. */
export interface RenderedMail {
  readonly to: string;
  readonly subject: string;
  /** Plain text, lines of at most 998 bytes, ended by `\n`. */
  readonly text: string;
}

/** Hands mails over to whatever carries them. */
export interface Mailer {
  /**
   * Fulfilled once the mail is in another's hands.
   *
   * @throws MailRefused where it will never be taken; any other error where it may be later; the signal's reason.
   */
  send(mail: RenderedMail, signal: AbortSignal): Promise<void>;
}

/** The next hop refused the mail for good. Repeats no address. */
export class MailRefused extends Error {
  /** Reply code of SMTP (RFC 5321 section 4.2.1), 500 to 599. */
  readonly replyCode: number;

  constructor(replyCode: number) {
    super(`the mail was refused for good, with reply code ${replyCode}`);
    this.name = 'MailRefused';
    this.replyCode = replyCode;
  }
}

/** The mail could not be handed over now. Repeats no address and nothing of what the server said. */
export class MailNotTaken extends Error {
  /** For example `ECONNREFUSED` or `ETIMEDOUT`. */
  readonly code: string;
  /** Reply code of SMTP, where there was a reply. */
  readonly replyCode: number | null;

  constructor(code: string, replyCode: number | null) {
    super(
      `the mail could not be handed over: ${code}${replyCode === null ? '' : `, reply code ${replyCode}`}`,
    );
    this.name = 'MailNotTaken';
    this.code = code;
    this.replyCode = replyCode;
  }
}

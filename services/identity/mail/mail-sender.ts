/** Whom mails come from. */
export interface MailSender {
  /** May be empty. */
  readonly name: string;
  readonly address: string;
}

const FORM = /^(?:([^<>"\p{Cc}]{0,100}?) *<([^<>]+)>|([^<>]+))$/u;
/** Wider than what users may have: on a developer's machine `localhost` is a domain. */
const ADDRESS = /^[\w.+-]{1,64}@[a-z0-9.-]{1,189}$/i;

/**
 * Reads MAIL_FROM: `no-reply@example.com` or `Example <no-reply@example.com>`.
 *
 * @throws Error whose message continues a sentence that starts with the setting's name.
 */
export function parseMailSender(text: string): MailSender {
  const [, name = '', inBrackets, bare] = FORM.exec(text) ?? [];
  const address = inBrackets ?? bare ?? '';
  if (!ADDRESS.test(address)) throw new Error('must be name@example.com or Name <name@example.com>');
  return { name, address };
}

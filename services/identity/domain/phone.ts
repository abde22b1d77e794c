import { accepted, type Parsed, rejected } from './parsed.ts';

/** A telephone number in E.164 form. Made by {@link parsePhone} only. */
export type PhoneNumber = string & { readonly __brand: 'PhoneNumber' };

/** ITU-T E.164 section 6: country code first, at most 15 digits. The shortest numbers in use have seven. */
const E164 = /^\+[1-9]\d{6,14}$/;

/** Reads an E.164 number such as `+4915112345678`: no spaces, no national prefix. */
export function parsePhone(text: string): Parsed<PhoneNumber> {
  return E164.test(text)
    ? accepted(text as PhoneNumber)
    : rejected('must be an E.164 number, for example +4915112345678');
}

/** RFC 4648 section 6. */
const RFC_4648 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * Bytes in base32, without padding.
 *
 * @param alphabet 32 characters. Default: RFC 4648's.
 */
export function base32(bytes: Uint8Array, alphabet: string = RFC_4648): string {
  let text = '';
  let pending = 0;
  let pendingBits = 0;
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    pendingBits += 8;
    while (pendingBits >= 5) {
      pendingBits -= 5;
      text += alphabet.charAt((pending >>> pendingBits) & 31);
    }
    pending &= (1 << pendingBits) - 1;
  }
  return pendingBits === 0 ? text : text + alphabet.charAt((pending << (5 - pendingBits)) & 31);
}

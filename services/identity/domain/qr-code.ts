import { renderSVG } from 'uqr';

/** Modules around the code that stay white: ISO/IEC 18004 asks for four. */
const QUIET_ZONE = 4;

/**
 * A text as a QR code: an SVG document by itself, black on white whatever is behind it, without size, so that it fills
 * what it is put in. Error correction M, which mends 15%.
 *
 * @throws RangeError where the text is longer than a QR code holds: 2331 bytes of UTF-8.
 */
export function qrSvg(text: string): string {
  return renderSVG(text, { ecc: 'M', border: QUIET_ZONE });
}

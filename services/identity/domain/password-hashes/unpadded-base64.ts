/** Writes base64 without padding, as the PHC string format has it. */
export function formatUnpaddedBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** Reads it. Null where the text is not exactly what {@link formatUnpaddedBase64} writes. */
export function parseUnpaddedBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is not base64: only the way back tells.
  return formatUnpaddedBase64(bytes) === text ? bytes : null;
}

/** Whether there are bytes, of a length within the range. */
export function fits(
  bytes: Buffer | null,
  range: { readonly min: number; readonly max: number },
): bytes is Buffer {
  return bytes !== null && bytes.length >= range.min && bytes.length <= range.max;
}

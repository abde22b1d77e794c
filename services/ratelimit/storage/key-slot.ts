/** Slots of a Redis Cluster. */
export const SLOTS = 16_384;

/** CRC-16/XMODEM, by bytes. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a key in a Redis Cluster: that of what stands between the first `{` and the next `}`, where there is
 * something between them (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
 */
export function keySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const tagged = close > open + 1;
  const end = tagged ? close : key.length;
  let crc = 0;
  for (let at = tagged ? open + 1 : 0; at < end; at++) {
    const unit = key.charCodeAt(at);
    // Beyond ASCII a character has several bytes, and an identifier may hold any.
    if (unit > 0x7f) return slotOfBytes(Buffer.from(tagged ? key.slice(open + 1, close) : key));
    crc = ((crc << 8) & 0xffff) ^ (CRC[(crc >> 8) ^ unit] as number);
  }
  return crc % SLOTS;
}

const tags = new Map<number, string>();

/** A hash tag (what stands between the braces) whose keys are in a slot. Takes some ms the first time. */
export function tagIn(slot: number): string {
  let tag = tags.get(slot);
  for (let number = 0; tag === undefined; number++) {
    if (keySlot(`${number}`) === slot) tag = `${number}`;
  }
  tags.set(slot, tag);
  return tag;
}

function slotOfBytes(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC[(crc >> 8) ^ byte] as number);
  return crc % SLOTS;
}

const INITIAL_BYTES = 1_024;
/** A buffer that one huge message made this large is not kept. */
const MOST_KEPT_BYTES = 1_048_576;
const LENGTH_DELIMITED = 2;
/** Longest texts that are faster to copy here, character by character, than by a call into native code. */
const SHORT_TEXT = 40;
/** Most bytes of a character of UTF-16 in UTF-8. */
const BYTES_A_UNIT = 3;

/**
 * Writes protobuf's binary form (https://protobuf.dev/programming-guides/encoding), field by field, into one buffer that
 * is used again. For the few answers that are made so often that the generic encoder shows; fields must come in the
 * order of their numbers for the bytes to be the same. What has its type's default is left out.
 */
export class WireWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** Begins anew, whatever became of the message before. */
  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > MOST_KEPT_BYTES) this.#buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  }

  /** The bytes so far, as a copy. */
  finish(): Buffer {
    return Buffer.copyBytesFrom(this.#buffer, 0, this.#length);
  }

  bool(field: number, value: boolean): void {
    if (value) this.uint(field, 1);
  }

  /** uint32, and enums and 64-bit integers that are not negative: 0 to 2^53 - 1. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(15);
    this.#varint(field << 3);
    this.#varint(value);
  }

  text(field: number, value: string): void {
    if (value === '') return;
    this.#reserve(10 + BYTES_A_UNIT * value.length);
    const start = this.begin(field);
    const buffer = this.#buffer;
    let at = this.#length;
    if (value.length <= SHORT_TEXT) {
      for (let index = 0; index < value.length; index += 1) {
        const unit = value.charCodeAt(index);
        if (unit > 0x7f) {
          at = start + buffer.write(value, start);
          break;
        }
        buffer[at++] = unit;
      }
    } else at += buffer.write(value, at);
    this.#length = at;
    this.end(start);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#reserve(10 + value.length);
    this.#varint((field << 3) | LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Begins a message in a field; tells where its content starts, for end(). */
  begin(field: number): number {
    this.#reserve(6);
    this.#varint((field << 3) | LENGTH_DELIMITED);
    // Room for the length, which mostly takes one byte.
    this.#length += 1;
    return this.#length;
  }

  /** Ends the message whose content starts there. */
  end(start: number): void {
    const length = this.#length - start;
    const more = length < 0x80 ? 0 : Math.floor(Math.log2(length) / 7);
    if (more > 0) {
      this.#reserve(more);
      this.#buffer.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  #varint(value: number): void {
    const buffer = this.#buffer;
    let at = this.#length;
    let rest = value;
    while (rest > 0x7f) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[at++] = rest;
    this.#length = at;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

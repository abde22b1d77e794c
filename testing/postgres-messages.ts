/** Message types of a client that end a statement: Query and Sync. */
const ENDS = new Set(['Q', 'S'].map((type) => type.charCodeAt(0)));
const LENGTH_BYTES = 4;
const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;

/**
 * Splits what a client of PostgreSQL sends into its beginning (start-up and password) and statements: a Query, or all
 * messages up to a Sync. Bytes are handed on as they came.
 */
export class StatementReader {
  readonly #onPart: (bytes: Buffer, isStatement: boolean) => void;
  #bytes: Buffer = Buffer.alloc(0);
  /** Messages of a statement whose end has not come. */
  #begun = 0;
  #hasStarted = false;

  constructor(onPart: (bytes: Buffer, isStatement: boolean) => void) {
    this.#onPart = onPart;
  }

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#readStartUp() || this.#readMessage());
  }

  /** Messages before the first have no type (chapter 54.7: StartupMessage). */
  #readStartUp(): boolean {
    if (this.#hasStarted || this.#bytes.length < 2 * LENGTH_BYTES) return false;
    const length = this.#bytes.readUInt32BE(0);
    if (this.#bytes.length < length) return false;
    const code = this.#bytes.readUInt32BE(LENGTH_BYTES);
    this.#hasStarted = code !== SSL_REQUEST && code !== CANCEL_REQUEST;
    this.#take(length, false);
    return true;
  }

  #readMessage(): boolean {
    const { length: known } = this.#bytes;
    if (!this.#hasStarted || known < this.#begun + 1 + LENGTH_BYTES) return false;
    const end = this.#begun + 1 + this.#bytes.readUInt32BE(this.#begun + 1);
    if (known < end) return false;
    const type = this.#bytes.readUInt8(this.#begun);
    this.#begun = end;
    // A password stands alone: the server answers it, and the client waits for that.
    if (type === 'p'.charCodeAt(0) || type === 'X'.charCodeAt(0)) this.#take(end, false);
    else if (ENDS.has(type)) this.#take(end, true);
    return true;
  }

  #take(length: number, isStatement: boolean): void {
    const part = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    this.#begun = 0;
    this.#onPart(part, isStatement);
  }
}

/** Tells when a server has carried out a statement: its answer ends with ReadyForQuery. */
export class AnswerReader {
  #last: Buffer = Buffer.alloc(0);

  /** @returns whether the answer is complete with these bytes. */
  push(bytes: Buffer): boolean {
    // Type, a length of five, and the state of the transaction (chapter 54.7).
    this.#last = Buffer.concat([this.#last, bytes]).subarray(-6);
    return this.#last.length === 6 && this.#last[0] === 'Z'.charCodeAt(0) && this.#last.readUInt32BE(1) === 5;
  }
}

/** Bytes that can be read from any position, as a file's. */
export interface ByteSource {
  /** In bytes. */
  readonly size: number;
  /** Reads up to `length` bytes from `position`: fewer only where the source ends. */
  read(position: number, length: number): Promise<Buffer>;
}

/** One page of most file systems. Lines have 43 to 60 bytes, so that at least one begins in every block but the last. */
const BLOCK_BYTES = 4096;
/** A SHA-1 digest in hexadecimal. */
const HASH_CHARACTERS = 40;
const MAX_LINE_BYTES = 64;
/** Positions looked at before a file is trusted: one that is not sorted does not pass by chance. */
const PROBES = 128;

const LINE = /^[0-9a-f]{40}(?::\d{1,20})?\r?$/i;

/**
 * A sorted list of SHA-1 digests, one a line, searched where it lies: one block read a step, halving, so 24 reads for
 * the 40 GB of Have I Been Pwned. Nothing is kept in memory.
 */
export class SortedHashes {
  readonly #source: ByteSource;
  readonly #blocks: number;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#blocks = Math.ceil(source.size / BLOCK_BYTES);
  }

  /** Whether a source begins with a line of such a list. */
  static async looksLike(source: ByteSource): Promise<boolean> {
    const start = await source.read(0, Math.min(source.size, MAX_LINE_BYTES + 1));
    return LINE.test(start.toString('latin1').split('\n', 1)[0] ?? '');
  }

  /** What is wrong with the list, found by samples: a line that is none, or two that are not in order. Null where it is good. */
  async problem(): Promise<string | null> {
    let before = '';
    let last = -1;
    for (let probe = 0; probe < PROBES; probe += 1) {
      const block = Math.floor((probe * (this.#blocks - 1)) / (PROBES - 1));
      if (block === last) continue;
      last = block;
      let hashes: readonly string[];
      try {
        hashes = await this.#hashesOf(block);
      } catch (error) {
        if (!(error instanceof SpoiltList)) throw error;
        return `has a line near byte ${block * BLOCK_BYTES} that is not a SHA-1 digest in hexadecimal`;
      }
      for (const hash of hashes) {
        if (hash < before) return `is not sorted by hash near byte ${block * BLOCK_BYTES}`;
        before = hash;
      }
    }
    return null;
  }

  /**
   * Whether a digest is listed. Throws where the list was spoilt since it was looked at.
   *
   * @param hash in lower-case hexadecimal
   */
  async has(hash: string): Promise<boolean> {
    let low = 0;
    let high = this.#blocks - 1;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const hashes = await this.#hashesOf(middle);
      const [first] = hashes;
      // In the last block none may begin; then all are before it.
      if (first === undefined || hash < first) high = middle - 1;
      else if (hash > (hashes.at(-1) ?? first)) low = middle + 1;
      else return hashes.includes(hash);
    }
    return false;
  }

  /** The digests of the lines that begin in a block. */
  async #hashesOf(block: number): Promise<readonly string[]> {
    // From the byte before it, which tells whether a line begins with the block, to the end of its last line.
    const from = Math.max(0, block * BLOCK_BYTES - 1);
    const end = (block + 1) * BLOCK_BYTES;
    const length = Math.min(end - from + MAX_LINE_BYTES, this.#source.size - from);
    const bytes = await this.#source.read(from, length);
    if (bytes.length < length) throw new SpoiltList('the list has become shorter');
    const text = bytes.toString('latin1');
    let start = block === 0 ? 0 : text.indexOf('\n') + 1;
    if (block > 0 && start === 0) return [];
    const hashes: string[] = [];
    while (from + start < end && start < text.length) {
      const newline = text.indexOf('\n', start);
      const line = text.slice(start, newline === -1 ? text.length : newline);
      if (!LINE.test(line)) throw new SpoiltList('a line is not a SHA-1 digest in hexadecimal');
      hashes.push(line.slice(0, HASH_CHARACTERS).toLowerCase());
      start = newline === -1 ? text.length : newline + 1;
    }
    return hashes;
  }
}

/** The list is not what it has to be. */
class SpoiltList extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'SpoiltList';
  }
}

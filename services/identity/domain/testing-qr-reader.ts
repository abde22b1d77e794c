/**
 * Reads a QR code (ISO/IEC 18004) from its SVG, for tests: written by the standard, with nothing of the library that
 * draws them. One byte segment, error correction M, versions 1 to 20; an image with any module wrong is an error.
 */
export function readQrSvg(svg: string): string {
  const modules = modulesOf(svg);
  const size = modules.length;
  const version = (size - 17) / 4;
  const isDark = (x: number, y: number) => modules[y]?.[x] === true;
  const mask = maskOf(isDark, size);

  const bits: number[] = [];
  const isFunction = functionModules(version, size);
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const isUpward = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = isUpward ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (!isFunction(x, y)) bits.push(Number(isDark(x, y) !== isMasked(mask, x, y)));
      }
    }
  }
  return textOf(dataOf(bytesOf(bits), version), version);
}

/** The dark modules, without the quiet zone, which has to be four modules of white. */
function modulesOf(svg: string): boolean[][] {
  const [, view, ground, path] =
    /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 (\d+) \1"><rect fill="white" width="(\d+)" height="\2"\/><path fill="black" d="([^"]+)"\/><\/svg>$/.exec(
      svg,
    ) ?? [];
  if (path === undefined || view !== ground) throw new Error('not an SVG of dark modules on white');
  const squares = [...path.matchAll(/M(\d+),(\d+)h(\d+)v\3h-\3z/g)];
  if (squares.map(([text]) => text).join('') !== path) throw new Error('not a path of squares');
  const unit = Number(squares[0]?.[3]);
  const size = Number(view) / unit - 8;
  const modules = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  for (const [, x, y] of squares) {
    const row = modules[Number(y) / unit - 4];
    const column = Number(x) / unit - 4;
    if (row?.[column] === undefined) throw new Error('a dark module in the quiet zone');
    row[column] = true;
  }
  return modules;
}

/** The mask, from the format information: error correction M (00), the mask, and ten bits that check both. */
function maskOf(isDark: (x: number, y: number) => boolean, size: number): number {
  const first = [0, 1, 2, 3, 4, 5, 7, 8].map((y) => isDark(8, y));
  const rest = [7, 5, 4, 3, 2, 1, 0].map((x) => isDark(x, 8));
  const written = [...first, ...rest];
  const copy = written.map((_, bit) => (bit < 8 ? isDark(size - 1 - bit, 8) : isDark(8, size - 15 + bit)));
  const format = (flags: boolean[]) => flags.reduce((sum, flag, bit) => sum | (Number(flag) << bit), 0);
  for (let mask = 0; mask < 8; mask += 1) {
    let check = mask;
    for (let step = 0; step < 10; step += 1) check = (check << 1) ^ ((check >>> 9) * 0x537);
    const expected = ((mask << 10) | check) ^ 0x5412;
    if (format(written) === expected && format(copy) === expected) return mask;
  }
  throw new Error('no format information of error correction M');
}

function isMasked(mask: number, x: number, y: number): boolean {
  const product = x * y;
  const values = [
    (x + y) % 2,
    y % 2,
    x % 3,
    (x + y) % 3,
    (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
    (product % 2) + (product % 3),
    ((product % 2) + (product % 3)) % 2,
    (((x + y) % 2) + (product % 3)) % 2,
  ];
  return values[mask] === 0;
}

/** Which modules are patterns or tell of the code itself. */
function functionModules(version: number, size: number): (x: number, y: number) => boolean {
  const count = version === 1 ? 0 : Math.floor(version / 7) + 2;
  const gap = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const centres = Array.from({ length: count }, (_, index) =>
    index === 0 ? 6 : size - 7 - (count - 1 - index) * gap,
  );
  const alignments = centres.flatMap((x) => centres.map((y) => ({ x, y })));
  const isCorner = (x: number, y: number) =>
    (x < 9 && y < 9) || (x < 9 && y >= size - 8) || (x >= size - 8 && y < 9);
  return (x, y) =>
    isCorner(x, y) ||
    x === 6 ||
    y === 6 ||
    (version >= 7 && ((x < 6 && y >= size - 11) || (y < 6 && x >= size - 11))) ||
    alignments.some((at) => !isCorner(at.x, at.y) && Math.max(Math.abs(x - at.x), Math.abs(y - at.y)) <= 2);
}

function bytesOf(bits: readonly number[]): number[] {
  return Array.from({ length: Math.floor(bits.length / 8) }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((sum, bit) => (sum << 1) | bit, 0),
  );
}

/** Error correction M, by version: blocks, and bytes that correct errors in each. */
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];

/** The data bytes in order. Every block has to be a codeword as it stands. */
function dataOf(bytes: readonly number[], version: number): number[] {
  const count = BLOCKS[version - 1];
  const checks = CHECKS[version - 1];
  if (count === undefined || checks === undefined) throw new Error(`version ${version}`);
  const shorter = count - (bytes.length % count);
  const shortData = Math.floor(bytes.length / count) - checks;
  const blocks = Array.from({ length: count }, (): number[] => []);
  let next = 0;
  for (let column = 0; column <= shortData + checks; column += 1) {
    blocks.forEach((block, index) => {
      // The shorter blocks have no byte in the last column of data.
      if (column === shortData && index < shorter) return;
      block.push(bytes[next] ?? 0);
      next += 1;
    });
  }
  for (const block of blocks) {
    for (let power = 0; power < checks; power += 1) {
      const root = powerOfTwo(power);
      if (block.reduce((sum, byte) => multiply(sum, root) ^ byte, 0) !== 0) {
        throw new Error('a block with an error');
      }
    }
  }
  return blocks.flatMap((block) => block.slice(0, -checks));
}

/** In the field of 256 elements by x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(one: number, other: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((other >>> bit) & 1) * one;
  }
  return product;
}

function powerOfTwo(exponent: number): number {
  return exponent === 0 ? 1 : multiply(powerOfTwo(exponent - 1), 2);
}

/** A byte segment: its mode in four bits, its length in 8 or 16, its UTF-8. */
function textOf(data: readonly number[], version: number): string {
  const hex = Buffer.from(data).toString('hex');
  if (hex[0] !== '4') throw new Error('not a byte segment');
  const digits = version < 10 ? 2 : 4;
  const length = Number.parseInt(hex.slice(1, 1 + digits), 16);
  return Buffer.from(hex.slice(1 + digits, 1 + digits + 2 * length), 'hex').toString('utf8');
}

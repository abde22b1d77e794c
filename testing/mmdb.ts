import { writeFileSync } from 'node:fs';
import { encodeMmdbValue, mmdbUint } from './mmdb-value.ts';

export interface MmdbOptions {
  /** Bits of each of a node's two records. Default: 28. */
  readonly recordSize?: 24 | 28 | 32;
  /** A file of version 4 has no room for IPv6 networks. Default: 6. */
  readonly ipVersion?: 4 | 6;
  /** Default: `Test-City`. */
  readonly databaseType?: string;
}

/** What a bit of an address leads to: a node, the offset of data, or nothing. */
type Child = TreeNode | number | null;
type TreeNode = [zero: Child, one: Child];

const METADATA_MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
/** Stands between tree and data, so that a pointer to data is never the number of a node. */
const SEPARATOR = Buffer.alloc(16);

/**
 * Writes a file in the MaxMind DB format 2.0 (https://maxmind.github.io/MaxMind-DB/). Of networks that overlap, an address
 * has the data of the smallest. IPv4 networks stand at ::/96 and nowhere else: the aliases that MaxMind adds are left out.
 *
 * @param networks data by network, as `203.0.113.0/24`.
 */
export function writeMmdb(
  file: string,
  networks: Readonly<Record<string, object>>,
  { recordSize = 28, ipVersion = 6, databaseType = 'Test-City' }: MmdbOptions = {},
): void {
  const data: Buffer[] = [];
  let dataBytes = 0;
  const root: TreeNode = [null, null];
  const entries = Object.entries(networks).map(
    ([network, value]) => [prefixOf(network, ipVersion), value] as const,
  );
  // Larger networks first: smaller ones then take their part out of them.
  for (const [prefix, value] of entries.toSorted(([a], [b]) => a.length - b.length)) {
    insert(root, prefix, dataBytes);
    const encoded = encodeMmdbValue(value);
    data.push(encoded);
    dataBytes += encoded.length;
  }
  const nodes = numbered(root);
  const metadata = encodeMmdbValue({
    binary_format_major_version: mmdbUint('uint16', 2),
    binary_format_minor_version: mmdbUint('uint16', 0),
    build_epoch: mmdbUint('uint64', Math.floor(Date.now() / 1000)),
    database_type: databaseType,
    description: { en: 'made for a test' },
    ip_version: mmdbUint('uint16', ipVersion),
    languages: ['en'],
    node_count: mmdbUint('uint32', nodes.size),
    record_size: mmdbUint('uint16', recordSize),
  });
  const tree = encodeTree(nodes, recordSize);
  writeFileSync(file, Buffer.concat([tree, SEPARATOR, ...data, METADATA_MARKER, metadata]));
}

/** The bits that all addresses of a network begin with. */
function prefixOf(network: string, ipVersion: 4 | 6): string {
  const [address = '', length = ''] = network.split('/');
  if (!address.includes(':')) {
    const bits = address.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
    return `${ipVersion === 6 ? '0'.repeat(96) : ''}${bits.join('').slice(0, Number(length))}`;
  }
  if (ipVersion === 4) throw new Error(`${network} has no room in a file of version 4`);
  const [head = '', tail = ''] = address.split('::').map((part) => part.replaceAll(':', ' ').trim());
  const front = head.split(' ').filter(Boolean);
  const back = tail.split(' ').filter(Boolean);
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  const bits = [...front, ...zeros, ...back].map((group) =>
    Number.parseInt(group, 16).toString(2).padStart(16, '0'),
  );
  return bits.join('').slice(0, Number(length));
}

function insert(root: TreeNode, prefix: string, dataOffset: number): void {
  let node = root;
  for (const bit of prefix.slice(0, -1)) {
    const side = Number(bit) as 0 | 1;
    const child = node[side];
    const next: TreeNode = Array.isArray(child) ? child : [child, child];
    node[side] = next;
    node = next;
  }
  node[Number(prefix.at(-1)) as 0 | 1] = dataOffset;
}

/** The tree's nodes, each with its number, the root first. */
function numbered(root: TreeNode): ReadonlyMap<TreeNode, number> {
  const nodes = new Map([[root, 0]]);
  // A map is walked together with what is added on the way.
  for (const [node] of nodes) {
    for (const child of node) if (Array.isArray(child)) nodes.set(child, nodes.size);
  }
  return nodes;
}

function encodeTree(nodes: ReadonlyMap<TreeNode, number>, recordSize: 24 | 28 | 32): Buffer {
  const bytes = recordSize / 4;
  const tree = Buffer.alloc(nodes.size * bytes);
  const record = (child: Child): number => {
    if (child === null) return nodes.size;
    if (typeof child === 'number') return nodes.size + SEPARATOR.length + child;
    return nodes.get(child) as number;
  };
  for (const [[zero, one], number] of nodes) {
    const [left, right] = [record(zero), record(one)];
    const half = Math.floor(bytes / 2);
    const low = 2 ** (8 * half);
    // Of 28 bits a record, the four highest of both share the byte in the middle.
    if (recordSize === 28)
      tree[number * bytes + half] = (Math.floor(left / low) << 4) | Math.floor(right / low);
    tree.writeUIntBE(left % low, number * bytes, half);
    tree.writeUIntBE(right % low, (number + 1) * bytes - half, half);
  }
  return tree;
}

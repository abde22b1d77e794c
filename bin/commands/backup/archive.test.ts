import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { openProgress } from '../../output/progress.ts';
import { openArchive } from './archive.ts';
import { ArchiveWriter } from './archive-writer.ts';
import type { Manifest } from './manifest.ts';

const NEVER = new AbortController().signal;
const TABLE = { columns: ['id'], rows: 2, since: null };
const MANIFEST: Manifest = {
  format: 1,
  createdAt: '2026-11-22T10:00:00.000Z',
  identity: {
    takenAt: '2026-11-22T10:00:00.000Z',
    serverVersion: '18.4',
    migrations: ['Migration1_first'],
    tables: [{ ...TABLE, name: 'users', file: 'users.copy.gz' }],
    sequences: [{ name: 'revocations_id_seq', value: '7' }],
    encryptionKeys: [{ id: 'k1', secrets: 3 }],
    chain: null,
  },
  limiter: { documents: [{ name: 'rules', revision: '1.', file: 'limiter.rules.json' }] },
};
const ROWS = 'a\nb\n'.repeat(5_000);

let parent: string;
let directory: string;
beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'optix-archive-'));
  directory = join(parent, 'backup');
  await using writer = await ArchiveWriter.create(directory, NEVER);
  await writer.add('users.copy.gz', Readable.from([Buffer.from(ROWS)]));
  await writer.add('limiter.rules.json', '{"rules":[]}');
  await writer.publish(MANIFEST);
});

const file = (name: string) => join(directory, name);
const open = async () => await openArchive(directory, openProgress({ isTTY: false, write: () => true }));
const refusal = async () => await open().catch((error: Error) => error.message.replace(directory, 'DIR'));

function flipByte(name: string): void {
  const bytes = readFileSync(file(name));
  const place = Math.floor(bytes.length / 2);
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(file(name), bytes);
}

/** Another manifest, with its digest: as who writes one by hand. */
function replaceManifest(manifest: unknown): void {
  const content = JSON.stringify(manifest);
  const digestOf = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
  const before = digestOf(readFileSync(file('manifest.json')));
  writeFileSync(file('manifest.json'), content);
  const sums = readFileSync(file('SHA256SUMS'), 'utf8');
  writeFileSync(file('SHA256SUMS'), sums.replace(before, digestOf(content)));
}

it('gives back what was written', async () => {
  const archive = await open();
  expect(archive.manifest).toEqual(MANIFEST);
  expect(await text(archive.open('users.copy.gz'))).toBe(ROWS);
  expect(await text(archive.open('limiter.rules.json'))).toBe('{"rules":[]}');
  expect(archive.sizeOf('users.copy.gz')).toBeLessThan(ROWS.length);
});

it('is there under its name when it is whole, and not before; disposed of, nothing is', async () => {
  const other = join(parent, 'other');
  await using writer = await ArchiveWriter.create(other, NEVER);
  await writer.add('users.copy.gz', ROWS);
  expect(readdirSync(parent)).toEqual([expect.stringMatching(/^\.other\.unfinished-/), 'backup']);
  await writer[Symbol.asyncDispose]();
  expect(readdirSync(parent)).toEqual(['backup']);
});

it('is never written over anything', async () => {
  await expect(ArchiveWriter.create(directory, NEVER)).rejects.toThrow('is there already');
  await using late = await ArchiveWriter.create(join(parent, 'late'), NEVER);
  writeFileSync(join(parent, 'late'), 'mine');
  await expect(late.publish(MANIFEST)).rejects.toThrow('is there already');
  expect(readFileSync(join(parent, 'late'), 'utf8')).toBe('mine');
});

describe('is refused where', () => {
  it.each(['users.copy.gz', 'limiter.rules.json', 'manifest.json'])(
    'a byte of %s is another',
    async (name) => {
      flipByte(name);
      expect(await refusal()).toBe(`DIR can't be used: ${name} is not as it was written`);
    },
  );

  it('files are cut off or missing: all are named', async () => {
    truncateSync(file('users.copy.gz'), 10);
    rmSync(file('limiter.rules.json'));
    expect(await refusal()).toBe(
      "DIR can't be used: limiter.rules.json is missing, users.copy.gz is not as it was written",
    );
  });

  it('it was never finished, or its digests are cut off or of something else', async () => {
    truncateSync(file('SHA256SUMS'), 100);
    expect(await refusal()).toBe("DIR can't be used: SHA256SUMS is not as it was written");
    writeFileSync(file('SHA256SUMS'), `${'0'.repeat(64)}  ../../etc/passwd\n`);
    expect(await refusal()).toBe("DIR can't be used: SHA256SUMS is not as it was written");
    rmSync(file('SHA256SUMS'));
    expect(await refusal()).toBe('DIR is no finished backup: it has no SHA256SUMS');
  });

  it('digests of files that the manifest names are left out', async () => {
    const sums = readFileSync(file('SHA256SUMS'), 'utf8');
    writeFileSync(file('SHA256SUMS'), sums.replace(/.* {2}users.copy.gz\n/, ''));
    expect(await refusal()).toBe("DIR can't be used: SHA256SUMS does not name users.copy.gz");
  });

  it('it is of a newer program, or no manifest', async () => {
    replaceManifest({ ...MANIFEST, format: 2 });
    expect(await refusal()).toContain('its format is 2, and this program knows 1');
    replaceManifest({
      ...MANIFEST,
      limiter: { documents: [{ name: 'counts', revision: '1.', file: 'x.y' }] },
    });
    expect(await refusal()).toContain('manifest.json is none: limiter.documents.0.name');
    replaceManifest(null);
    expect(await refusal()).toContain('manifest.json is none: ');
  });

  it('its manifest names a table twice, or has a document that grows as it is unpacked', async () => {
    const { identity } = MANIFEST;
    const twice = { ...identity, tables: [...(identity?.tables ?? []), ...(identity?.tables ?? [])] };
    replaceManifest({ ...MANIFEST, identity: twice });
    expect(await refusal()).toContain('manifest.json is none: identity.tables: a table is there twice');
    const documents = [{ name: 'rules', revision: '1.', file: 'users.copy.gz' }];
    replaceManifest({ ...MANIFEST, limiter: { documents } });
    expect(await refusal()).toContain('manifest.json is none: limiter.documents.0.file');
  });
});

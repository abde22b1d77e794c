import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type DatabaseDump, dumpDatabase } from './dump-database.ts';

/** A dump with its rows in memory. */
export interface TestDump {
  readonly dump: DatabaseDump;
  open(table: string): Readable;
}

export async function dumpToMemory(databaseUrl: string, signal?: AbortSignal): Promise<TestDump> {
  const parts = new Map<string, Buffer>();
  const dump = await dumpDatabase(databaseUrl, {
    write: async (table, rows) => void parts.set(table, await buffer(rows)),
    onProgress: () => undefined,
    ...(signal && { signal }),
  });
  return { dump, open: (table) => Readable.from([parts.get(table) ?? Buffer.alloc(0)]) };
}

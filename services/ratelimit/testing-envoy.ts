import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import {
  type RateLimitResponse,
  RateLimitResponse_Code,
  RateLimitService,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import type { RateLimitUnit } from '../../gen/envoy/type/v3/ratelimit_unit_pb.ts';
import { startTestRateLimit, type TestService } from '../../testing/services.ts';

/** What the client takes. */
export interface EnvoyRequestInit {
  readonly domain?: string;
  readonly hitsAddend?: number;
  readonly descriptors?: Descriptor[];
}

interface Descriptor {
  readonly entries?: { readonly key: string; readonly value: string }[];
  readonly hitsAddend?: bigint;
  readonly isNegativeHits?: boolean;
  readonly limit?: { readonly requestsPerUnit?: number; readonly unit?: RateLimitUnit };
}

/** A rate limiter with configuration files for Envoy. */
export interface TestEnvoy extends AsyncDisposable {
  readonly service: TestService;
  readonly client: Client<typeof RateLimitService>;
  readonly directory: string;
}

/** @param files their content by name */
export async function startTestEnvoy(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<TestEnvoy> {
  const directory = await mkdtemp(join(tmpdir(), 'optix-envoy-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  try {
    const service = await startTestRateLimit({ RATELIMIT_ENVOY_CONFIG: directory, ...env });
    return {
      service,
      client: createClient(RateLimitService, service.transport('gRPC')),
      directory,
      async [Symbol.asyncDispose]() {
        await service[Symbol.asyncDispose]();
        await rm(directory, { recursive: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true });
    throw error;
  }
}

/** A descriptor of `key=value` texts. */
export function descriptor(pairs: readonly string[], change: Descriptor = {}): Descriptor {
  const entries = pairs.map((pair) => {
    const at = pair.indexOf('=');
    return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  });
  return { entries, ...change };
}

/** A value that no request had before. */
export function fresh(): string {
  return randomUUID();
}

/** The answer in short: the code of the request, then of each descriptor its code and what is left. */
export function told({ overallCode, statuses }: RateLimitResponse): string {
  const each = statuses.map(({ code, limitRemaining }) => `${nameOf(code)} ${limitRemaining}`);
  return `${nameOf(overallCode)}: ${each.join(', ')}`;
}

function nameOf(code: number): string {
  return (
    { [RateLimitResponse_Code.OK]: 'OK', [RateLimitResponse_Code.OVER_LIMIT]: 'OVER' }[code] ?? `code ${code}`
  );
}

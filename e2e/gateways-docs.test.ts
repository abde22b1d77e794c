/**
 * Does what docs/gateways.md and docs/clients.md tell who builds with a framework: saves their files as one project,
 * compiles it, starts each program against a real rate limiter, asks it as the page does, and compares the answers with
 * those that are printed there.
 *
 * A comment above a block says what is to be done with it: `<!-- readme-test: file NAME -->`, to be saved as NAME;
 * `<!-- readme-test: ask NAME -->`, to be run in a shell while that program serves, with its answer in the next block.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Code, createClient } from '@connectrpc/connect';
import {
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createRateLimitAdminClient } from '../clients/ratelimit/rate-limit-admin-client.ts';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { ROOT } from '../scripts/run-command.ts';
import { readAccessRulesDocument } from '../services/identity/access/access-rules-document.ts';
import { readEnvoyYaml } from '../services/ratelimit/storage/envoy/envoy-yaml.ts';
import { createTestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { DocsProject } from './docs-project.ts';
import { PrintedAnswers } from './readme/answers.ts';
import { type Block, blocksOf } from './readme/blocks.ts';
import { Shell } from './readme/shell.ts';

const KEY = 'key-of-the-shop';
const LIMITER = 'localhost:50052';
const PASSWORD = 'correct horse battery staple';
/** As `grpcurl` prints it. */
const GRPCURL = 'grpcurl -plaintext -proto shop.proto localhost:3000 shop.v1.OrderService/ListOrders';

const BLOCKS = ['gateways.md', 'clients.md'].flatMap((page) =>
  blocksOf(readFileSync(join(ROOT, 'docs', page), 'utf8')),
);
const FILES = new Map(
  BLOCKS.flatMap(({ directive, text }) => {
    const [, name] = /^file (\S+)$/.exec(directive) ?? [];
    return name === undefined ? [] : [[name, text] as const];
  }),
);
const RECIPES = BLOCKS.flatMap(({ directive, text }, at) => {
  const [, name] = /^ask (\S+)$/.exec(directive) ?? [];
  return name === undefined ? [] : [{ name, command: text, answer: BLOCKS[at + 1]?.text ?? '' }];
});

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const resources = new AsyncDisposableStack();
let project: DocsProject;
let ratelimit: TestService;
let startAgain: () => Promise<unknown>;
beforeAll(async () => {
  project = resources.use(new DocsProject(FILES));
  await project.generate();
  ratelimit = resources.use(
    await startTestRateLimit({
      REDIS_URL: testRedisUrl(),
      REDIS_TIMEOUT_MS: '5000',
      RATELIMIT_RULES_FILE: join(project.directory, 'rules.yaml'),
      RATELIMIT_CALLER_KEYS: `shop=${keyDigest(KEY)};limits.check;limits.reset`,
    }),
  );
  const admin = resources.use(createRateLimitAdminClient({ address: ratelimit.grpcAddress, apiKey: KEY }));
  startAgain = async () => await admin.resetLimit({ endpoint: 'orders', identifier: 'ip:127.0.0.1' });
});
afterAll(() => resources.disposeAsync());

it('every TypeScript block of the pages is a file of the project', () => {
  const isProgram = ({ language }: Block) => ['ts', 'js', 'tsx', 'proto'].includes(language);
  expect(BLOCKS.filter((block) => isProgram(block) && !block.directive.startsWith('file '))).toEqual([]);
  expect(RECIPES.map(({ name }) => name)).toEqual(
    ['express', 'fastify', 'hono', 'connect', 'grpc'].map((framework) => `${framework}.ts`),
  );
});

it('the files of settings are read as they are', () => {
  expect(readAccessRulesDocument(FILES.get('access.yaml') ?? '').problems).toEqual([]);
  const text = FILES.get('edge.yaml') ?? '';
  const { definitions, problems } = readEnvoyYaml([{ path: 'edge.yaml', text }], false);
  expect(problems).toEqual([]);
  expect(definitions).toHaveLength(1);
});

it('all of them compile together', async () => {
  expect(await project.compile()).toBe('');
});

it.each(RECIPES)('$name lets five requests through, and answers the sixth as printed', async (recipe) => {
  const { name, command, answer } = recipe;
  await using program = await project.serve(name, places(), { OPTIX_API_KEY: KEY });
  await startAgain();
  const output = name === 'grpc.ts' ? await askGrpc(command, program.port) : await ask(command, program.port);
  const { actual, printed } = new PrintedAnswers().compare(steady(output), steady(answer));
  expect(actual).toEqual(printed);
});

it('shop-express.ts counts users by their tokens', async () => {
  const issuer = /issuer: '([^']+)'/.exec(FILES.get('clients.ts') ?? '')?.[1] ?? '';
  await using database = await createTestDatabase();
  await using identity = await startTestIdentity({
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: ratelimit.grpcAddress,
    RATELIMIT_API_KEY: KEY,
    RATELIMIT_TIMEOUT_MS: '2000',
    TOKEN_ISSUER: issuer,
    IDENTITY_CALLER_KEYS: `shop=${keyDigest(KEY)};tokens.introspect;auth`,
  });
  const tokens = [await signedIn(identity, 'one'), await signedIn(identity, 'two')];
  await using program = await project.serve(
    'shop-express.ts',
    { ...places(), 'localhost:50051': identity.grpcAddress },
    { RATELIMIT_KEY: KEY, IDENTITY_KEY: KEY },
  );
  const statuses = async (token: string | undefined, times: number) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const all = [];
    for (let time = 0; time < times; time += 1) {
      all.push((await fetch(`http://127.0.0.1:${program.port}/orders`, { headers })).status);
    }
    return all;
  };
  expect(await statuses(undefined, 1)).toEqual([401]);
  expect(await statuses(tokens[0], 6)).toEqual([200, 200, 200, 200, 200, 429]);
  expect(await statuses(tokens[1], 1)).toEqual([200]);
});

/** A busy machine is no outage. */
function places() {
  const policy = "whenUnreachable: 'deny'";
  return { [LIMITER]: ratelimit.grpcAddress, [policy]: `${policy}, timeoutMs: 10_000` };
}

async function ask(command: string, port: number): Promise<string> {
  using shell = new Shell({ cwd: project.directory, env: { PATH: process.env['PATH'] } });
  const { output } = await shell.run(command.replaceAll('localhost:3000', `127.0.0.1:${port}`));
  return output;
}

/** What the page's loop around grpcurl prints, by grpc-js: few machines have grpcurl. */
async function askGrpc(command: string, port: number): Promise<string> {
  expect(command).toContain(GRPCURL);
  const proto = join(project.directory, 'asked.proto');
  writeFileSync(proto, FILES.get('shop.proto') ?? '');
  const { shop } = loadPackageDefinition(loadSync(proto)) as unknown as {
    readonly shop: { readonly v1: { readonly OrderService: ServiceClientConstructor } };
  };
  const client = new shop.v1.OrderService(`127.0.0.1:${port}`, credentials.createInsecure());
  const answers: string[] = [];
  for (let call = 0; call < 6; call += 1) {
    answers.push(
      await new Promise<string>((resolve) => {
        client['listOrders']?.({}, (error: { code: status; details: string } | null) =>
          resolve(error === null ? '{}' : `ERROR:\n  Code: ${Code[error.code]}\n  Message: ${error.details}`),
        );
      }),
    );
  }
  client.close();
  return answers.join('\n');
}

async function signedIn(identity: TestService, name: string): Promise<string> {
  const auth = createClient(AuthenticationService, identity.transport('gRPC'));
  const headers = { authorization: `Bearer ${KEY}` };
  const account = { email: `${name}@example.com`, password: PASSWORD };
  await auth.register(account, { headers });
  return (await auth.authenticate(account, { headers })).accessToken;
}

/** How long a slow machine has waited since the first request shows in what is left of the minute. */
function steady(text: string): string {
  return text.replace(/(?<=again in |"retry_after": ?)\d+/g, '60');
}

import { PUBLISHED_BY_COMPOSE, SET_BY_COMPOSE } from './env-example.ts';
import { anchorOf, code, page, prose, table } from './markdown.ts';
import { requiredSettings } from './required-settings.ts';
import { demandOf, type SettingGroup, settingGroups, type Variable } from './setting-groups.ts';

const HEADER = `# Configuration

<!-- The output of \`node scripts/settings-reference.ts\`: change the settings' definitions instead. -->

Every setting is an environment variable. \`docker compose\` and \`npm start\` also read them from a file \`.env\`
([.env.example](../.env.example) has all of them with their defaults; \`sh deploy/new-secrets.sh\` writes one with random
secrets). The processes themselves read the environment only, once, at their start.

- A variable that is unset or empty has its default.
- A value that can't be used stops the start with one line that begins with the variable's name, as do settings that
  contradict each other, such as TLS_KEY_FILE without TLS_CERT_FILE. No default takes its place, and nothing secret is
  repeated.
- Settings whose value is a path: where the text says that the file is read again, a change of the file needs no restart,
  and a bad file is refused whole while what was read before stays. Everything else takes effect with a restart.
- With \`ENVIRONMENT=production\`, and on any address but loopback, callers have to be known; production also refuses the
  passwords of examples and the development encryption key.
- \`npm start\` brings a PostgreSQL and a Redis of its own outside production, and sets what leads to them.

**Required** says when a service does not start without the setting. **Secret** values are never logged.`;

const READ_BY: Readonly<Record<SettingGroup['title'], string>> = {
  'docker compose': '`docker-compose.yml`',
  'Both services': 'identity, ratelimit',
  identity: 'identity',
  ratelimit: 'ratelimit',
  'npm start': '`npm start`',
};

const COMMAND_LINE = 'Command line';

/** What only the command line reads. */
const commandLine: readonly Variable[] = [
  ...['identity', 'ratelimit'].map((service) => ({
    env: `OPTIX_${service.toUpperCase()}_ADDRESS`,
    doc: `Where commands look for ${service}'s gRPC API, unless \`--address\` says: host and port.`,
    fallback: service === 'identity' ? '127.0.0.1:50051' : '127.0.0.1:50052',
    secret: false,
  })),
  {
    env: 'OPTIX_API_KEY',
    doc: 'The API key that `optix` calls the services with. Needed where callers are authenticated, unless a client certificate (`--cert`) says who calls.',
    fallback: undefined,
    secret: true,
  },
];

/** The text of docs/configuration.md: each setting, what it means, takes and defaults to, and when it is required. */
export function settingsReference(): string {
  const groups = settingGroups();
  const known = new Set(
    [...commandLine, ...groups.flatMap(({ variables }) => variables)].map(({ env }) => env),
  );
  const required = requiredSettings();
  const sections = groups.flatMap(({ title, variables }) => [
    `## ${title}`,
    variables.map(({ env }) => link(env)).join(', '),
    ...variables.map((variable) => section(variable, READ_BY[title], required, known)),
  ]);
  const contents = [...groups.map(({ title }) => title), COMMAND_LINE].map(
    (title) => `[${title}](#${anchorOf(title)})`,
  );
  const last = commandLine.map((variable) => section(variable, '`optix`', required, known));
  return page([HEADER, contents.join(' · '), ...sections, `## ${COMMAND_LINE}`, ...last]);
}

function section(
  variable: Variable,
  readBy: string,
  required: ReadonlyMap<string, string>,
  known: ReadonlySet<string>,
): string {
  const { env, doc } = variable;
  const linked = (text: string) => prose(text, (piece) => withLinks(piece, env, known));
  const facts = table(
    ['takes', 'default', 'required', 'read by'],
    [[takenBy(variable), fallbackOf(variable), linked(required.get(env) ?? 'no'), readBy]],
  );
  return page([`### ${env}`, ...doc.split('\n').map(linked), note(env), facts]).trimEnd();
}

/** Names of other settings and of pages become links. */
function withLinks(piece: string, own: string, known: ReadonlySet<string>): string {
  return piece
    .replaceAll(/\b[A-Z][A-Z\d]*(?:_[A-Z\d]+)*\b/g, (name) =>
      name !== own && known.has(name) ? link(name) : name,
    )
    .replaceAll(/\bdocs\/([\w-]+\.md)/g, '[$&]($1)')
    .replaceAll(/\bdeploy\/[\w.-]+\.yaml/g, '[$&](../$&)');
}

function link(env: string): string {
  return `[${env}](#${anchorOf(env)})`;
}

/** Type and range. */
function takenBy(variable: Variable): string {
  const takes = typeOf(variable);
  return variable.secret === true && !takes.startsWith('path') ? `secret: ${takes}` : takes;
}

function typeOf(variable: Variable): string {
  const { env, fallback } = variable;
  const demand = demandOf(variable);
  const wanted = prose(
    demand.replace(/^must (?:be of |be |have |hold |name )?/, '').replace(/; entry 1 .*/, ''),
  );
  const choice = /^must be one of (.*)$/.exec(demand)?.[1];
  if (choice !== undefined) return choice.split(', ').map(code).join(', ');
  const range = /^must be a whole number from (\d+) to (\d+)$/.exec(demand);
  if (range !== null) return `whole number, ${grouped(range[1])} to ${grouped(range[2])}`;
  if (demand === 'must be true or false') return '`true` or `false`';
  if (demand.startsWith('must name a file')) return 'path of a file (PEM)';
  if (env.endsWith('_FILE') || env.endsWith('_SNAPSHOT')) return 'path of a file';
  if (env.endsWith('_DIR')) return 'path of a directory';
  if (Array.isArray(fallback))
    return wanted === '' ? 'list between commas' : `list between commas: ${wanted}`;
  return wanted === '' ? 'text' : wanted;
}

function grouped(digits = ''): string {
  return Number(digits).toLocaleString('en-US');
}

function fallbackOf({ fallback }: Variable): string {
  const text = fallback === undefined ? '' : String(fallback);
  return text === '' ? 'none' : code(text);
}

function note(env: string): string {
  if ((SET_BY_COMPOSE as readonly string[]).includes(env)) return '`docker-compose.yml` sets it by itself.';
  if ((PUBLISHED_BY_COMPOSE as readonly string[]).includes(env)) {
    return "With docker compose: the port of the host's 127.0.0.1 that leads there.";
  }
  return '';
}

if (import.meta.main) process.stdout.write(settingsReference());

import { demandOf, settingGroups, type Variable } from './setting-groups.ts';

/** What docker-compose.yml refuses to start without. `deploy/new-secrets.sh` writes them all. */
export const REQUIRED_BY_COMPOSE = [
  'POSTGRES_PASSWORD',
  'POSTGRES_OWNER_PASSWORD',
  'REDIS_PASSWORD',
  'IDENTITY_ENCRYPTION_KEY',
  'IDENTITY_CALLER_KEYS',
  'RATELIMIT_API_KEY',
  'RATELIMIT_CALLER_KEYS',
] as const;

/** What docker-compose.yml sets by itself, whatever the file says. */
export const SET_BY_COMPOSE = [
  'ENVIRONMENT',
  'BIND_ADDRESS',
  'DATABASE_URL',
  'REDIS_URL',
  'RATELIMIT_ADDRESS',
] as const;

/** Ports that docker-compose.yml publishes on the host's loopback address; inside the containers they stay as they are. */
export const PUBLISHED_BY_COMPOSE = [
  'IDENTITY_GRPC_PORT',
  'IDENTITY_HTTP_PORT',
  'RATELIMIT_GRPC_PORT',
  'RATELIMIT_HTTP_PORT',
] as const;

const HEADER = `# Settings of optix: environment variables, which \`docker compose\` and \`npm start\` also read from a file .env here.
#
# A line that is commented out shows the default. The lines that are not are secrets: \`sh deploy/new-secrets.sh\`
# writes a .env with random ones. By hand:
#
#   a password, or an API key    openssl rand -hex 32
#   an encryption key            openssl rand -base64 32
#   the digest of an API key     printf %s "$KEY" | sha256sum
#
# A caller sends its API key; the service that it calls knows only the key's name and digest, in its *_CALLER_KEYS:
# IDENTITY_CALLER_KEYS=backend=<digest>,console=<digest>

# This file is the output of \`node scripts/env-example.ts\`, from the services' own definitions.
`;

/** The text of .env.example: every setting of both services, and what docker-compose.yml needs besides. */
export function envExample(): string {
  return [HEADER, ...settingGroups().map(({ title, variables }) => group(title, variables))].join('\n');
}

function group(title: string, variables: readonly Variable[]): string {
  const rule = '-'.repeat(Math.max(0, 100 - title.length));
  return [`# --- ${title} ${rule}\n`, ...variables.map(entry)].join('\n');
}

function entry(variable: Variable): string {
  const { env, doc, fallback } = variable;
  const sentences = [...doc.split('\n'), accepted(variable), note(env)].filter((text) => text !== '');
  const isRequired = (REQUIRED_BY_COMPOSE as readonly string[]).includes(env);
  const assignment = `${env}=${isRequired || fallback === undefined ? '' : String(fallback)}`;
  return [
    ...sentences.flatMap((text) => wrapped(text)),
    isRequired ? assignment : `# ${assignment}`,
    '',
  ].join('\n');
}

function accepted(variable: Variable): string {
  const demand = variable.secret === true ? '' : demandOf(variable);
  return demand === '' ? '' : `${demand.charAt(0).toUpperCase()}${demand.slice(1)}.`;
}

function note(env: string): string {
  if ((SET_BY_COMPOSE as readonly string[]).includes(env)) return '(docker-compose.yml sets it by itself.)';
  if ((PUBLISHED_BY_COMPOSE as readonly string[]).includes(env)) {
    return "(With docker compose: the port of the host's 127.0.0.1 that leads there.)";
  }
  return '';
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  // What stands between backquotes is to be copied, so it stays on one line.
  for (const word of text.match(/(?:`[^`]*`|\S)+/g) ?? []) {
    if (line.length + 1 + word.length > 110 && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

if (import.meta.main) process.stdout.write(envExample());

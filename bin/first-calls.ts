import type { DataDirectory } from '../stack/data-directory.ts';
import type { StackSettings } from '../stack/stack-settings.ts';

/** Commands that a reader can paste to see the services at work; `keyed` where the services ask for API keys. */
export function firstCalls(settings: StackSettings, data: DataDirectory, keyed: boolean): string {
  const identity = `http://${settings.host}:${settings.identityHttpPort}`;
  const ratelimit = `http://${settings.host}:${settings.ratelimitHttpPort}`;
  const credentials = '"email":"alice@example.com","password":"a kettle sings in spring"';
  const call = (url: string, body: string) => `curl -s ${url} -H 'content-type: application/json' -d ${body}`;
  const authentication = `${identity}/optix.identity.v1.AuthenticationService`;
  return `
Ask whether alice may sign in once more (five times a minute):
  ${call(`-i ${ratelimit}/optix.ratelimit.v1.RateLimitService/CheckLimit`, `'{"endpoint":"auth_login","identifier":"user:alice"}'`)}

Open an account, sign in, and look into the token:
  ${call(`${authentication}/Register`, `'{${credentials},"first_name":"Alice"}'`)}
  TOKEN=$(${call(`${authentication}/Authenticate`, `'{${credentials}}'`)} | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')
  ${call(`${identity}/optix.identity.v1.TokenService/IntrospectToken`, '"{\\"token\\":\\"$TOKEN\\"}"')}

The same over gRPC, and health:
  grpcurl -plaintext ${settings.host}:${settings.ratelimitGrpcPort} list
  grpcurl -plaintext ${settings.host}:${settings.identityGrpcPort} list
  curl -s ${identity}/health
  curl -s ${ratelimit}/health

${keyed ? "This stack's callers need an API key: add -H 'authorization: Bearer <key>' to each call.\n\n" : ''}Data: ${data.path}   Logs: ${data.logs}
Ctrl-C stops everything.`;
}

import { ROLES } from '../user.ts';
import type { AccessRequirement } from './access.ts';
import { MAX_AGE_FORM, parseMaxAge } from './max-age.ts';

/**
 * A gateway asks for something that can't be read. A mistake in its configuration: whatever was meant, the request must
 * not go on.
 */
export class UnreadableRequirement extends Error {
  /** Begins with the parameter's name. */
  readonly problem: string;

  constructor(problem: string) {
    super(`the gateway's configuration can not be used: ${problem}`);
    this.name = 'UnreadableRequirement';
    this.problem = problem;
  }
}

/** What a gateway may say of a route. */
const PARAMETERS = ['token', 'roles', 'acr', 'max_age'];
const TOKENS = ['required', 'optional', 'none', 'deny'] as const;
const ACRS = ['aal1', 'aal2'] as const;
/** Characters of a parameter's name that an error repeats at most. */
const SHOWN = 64;

/**
 * Reads what a gateway requires of a route: `token` (default `required`), `roles` between commas, `acr`, `max_age` as in
 * `15m`. Undefined where it requires nothing.
 *
 * @throws UnreadableRequirement for a parameter that is unknown or can't be read: a misspelt one must not open a door
 */
export function readRequirement(
  parameters: ReadonlyMap<string, string> | Readonly<Record<string, string>>,
): AccessRequirement | undefined {
  const given = parameters instanceof Map ? parameters : new Map(Object.entries(parameters));
  if (given.size === 0) return undefined;
  for (const name of given.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw new UnreadableRequirement(`${JSON.stringify(name.slice(0, SHOWN))} is no known parameter`);
    }
  }
  const token = choice('token', TOKENS, given.get('token')) ?? 'required';
  const roles = rolesOf(given.get('roles'));
  const acr = choice('acr', ACRS, given.get('acr'));
  const maxAgeSeconds = maxAgeOf(given.get('max_age'));
  if (token !== 'required' && (roles.length > 0 || acr !== undefined || maxAgeSeconds !== undefined)) {
    throw new UnreadableRequirement('token must be required where roles, acr or max_age are asked for');
  }
  return { token, roles, acr, maxAgeSeconds };
}

function choice<const C extends string>(
  name: string,
  choices: readonly C[],
  text: string | undefined,
): C | undefined {
  if (text === undefined) return undefined;
  const found = choices.find((each) => each === text);
  if (found === undefined) throw new UnreadableRequirement(`${name} must be one of ${choices.join(', ')}`);
  return found;
}

function rolesOf(text: string | undefined): readonly (readonly string[])[] {
  if (text === undefined) return [];
  const roles = text.split(',').map((role) => role.trim());
  if (!roles.every((role) => (ROLES as readonly string[]).includes(role))) {
    throw new UnreadableRequirement(`roles must be some of ${ROLES.join(', ')} between commas`);
  }
  return [roles];
}

function maxAgeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = parseMaxAge(text);
  if (seconds === undefined) throw new UnreadableRequirement(`max_age ${MAX_AGE_FORM}`);
  return seconds;
}

import { GatewayMisconfigured } from './gateway-misconfigured.ts';

/** Characters of a parameter's name that an error repeats at most. */
const SHOWN = 64;

/**
 * The parameters of a gateway's question, by name.
 *
 * @param query as it was sent, without `?`
 * @param known all names that the service reads
 * @throws GatewayMisconfigured for one that is unknown, or there twice: a misspelt one must not open a door
 */
export function readParameters(query: string, known: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      throw new GatewayMisconfigured(`${JSON.stringify(name.slice(0, SHOWN))} is no parameter here`);
    }
    if (parameters.has(name)) throw new GatewayMisconfigured(`${name} is there twice`);
    parameters.set(name, value);
  }
  return parameters;
}

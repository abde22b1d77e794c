/** Whom passkeys are made for (WebAuthn section 4, "Relying Party"). */
export interface RelyingParty {
  /** A domain. Passkeys are bound to it for good: another one makes all of them useless. */
  readonly id: string;
  /** Browsers and authenticators may show it. */
  readonly name: string;
  /** The pages that may make and use passkeys, as browsers write origins: `https://app.example.com`. */
  readonly origins: readonly string[];
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const DOMAIN = new RegExp(`^(?=.{1,253}$)(?:localhost|(?:${LABEL}\\.)+(?![0-9]+$)${LABEL})$`);

/**
 * Reads the domain of a relying party.
 *
 * @throws Error whose message continues a sentence that starts with the setting's name.
 */
export function parseRpId(text: string): string {
  if (DOMAIN.test(text)) return text;
  // Browsers accept no IP address (WebAuthn section 5.1.3).
  throw new Error(
    'must be a domain in lower case, without scheme and port (`example.com`), or localhost; an IP address can not be used',
  );
}

/**
 * Reads origins between commas. That they belong to the relying party is for {@link originProblem} to say.
 *
 * @throws Error whose message continues a sentence that starts with the setting's name.
 */
export function parseOrigins(text: string): readonly string[] {
  const origins = text.split(',').map((part) => part.trim());
  for (const origin of origins) {
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || url.origin !== origin || origin.includes('*') || !isSecure(url)) {
      throw new Error(
        'must be origins between commas, as browsers write them: https://host or https://host:port, or http://localhost:port',
      );
    }
  }
  return [...new Set(origins)];
}

/**
 * What is wrong with origins for a relying party: browsers let a page use passkeys of its own host and of the domains
 * above it only (WebAuthn section 5.1.3). Continues a sentence that starts with the setting's name.
 */
export function originProblem(rpId: string, origins: readonly string[]): string | undefined {
  const foreign = origins.find((origin) => {
    const { hostname } = new URL(origin);
    return hostname !== rpId && !hostname.endsWith(`.${rpId}`);
  });
  return foreign === undefined ? undefined : `must be ${rpId} and hosts below it, and ${foreign} is not`;
}

/** Browsers offer passkeys in secure contexts only, of which localhost is one over http as well. */
function isSecure({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'https:' ||
    (protocol === 'http:' && /^(localhost|.+\.localhost|127\.0\.0\.1)$/.test(hostname))
  );
}

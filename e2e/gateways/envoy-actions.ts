/** The parts of an Envoy's configuration that make descriptors, as YAML has them. */
export interface EnvoyRoutes {
  readonly rate_limits: readonly { readonly actions: readonly EnvoyAction[] }[];
  readonly routes: readonly {
    readonly match: { readonly prefix: string };
    readonly typed_per_filter_config?: Readonly<
      Record<string, { readonly check_settings?: { readonly context_extensions: Record<string, string> } }>
    >;
  }[];
}

/** config.route.v3.RateLimit.Action, of the kinds that deploy/envoy has. */
interface EnvoyAction {
  readonly metadata?: {
    readonly descriptor_key: string;
    readonly metadata_key: { readonly key: string; readonly path: readonly { readonly key: string }[] };
  };
  readonly remote_address?: object;
  readonly header_value_match?: {
    readonly descriptor_key: string;
    readonly descriptor_value: string;
    readonly headers: readonly {
      readonly name: string;
      readonly string_match: { readonly prefix: string };
    }[];
  };
}

/** What Envoy knows of a request when it asks the rate limiter. */
export interface EnvoyRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
  /** By filter, then by field. */
  readonly metadata: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface Entry {
  readonly key: string;
  readonly value: string;
}

/**
 * The descriptors that a request makes, by Envoy's rules: an action that has nothing to say leaves out its whole
 * descriptor (config.route.v3.RateLimit).
 *
 * @throws Error for an action that is not known here
 */
export function descriptorsOf(
  { rate_limits }: EnvoyRoutes,
  request: EnvoyRequest,
): { readonly entries: Entry[] }[] {
  return rate_limits.flatMap(({ actions }) => {
    const entries = actions.map((action) => entryOf(action, request));
    const known = entries.filter((entry) => entry !== undefined);
    return known.length === entries.length ? [{ entries: known }] : [];
  });
}

function entryOf(
  { metadata, remote_address, header_value_match }: EnvoyAction,
  request: EnvoyRequest,
): Entry | undefined {
  if (remote_address !== undefined) return { key: 'remote_address', value: request.remoteAddress };
  if (metadata !== undefined) {
    const { key, path } = metadata.metadata_key;
    const value = request.metadata[key]?.[path.map((part) => part.key).join('.')];
    return value === undefined ? undefined : { key: metadata.descriptor_key, value };
  }
  if (header_value_match !== undefined) {
    const { descriptor_key: key, descriptor_value: value, headers } = header_value_match;
    const matches = headers.every(({ name, string_match }) =>
      request.headers[name]?.startsWith(string_match.prefix),
    );
    return matches ? { key, value } : undefined;
  }
  throw new Error('deploy/envoy has an action that this test does not know');
}

/** What Envoy tells ext_authz of the route of a path: the first that matches. */
export function contextOf({ routes }: EnvoyRoutes, path: string): Record<string, string> {
  const route = routes.find(({ match }) => path.startsWith(match.prefix));
  return (
    route?.typed_per_filter_config?.['envoy.filters.http.ext_authz']?.check_settings?.context_extensions ?? {}
  );
}

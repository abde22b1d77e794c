/** A backend or gateway that calls a service, as one of its credentials made it known. */
export interface Caller {
  /** The name its credential was configured under; logs and audit show it. */
  readonly name: string;
  /** What it may do. `*` is spelt out here: each scope of the service. */
  readonly scopes: ReadonlySet<string>;
  /** What it was known by. */
  readonly credential: 'api_key' | 'service_token' | 'certificate';
}

/** Names of callers: what fits into settings, logs and certificates alike. */
export const CALLER_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** In a list of scopes: all that the service has. */
export const ALL_SCOPES = '*';

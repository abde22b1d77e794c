/** An answer of HTTP that a framework's adapter sends. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A whole body as text. */
  readonly body: string;
}

/** What is told of a request that was refused. */
export interface Problem {
  readonly status: number;
  /** The same for all problems of a kind. */
  readonly title: string;
  /** What to do, for people. */
  readonly detail: string;
  /** Further members of the body, for programs. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The refusal of a request as `application/problem+json` (RFC 9457). Never cached. */
export function problemAnswer({ status, title, detail, members, headers }: Problem): HttpAnswer {
  return {
    status,
    headers: { ...headers, 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    body: JSON.stringify({ type: 'about:blank', title, status, detail, ...members }),
  };
}

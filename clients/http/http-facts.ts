/** What middleware looks at in a request, whatever the framework. */
export interface HttpFacts {
  /** For example `GET`. */
  readonly method: string;
  /** The path, without its query. */
  readonly path: string;
  /** The peer's address as the socket has it; undefined where there is none. */
  readonly remoteAddress: string | undefined;
  /** A header by its lower-case name; several of a name are joined by `, `. */
  header(name: string): string | undefined;
}

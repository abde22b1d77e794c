/**
 * A gateway asks in a way that can't be meant: an unknown parameter, say, or a header that it has to set and did not. A
 * mistake in its configuration, never the client's: the request must not go on.
 */
export class GatewayMisconfigured extends Error {
  /** @param problem begins with the parameter's or header's name */
  constructor(problem: string) {
    super(problem);
    this.name = 'GatewayMisconfigured';
  }
}

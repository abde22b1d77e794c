/** A port could not be opened. The message is one line that starts with the setting to change. */
export class ListenFailure extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenFailure';
  }
}

/** Says why `address` could not be opened and which setting names it. */
export function listenFailure(error: unknown, portEnv: string, address: string): ListenFailure {
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes('EADDRINUSE'))
    return new ListenFailure(`${portEnv}: ${address} is already in use`, error);
  if (text.includes('EACCES')) {
    return new ListenFailure(`${portEnv}: this user may not open ${address}`, error);
  }
  if (text.includes('EADDRNOTAVAIL')) {
    return new ListenFailure(`BIND_ADDRESS: ${address} is not an address of this machine`, error);
  }
  return new ListenFailure(`${portEnv}: ${address} can't be opened: ${text}`, error);
}

/** Most keys in one message: some 10 KB, of usual keys. */
export const MAX_MESSAGE_KEYS = 100;

/** That keys may have room again, as it travels between replicas. */
export interface RoomMessage {
  /** Id of the process that tells. */
  readonly by: string;
  /** At most {@link MAX_MESSAGE_KEYS}; undefined means all keys there are. */
  readonly keys: readonly string[] | undefined;
}

/** The message as a text: JSON. */
export function writeRoomMessage({ by, keys }: RoomMessage): string {
  return JSON.stringify(keys === undefined ? { by, all: true } : { by, keys });
}

/** What a text says; undefined where it is no such message. */
export function readRoomMessage(text: string): RoomMessage | undefined {
  const value = parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { by, all, keys } = value as {
    readonly by?: unknown;
    readonly all?: unknown;
    readonly keys?: unknown;
  };
  if (typeof by !== 'string') return undefined;
  if (all === true) return { by, keys: undefined };
  if (!Array.isArray(keys) || keys.length > MAX_MESSAGE_KEYS) return undefined;
  return keys.every((key) => typeof key === 'string') ? { by, keys } : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { COMMANDS } from '../../command-table.ts';
import { shapeOf } from '../../output/command-shape.ts';
import type { Action } from '../choose-action.ts';

/** A flag without its dashes. */
export interface Flag {
  readonly name: string;
  readonly takesValue: boolean;
}

/** A command or an action, and what the shell can offer behind it. */
export interface CommandNode {
  /** `users list`; empty for optix itself. */
  readonly path: string;
  readonly actions: readonly string[];
  readonly flags: readonly Flag[];
  /** Without flags, in order. */
  readonly positionals: readonly string[];
}

/** Every command and action, from their own definitions; optix itself first. */
export async function readCommandTree(): Promise<readonly CommandNode[]> {
  const names = Object.keys(COMMANDS);
  const below = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, { load }]) => await nodesOf(name, await load())),
  );
  const flags = ['help', 'version'].map((name) => ({ name, takesValue: false }));
  const help = { path: 'help', actions: names, flags: [], positionals: [] };
  return [{ path: '', actions: [...names, 'help'], flags, positionals: [] }, ...below.flat(), help];
}

async function nodesOf(path: string, command: Action): Promise<readonly CommandNode[]> {
  const shape = await shapeOf(command);
  if (!('actions' in shape)) {
    const flags = Object.entries(shape.options).map(([name, { type }]) => {
      return { name, takesValue: type === 'string' };
    });
    return [{ path, actions: [], flags, positionals: shape.positionals }];
  }
  const below = await Promise.all(
    Object.entries(shape.actions).map(async ([name, action]) => await nodesOf(`${path} ${name}`, action)),
  );
  const actions = Object.keys(shape.actions);
  return [{ path, actions, flags: [{ name: 'help', takesValue: false }], positionals: [] }, ...below.flat()];
}

import type { ParseArgsOptionsConfig } from 'node:util';
import type { Action } from '../commands/choose-action.ts';

/** What a command takes: other words, or flags. */
export type CommandShape =
  | { readonly actions: Readonly<Record<string, Action>> }
  | {
      readonly options: ParseArgsOptionsConfig;
      /** What must stand without a flag. */
      readonly positionals: readonly string[];
    };

/** Asks for the shape instead of the work. No argument of a process can hold a NUL: nobody types this. */
const ASKED = '\0shape';

class ShapeAnswer extends Error {
  readonly shape: CommandShape;

  constructor(shape: CommandShape) {
    super('a command was asked what it takes');
    this.shape = shape;
  }
}

/**
 * What a command takes, from the command itself, so that completion and tests need no list of their own. Every command
 * begins with chooseAction or readArguments, which answer.
 *
 * @throws TypeError for a command that does not
 */
export async function shapeOf(command: Action): Promise<CommandShape> {
  try {
    await command([ASKED]);
  } catch (error) {
    if (error instanceof ShapeAnswer) return error.shape;
    throw new TypeError('a command does not read its arguments by readArguments or chooseAction', {
      cause: error,
    });
  }
  throw new TypeError('a command does not read its arguments');
}

/** For what reads arguments: answers where they ask for the shape. */
export function answerShape(args: readonly string[], shape: CommandShape): void {
  if (args[0] === ASKED) throw new ShapeAnswer(shape);
}

import { REDACTED } from './logger-redaction.ts';
import { loggedText } from './logger-text.ts';

/** What the log has of an error. */
export interface LoggedError {
  /** The name of its class. */
  readonly type: string;
  /** Without values, addresses and credentials. */
  readonly message: string;
  /** Type and message, then where it was made. */
  readonly stack?: string;
  /** The name of the Redis command that failed. */
  readonly command?: string;
  readonly cause?: LoggedError;
  /** Of an AggregateError, the first ten. */
  readonly errors?: readonly LoggedError[];
  readonly [fact: string]: unknown;
}

/** Facts that name a rule, a place or a kind of fault, and never what somebody sent: of Node, PostgreSQL and ours. */
const FACTS = [
  'code',
  'sqlState',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'syscall',
  'address',
  'port',
] as const;
const MAX_FACT_CHARACTERS = 200;
const MAX_DEPTH = 5;
const MAX_ERRORS = 10;
/** Of one error with all that it is made of: what leads back to itself would be told thousands of times. */
const MAX_TOLD = 30;
const MAX_FRAMES = 30;
const FRAME = /^ +at .*:\d+:\d+\)?$/;
/** SQLSTATE of a refused value (PostgreSQL, appendix A: class 22). */
const DATA_EXCEPTION = /^22[0-9A-Z]{3}$/;

/**
 * An error as the log may have it. What is told is listed: libraries hang requests, arguments, rows and answers on their
 * errors (pg `detail`, `where` and `parameters`, ioredis `command.args`, nodemailer `response`, Connect `metadata`,
 * Node's URL `input`), and the next one will hang something else there.
 */
export function loggedError(error: unknown): LoggedError {
  try {
    return told(error, { depth: MAX_DEPTH, all: { left: MAX_TOLD } });
  } catch {
    // A getter or a proxy of somebody else's: the line is about what failed, and must not fail itself.
    return { type: typeof error, message: 'an error that can not be read' };
  }
}

function told(error: unknown, within: Within): LoggedError {
  within.all.left -= 1;
  if (!isErrorLike(error)) {
    // Whatever was thrown instead of an error may be, or hold, anything.
    return { type: error === null ? 'null' : typeof error, message: 'no error, but this was thrown' };
  }
  const type = error.constructor?.name || error.name || 'Error';
  const message = messageOf(error);
  const { cause, errors, command } = error;
  const inner = { depth: within.depth - 1, all: within.all };
  return {
    type,
    message,
    ...(typeof error.stack === 'string' && { stack: [`${type}: ${message}`, ...framesOf(error)].join('\n') }),
    ...factsOf(error),
    ...(isNamed(command) && { command: command.name }),
    ...(cause !== undefined && hasRoom(inner) && { cause: told(cause, inner) }),
    ...(Array.isArray(errors) &&
      hasRoom(inner) && {
        errors: errors.slice(0, MAX_ERRORS).flatMap((each) => (hasRoom(inner) ? [told(each, inner)] : [])),
      }),
  };
}

function hasRoom({ depth, all }: Within): boolean {
  return depth > 0 && all.left > 0;
}

/** How much more may be told. */
interface Within {
  readonly depth: number;
  readonly all: { left: number };
}

interface ErrorLike {
  readonly name?: string;
  readonly message: string;
  readonly stack?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly command?: unknown;
}

function isErrorLike(value: unknown): value is ErrorLike {
  return (
    typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
  );
}

function isNamed(command: unknown): command is { readonly name: string } {
  return (
    typeof command === 'object' && command !== null && 'name' in command && typeof command.name === 'string'
  );
}

/** Two kinds of message repeat what was refused: PostgreSQL's of a bad value, and that of JSON.parse. */
function messageOf(error: ErrorLike): string {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown };
  let { message } = error;
  if (severity !== undefined && typeof code === 'string' && DATA_EXCEPTION.test(code)) {
    message = message.replace(/[:"'«„][\s\S]*$/, REDACTED);
  } else if (error instanceof SyntaxError) {
    message = message.replace(/["'][\s\S]*["']/, REDACTED);
  }
  return loggedText(message);
}

function factsOf(error: object): Record<string, string | number> {
  const facts: Record<string, string | number> = {};
  for (const name of FACTS) {
    const value = (error as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'number') facts[name] = value;
    else if (typeof value === 'string') facts[name] = value.slice(0, MAX_FACT_CHARACTERS);
  }
  return facts;
}

/** Lines of the stack that are places in code. Its head repeats the message. */
function framesOf({ message, stack }: ErrorLike): string[] {
  const text = String(stack);
  const at = text.indexOf(message);
  return text
    .slice(at < 0 ? 0 : at + message.length)
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MAX_FRAMES);
}

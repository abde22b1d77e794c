/** Longest text that is looked at, in characters: beyond it are rows of long inserts. */
const MAX_READ = 20_000;
/** Longest text that is told, in characters. */
const MAX_TOLD = 1000;

/**
 * What of a text may hold a value, and what must be told apart from it. In order: strings with escapes, plain strings,
 * dollar-quoted strings (a name may have a dollar too), quoted names, comments, parameters, numbers. What is not closed reaches to the end.
 */
const TOKENS =
  /\b[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|(?<![\w$])\$([a-zA-Z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)|"(?:[^"]|"")*(?:"|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$\d+|(?<![\w$.])\d[\w.]*/g;

/**
 * The statement without literals: `?` stands for each string and number, comments are gone, parameters (`$1`) and names
 * stay. Numbers are written into statements by the driver, so a text may hold values that parameters do not.
 */
export function withoutLiterals(sql: string): string {
  return sql.slice(0, MAX_READ).replace(TOKENS, (token) => {
    if (token.startsWith('"')) return token;
    if (token.startsWith('--') || token.startsWith('/*')) return ' ';
    return /^\$\d/.test(token) ? token : '?';
  });
}

/** The statement as logs and spans tell it: without literals, on one line, cut off at 1,000 characters. */
export function statementText(sql: string): string {
  const text = withoutLiterals(sql).replaceAll(/\s+/g, ' ').trim();
  return text.length > MAX_TOLD ? `${text.slice(0, MAX_TOLD)}...` : text;
}

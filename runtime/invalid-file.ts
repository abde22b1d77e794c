/** A file that a setting names is missing, or has content that can't be used. */
export class InvalidFile extends Error {
  /** One line each, beginning with the file, mostly as `<file>:<line>:<column> <field> <what>`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidFile';
    this.problems = problems;
  }
}

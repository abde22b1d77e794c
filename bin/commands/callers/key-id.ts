import { UsageError } from '../../usage.ts';

/** The key that a command is about: `<id>`, or `--id`. @throws UsageError where there is none, or two */
export function readKeyId(command: string, positional: string | undefined, flag: string | undefined): string {
  if (positional !== undefined && flag !== undefined) {
    throw new UsageError(`${command}: <id> or --id, not both`);
  }
  const id = positional ?? flag;
  if (!id) throw new UsageError(`${command}: --id must be given; see optix ${command} --help`);
  return id;
}

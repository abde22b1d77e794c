import { z } from 'zod';
import { rulesFileSchema } from '../services/ratelimit/storage/rule-schema.ts';

/** The JSON Schema of the rate limiter's rules file, for editors: deploy/rules.schema.json. */
export function rulesSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(rulesFileSchema, { io: 'input' }), null, 2)}\n`;
}

if (import.meta.main) process.stdout.write(rulesSchema());

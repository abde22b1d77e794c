import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rulesSchema } from '../scripts/rules-schema.ts';
import { readRulesYaml } from '../services/ratelimit/storage/rules-yaml.ts';

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

describe('the rules file', () => {
  it('has a schema for editors, which says what `node scripts/rules-schema.ts` prints', () => {
    expect(JSON.parse(read('./rules.schema.json'))).toEqual(JSON.parse(rulesSchema()));
  });

  it('has an example that can be used as it is', () => {
    const { definitions, problems } = readRulesYaml(read('./rules.example.yaml'));
    expect(problems).toEqual([]);
    expect(definitions.map(({ name }) => name)).toEqual([
      'auth_login',
      'auth_register',
      'auth_refresh',
      'auth_mfa',
      'auth_password_reset',
      'auth_email_verification',
      'orders.create',
      'reports.run',
      'api_default',
    ]);
  });
});

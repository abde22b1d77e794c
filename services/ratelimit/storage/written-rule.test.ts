import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defineRule } from '../domain/rule.ts';
import { arbitraryDefinition } from '../domain/testing-definitions.ts';
import { readRules } from './read-rules.ts';
import { writeRule } from './written-rule.ts';

it('a rule that is written, as JSON, is read as the same', () => {
  fc.assert(
    fc.property(arbitraryDefinition, (definition) => {
      const rule = defineRule(definition);
      const text = JSON.stringify({ rules: [writeRule(rule.definition)] });
      expect(readRules(JSON.parse(text))).toEqual({ rules: [rule], problems: [] });
    }),
  );
});

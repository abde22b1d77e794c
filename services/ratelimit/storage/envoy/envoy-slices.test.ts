import { expect, it } from 'vitest';
import { descriptorOf } from '../../domain/envoy/testing-descriptors.ts';
import { inSlices } from './envoy-slices.ts';

it('cuts definitions of many descriptors, in order, and leaves the others as they are', () => {
  const many = Array.from({ length: 2_001 }, (_, key) => descriptorOf(`k${key}`));
  const slices = [
    ...inSlices([
      { domain: 'none', descriptors: [] },
      { domain: 'many', descriptors: many },
    ]),
  ];
  expect(slices.map(({ domain, descriptors }) => [domain, descriptors.length])).toEqual([
    ['none', 0],
    ['many', 1_000],
    ['many', 1_000],
    ['many', 1],
  ]);
  expect(slices.flatMap(({ descriptors }) => descriptors)).toEqual(many);
});

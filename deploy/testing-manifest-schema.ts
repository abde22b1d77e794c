import * as kubernetes from 'kubernetes-models';
import type { Manifest } from './testing-kustomize.ts';

/** What Kubernetes would have against an object: its API's schema, and fields that are not in the schema. */
export function manifestProblems(manifest: Manifest): string[] {
  const Model = modelOf(manifest);
  if (Model === undefined) return [`there is no ${manifest.apiVersion} ${manifest.kind}`];
  const seen = new Set<string>();
  try {
    Model.prototype.validate.call(watched(manifest, '', seen));
  } catch (error) {
    return [(error as Error).message];
  }
  return fieldsOf(manifest, '')
    .filter((path) => !seen.has(path))
    .map((path) => `${path} is not a field of the schema`);
}

interface Model {
  readonly prototype: { validate(this: unknown): void };
}

/** The class of an `apiVersion` and `kind`. The package groups them as `policy.v1.PodDisruptionBudget`, and `v1.Service`. */
function modelOf({ apiVersion, kind }: Manifest): Model | undefined {
  const [version = '', group] = apiVersion.split('/').reverse();
  const camelCase = (group ?? '').replace(/\.(\w)/g, (_, letter: string) => letter.toUpperCase());
  const groups = kubernetes as unknown as Record<string, Record<string, Record<string, Model>>>;
  const kinds = group === undefined ? groups[version] : groups[camelCase]?.[version];
  return (kinds as Record<string, Model> | undefined)?.[kind];
}

/**
 * An object that notes which of its fields are looked at. The validators of kubernetes-models let unknown fields pass, but
 * they look at each field that their schema has, and at no other.
 */
function watched(value: unknown, path: string, seen: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const parts = new Map<PropertyKey, unknown>();
  return new Proxy(value, {
    get(target, key) {
      const part: unknown = Reflect.get(target, key);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return part;
      seen.add(`${path}/${key}`);
      if (!parts.has(key)) parts.set(key, watched(part, `${path}/${key}`, seen));
      return parts.get(key);
    },
  });
}

function fieldsOf(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    ...(Array.isArray(value) ? [] : [`${path}/${key}`]),
    ...fieldsOf(part, `${path}/${key}`),
  ]);
}

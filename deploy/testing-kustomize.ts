import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

/** A Kubernetes object, as far as every one has the same form. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    name: string;
    namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Record<string, string>;
  readonly stringData?: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own form, which the schemas check.
  readonly spec?: any;
}

/** What a kustomization may hold here. Strict: a field that {@link kustomize} would pass over is refused. */
const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string().optional(),
  resources: z.array(z.string()),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })).default([]),
  configMapGenerator: z
    .array(
      z.strictObject({
        name: z.string(),
        behavior: z.literal('merge').optional(),
        envs: z.array(z.string()).default([]),
        files: z.array(z.string()).default([]),
        literals: z.array(z.string()).default([]),
        options: z.strictObject({ disableNameSuffixHash: z.boolean() }).optional(),
      }),
    )
    .default([]),
  patches: z
    .array(
      z.strictObject({ path: z.string(), target: z.strictObject({ kind: z.string(), name: z.string() }) }),
    )
    .default([]),
});

const operations = z.array(
  z.strictObject({
    op: z.enum(['add', 'replace', 'remove', 'test']),
    path: z.string(),
    value: z.unknown().optional(),
  }),
);

/**
 * The objects of a kustomization, as `kubectl kustomize` makes them, but for the hash at the end of generated names. It
 * knows the features that deploy/kubernetes uses.
 *
 * @throws Error for any other
 */
export function kustomize(directory: string): Manifest[] {
  const read = (file: string) => readFileSync(join(directory, file), 'utf8');
  const { namespace, resources, images, configMapGenerator, patches } = kustomization.parse(
    parse(read('kustomization.yaml')),
  );
  const objects = resources.flatMap((resource) =>
    statSync(join(directory, resource)).isDirectory()
      ? kustomize(join(directory, resource))
      : documents(read(resource)),
  );
  for (const { name, behavior, envs, files, literals } of configMapGenerator) {
    const data = Object.fromEntries([
      ...envs.flatMap((file) => read(file).split('\n').filter(isAssignment).map(assignment)),
      ...literals.map(assignment),
      ...files.map((file) => [basename(file), read(file)] as const),
    ]);
    if (behavior === undefined)
      objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
    else Object.assign(only(objects, 'ConfigMap', name).data ?? {}, data);
  }
  for (const { path, target } of patches) {
    const object = only(objects, target.kind, target.name);
    for (const operation of operations.parse(parse(read(path)))) apply(object, operation);
  }
  for (const object of objects) {
    if (object.kind !== 'Namespace' && namespace !== undefined) object.metadata.namespace = namespace;
    for (const container of object.spec?.template?.spec?.containers ?? []) {
      const image = images.find(({ name }) => name === container.image);
      if (image !== undefined) container.image = `${image.newName}:${image.newTag}`;
    }
  }
  return objects;
}

/** The objects of a file. */
export function documents(text: string): Manifest[] {
  return parseAllDocuments(text, { stringKeys: true }).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS() as Manifest;
  });
}

/** The one object of a kind with a name. @throws Error where there is none, or more */
export function only(objects: readonly Manifest[], kind: string, name: string): Manifest {
  const [object, ...others] = objects.filter((each) => each.kind === kind && each.metadata.name === name);
  if (object === undefined || others.length > 0) throw new Error(`${others.length} of ${kind} ${name}`);
  return object;
}

function isAssignment(line: string): boolean {
  return line !== '' && !line.startsWith('#');
}

function assignment(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** An operation of a JSON patch (RFC 6902), in place. */
function apply(object: Manifest, { op, path, value }: z.infer<typeof operations>[number]): void {
  const steps = path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop() ?? '';
  let parent = object as unknown as Record<string, unknown>;
  for (const step of steps) parent = parent[step] as Record<string, unknown>;
  if (op === 'test') {
    if (parent[last] !== value) throw new Error(`${path} of ${object.metadata.name} is not ${value}`);
  } else if (Array.isArray(parent) && op === 'add') {
    parent.splice(last === '-' ? parent.length : Number(last), 0, value);
  } else {
    if (op !== 'add' && !(last in parent)) throw new Error(`${object.metadata.name} has no ${path}`);
    if (op === 'remove') delete parent[last];
    else parent[last] = value;
  }
}

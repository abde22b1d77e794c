import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { RateLimitService } from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { settings as identity } from '../services/identity/config.ts';
import { SERVICES } from '../services/identity/router.ts';
import { settings as ratelimit } from '../services/ratelimit/config.ts';
import { documents, kustomize, type Manifest, only } from './testing-kustomize.ts';
import { manifestProblems } from './testing-manifest-schema.ts';

const ROOT = fileURLToPath(new URL('./kubernetes', import.meta.url));
const NAMES = ['base', 'overlays/production', 'overlays/tls'];
const rendered = Object.fromEntries(NAMES.map((name) => [name, kustomize(join(ROOT, name))]));
const all = NAMES.flatMap((name) => (rendered[name] ?? []).map((object) => ({ name, object })));
const workloads = all.filter(({ object }) => ['Deployment', 'Job'].includes(object.kind));
const production = rendered['overlays/production'] ?? [];
const SERVING = [
  { name: 'identity', settings: identity, health: SERVICES.map(({ typeName }) => typeName) },
  { name: 'ratelimit', settings: ratelimit, health: [RateLimitService.typeName] },
];

const kubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;
const title = (object: Manifest) => `${object.kind} ${object.metadata.name}`;
const podOf = (object: Manifest) => object.spec.template.spec;
/** Whether pods with these labels are those that a selector means. */
const selects = (selector: Record<string, string>, labels: Record<string, string>) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

describe('the objects', () => {
  it.each(NAMES)(
    'of %s are what the API of Kubernetes takes, without a field that it does not know',
    (name) => {
      expect(rendered[name]?.length).toBeGreaterThan(20);
      expect((rendered[name] ?? []).flatMap(manifestProblems)).toEqual([]);
    },
  );

  it.each<[string, string, (object: Manifest) => void, RegExp]>([
    ['Deployment', 'identity', (object) => Object.assign(object.spec, { replica: 2 }), /^\/spec\/replica is/],
    ['Deployment', 'identity', (object) => delete object.spec.selector, /selector/],
    ['Service', 'identity', (object) => Object.assign(object, { sepc: {} }), /^\/sepc is/],
    [
      'Deployment',
      'ratelimit',
      (object) => Object.assign(podOf(object).containers[0].readinessProbe.grpc, { sevice: '' }),
      /sevice is not a field/,
    ],
    [
      'PodDisruptionBudget',
      'ratelimit',
      (object) => Object.assign(object, { apiVersion: 'policy/v2' }),
      /^there is no/,
    ],
  ])('would be refused with a fault: %s %s', (kind, name, spoil, problem) => {
    const object = structuredClone(only(production, kind, name));
    spoil(object);
    expect(manifestProblems(object)).toEqual([expect.stringMatching(problem)]);
  });

  it.runIf(kubectl).each(NAMES)(
    'of %s are those that kubectl makes of it (skipped where there is no kubectl)',
    (name) => {
      const { stdout, stderr } = spawnSync('kubectl', ['kustomize', join(ROOT, name)], { encoding: 'utf8' });
      expect(stderr).toBe('');
      // ConfigMaps whose change is to roll a Deployment have a hash at the end of their names, also where they are named.
      const made = documents(stdout.replace(/(-settings)-[a-z0-9]{10}$/gm, '$1'));
      const sorted = (objects: readonly Manifest[]) =>
        objects.toSorted((a, b) => (title(a) < title(b) ? -1 : 1));
      expect(sorted(made)).toEqual(sorted(rendered[name] ?? []));
    },
  );

  it.each(NAMES)('of %s come from all files that lie there', (name) => {
    const directory = join(ROOT, name);
    const text = JSON.stringify(parse(readFileSync(join(directory, 'kustomization.yaml'), 'utf8')));
    const files = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'kustomization.yaml')
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !text.includes(`"${file}"`))).toEqual([]);
  });
});

describe('the pods', () => {
  it.each(workloads)(
    'of $name, $object.kind $object.metadata.name, have no rights that they do not need',
    ({ object }) => {
      const pod = podOf(object);
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(pod.containers).toHaveLength(1);
      expect(pod.containers[0]).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: { limits: { memory: '512Mi' } },
      });
    },
  );

  it('run the image as the user that it was made for', () => {
    const dockerfile = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8');
    const { runAsUser, runAsGroup } = podOf(only(production, 'Deployment', 'identity')).securityContext;
    expect(dockerfile).toContain(`\nUSER ${runAsUser}:${runAsGroup}\n`);
  });

  it.each(workloads)(
    'of $name, $object.kind $object.metadata.name, find all that they name',
    ({ name, object }) => {
      const objects = rendered[name] ?? [];
      const pod = podOf(object);
      const [container] = pod.containers;
      const secrets = documents(readFileSync(join(ROOT, 'secrets.example.yaml'), 'utf8'));
      expect(only(objects, 'ServiceAccount', pod.serviceAccountName)).toBeDefined();
      for (const { configMapRef, secretRef } of container.envFrom) {
        if (configMapRef) expect(only(objects, 'ConfigMap', configMapRef.name)).toBeDefined();
        if (secretRef) expect(only(secrets, 'Secret', secretRef.name)).toBeDefined();
      }
      const volumes = (pod.volumes ?? []).map((volume: { name: string }) => volume.name);
      const mounted = (container.volumeMounts ?? []).map((mount: { name: string }) => mount.name);
      expect(mounted).toEqual(volumes);
      for (const { configMap } of pod.volumes ?? []) {
        if (configMap) expect(only(objects, 'ConfigMap', configMap.name)).toBeDefined();
      }
      expect(readFileSync(new URL(`../${container.args[0]}`, import.meta.url), 'utf8')).not.toBe('');
    },
  );

  it.each(SERVING)(
    'of $name listen where the Services lead, and are asked for their own health',
    ({ name, settings, health }) => {
      const pod = podOf(only(production, 'Deployment', name));
      const [container] = pod.containers;
      const ports = [
        { name: 'grpc', containerPort: settings.grpcPort.fallback },
        { name: 'http', containerPort: settings.httpPort.fallback },
      ];
      expect(container.ports).toEqual(ports);
      const { port, service } = container.readinessProbe.grpc;
      expect(port).toBe(settings.grpcPort.fallback);
      expect(health).toContain(service);
      for (const service of [
        only(production, 'Service', name),
        only(production, 'Service', `${name}-pods`),
      ]) {
        for (const { name, port, targetPort } of service.spec.ports) {
          expect(ports).toContainEqual({ name: targetPort, containerPort: port });
          expect(name).toBe(targetPort);
        }
      }
    },
  );

  it.each(SERVING)('of $name have the time to end that the settings promise', ({ name }) => {
    const { data } = only(production, 'ConfigMap', `${name}-settings`);
    const seconds = (Number(data?.['SHUTDOWN_DELAY_MS']) + Number(data?.['SHUTDOWN_TIMEOUT_MS'])) / 1000;
    const { terminationGracePeriodSeconds, containers } = podOf(only(production, 'Deployment', name));
    // Stores are closed after that.
    expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds + 5);
    // Endpoints are to have lost the pod before it stops.
    const { periodSeconds } = containers[0].readinessProbe;
    expect(Number(data?.['SHUTDOWN_DELAY_MS']) / 1000).toBeGreaterThanOrEqual(periodSeconds);
  });

  it('never have more connections to PostgreSQL together than it has by default', () => {
    const { data } = only(production, 'ConfigMap', 'identity-settings');
    const { maxReplicas } = only(production, 'HorizontalPodAutoscaler', 'identity').spec;
    const { maxSurge } = only(production, 'Deployment', 'identity').spec.strategy.rollingUpdate;
    const aPod = Number(data?.['DATABASE_POOL_SIZE']) + Number(data?.['DATABASE_MAX_OVERFLOW']) + 1;
    // Of max_connections three are kept for superusers; the migrations take two.
    expect((maxReplicas + maxSurge) * aPod + 2).toBeLessThanOrEqual(97);
  });
});

describe('what selects pods', () => {
  const labelsOf = (name: string) =>
    only(production, name === 'migrate' ? 'Job' : 'Deployment', name).spec.template.metadata.labels;

  it.each(SERVING)('selects those of $name', ({ name }) => {
    const labels = labelsOf(name);
    const deployment = only(production, 'Deployment', name).spec;
    const selectors = [
      deployment.selector.matchLabels,
      ...podOf(only(production, 'Deployment', name)).topologySpreadConstraints.map(
        (constraint: { labelSelector: { matchLabels: object } }) => constraint.labelSelector.matchLabels,
      ),
      only(production, 'Service', name).spec.selector,
      only(production, 'Service', `${name}-pods`).spec.selector,
      only(production, 'PodDisruptionBudget', name).spec.selector.matchLabels,
      only(production, 'NetworkPolicy', name).spec.podSelector.matchLabels,
    ];
    expect(selectors.filter((selector) => !selects(selector, labels))).toEqual([]);
    const others = ['identity', 'ratelimit', 'migrate'].filter((other) => other !== name).map(labelsOf);
    expect(selectors.filter((selector) => others.some((other) => selects(selector, other)))).toEqual([]);
    const {
      kind,
      apiVersion,
      name: scaled,
    } = only(production, 'HorizontalPodAutoscaler', name).spec.scaleTargetRef;
    expect({ kind, apiVersion, scaled }).toEqual({ kind: 'Deployment', apiVersion: 'apps/v1', scaled: name });
  });

  it('lets nothing in and out of the namespace but what a policy names', () => {
    expect(only(production, 'NetworkPolicy', 'default-deny').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const rules = production
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .flatMap(({ spec }) => [...(spec.ingress ?? []), ...(spec.egress ?? [])]);
    expect(rules.length).toBeGreaterThan(7);
    // No rule is for all peers, or for all ports.
    for (const rule of rules) {
      expect((rule.from ?? rule.to).length).toBeGreaterThan(0);
      expect(rule.ports.length).toBeGreaterThan(0);
    }
  });

  it('lets identity call ratelimit, both reach Redis, and the migrations and identity PostgreSQL', () => {
    const egress = (name: string) =>
      only(production, 'NetworkPolicy', name).spec.egress.flatMap(
        (rule: { to: unknown[]; ports: { port: unknown }[] }) => rule.ports.map(({ port }) => port),
      );
    expect(egress('identity')).toEqual(['grpc', 5432, 6379, 587]);
    expect(egress('ratelimit')).toEqual([6379]);
    expect(egress('migrate')).toEqual([5432]);
    const [fromIdentity] = only(production, 'NetworkPolicy', 'ratelimit').spec.ingress;
    expect(selects(fromIdentity.from[0].podSelector.matchLabels, labelsOf('identity'))).toBe(true);
    const [toRateLimit] = only(production, 'NetworkPolicy', 'identity').spec.egress;
    expect(selects(toRateLimit.to[0].podSelector.matchLabels, labelsOf('ratelimit'))).toBe(true);
  });
});

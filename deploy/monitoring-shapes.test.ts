import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig as readIdentity } from '../services/identity/config.ts';
import { readConfig as readRateLimit } from '../services/ratelimit/config.ts';
import { type ConfiguredService, composeConfig, findDockerCompose } from './testing-compose-config.ts';
import { kustomize, only } from './testing-kustomize.ts';
import { manifestProblems } from './testing-manifest-schema.ts';
import { prometheusFile } from './testing-monitoring.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const OVERLAY = 'deploy/compose/monitoring.yml';
const scrapes = (
  parse(readFileSync(prometheusFile('prometheus.yml'), 'utf8')) as {
    scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[];
  }
).scrape_configs;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-monitoring-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('monitoring.yml of Docker Compose', () => {
  let services: Readonly<Record<string, ConfiguredService>>;
  let secrets: NodeJS.Dict<string>;
  beforeAll(() => {
    const program = findDockerCompose();
    if (program === undefined) throw new Error('the tests need Docker Compose');
    const envFile = join(directory, '.env');
    spawnSync('/bin/sh', [path('./new-secrets.sh'), envFile]);
    // What its head tells to do, but for the last line, which starts everything.
    const head = readFileSync(path('./compose/monitoring.yml'), 'utf8').matchAll(/^# {3}(\S.*)$/gm);
    const commands = [...head]
      .map(([, command = '']) => command)
      .filter((line) => !line.startsWith('docker'));
    const { status, stderr } = spawnSync('/bin/sh', ['-euc', commands.join('\n')], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    secrets = parseEnv(readFileSync(envFile, 'utf8'));
    ({ services } = composeConfig(program, ['docker-compose.yml', OVERLAY], envFile, directory));
  });

  const environment = (name: string) =>
    Object.fromEntries(
      Object.entries(services[name]?.environment ?? {}).flatMap(([key, value]) =>
        value === null ? [] : [[key, String(value)]],
      ),
    );

  it('lets Prometheus read the metrics of both services by its key, and nothing else', () => {
    const digest = createHash('sha256').update(String(secrets['METRICS_KEY'])).digest('hex');
    for (const config of [readIdentity(environment('identity')), readRateLimit(environment('ratelimit'))]) {
      expect(config.callerKeys?.entries).toContainEqual({
        ...{ name: 'prometheus', digest },
        scopes: ['metrics.read'],
      });
      expect(config.callerKeys?.entries.map(({ name }) => name)).toContain('operator');
      expect(config.metrics).toBe('callers');
    }
    expect(services['prometheus']?.environment).toMatchObject({ METRICS_KEY: secrets['METRICS_KEY'] });
  });

  it('gives its containers no rights that they do not need, and opens ports to this host only', () => {
    for (const name of ['prometheus', 'grafana']) {
      const container = services[name];
      expect(container).toMatchObject({
        ...{ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] },
        image: expect.stringMatching(/:v?\d+\.\d+/),
      });
      expect(JSON.stringify(container?.ports)).toMatch(/127\.0\.0\.1/);
    }
  });

  it('starts Prometheus with the files and the key where prometheus.yml looks for them', () => {
    // The container's own script; Prometheus is promtool here, which reads what it would read.
    const [script = ''] = services['prometheus']?.command ?? [];
    const own = join(directory, 'container');
    mkdirSync(own);
    const moved = script
      .replaceAll('$$', '$')
      // First, as this checkout may lie under /tmp.
      .replaceAll('/tmp/', `${own}/`)
      .replaceAll('/etc/prometheus/optix/', prometheusFile(''))
      .replace(/exec prometheus --config\.file=(\S+).*/, 'exec promtool check config $1');
    const { status, stdout } = spawnSync('/bin/sh', ['-euc', moved], {
      encoding: 'utf8',
      env: { PATH: `${process.env['PATH']}:/usr/sbin`, METRICS_KEY: String(secrets['METRICS_KEY']) },
    });
    expect(stdout).toContain('SUCCESS: 1 rule files found');
    expect(status).toBe(0);
    expect(readFileSync(join(own, 'metrics-key'), 'utf8')).toBe(secrets['METRICS_KEY']);
  });

  it('shows Grafana its dashboards and the Prometheus beside it', () => {
    const provisioning = path('./grafana/provisioning');
    const [source] = parse(
      readFileSync(join(provisioning, 'datasources/prometheus.yml'), 'utf8'),
    ).datasources;
    expect(source).toMatchObject({ type: 'prometheus', url: 'http://prometheus:9090' });
    const [provider] = parse(readFileSync(join(provisioning, 'dashboards/optix.yml'), 'utf8')).providers;
    const mounts = JSON.stringify(services['grafana']?.volumes);
    expect(mounts).toContain(provider.options.path);
    expect(mounts).toContain('/etc/grafana/provisioning');
    expect(readdirSync(provisioning).sort()).toEqual(['dashboards', 'datasources']);
  });
});

describe('prometheus.yml', () => {
  it('reads each service where it listens', () => {
    const found = scrapes.map(({ job_name: job, dns_sd_configs: [dns] }) => ({ job, dns }));
    const database = { DATABASE_URL: 'postgresql://localhost/optix' };
    expect(found).toEqual([
      { job: 'identity', dns: { names: ['identity'], type: 'A', port: readIdentity(database).httpPort } },
      { job: 'ratelimit', dns: { names: ['ratelimit'], type: 'A', port: readRateLimit({}).httpPort } },
    ]);
  });
});

describe('monitoring of Kubernetes', () => {
  const production = kustomize(path('./kubernetes/overlays/production'));
  const objects = kustomize(path('./kubernetes/monitoring'));

  it.each(scrapes.map(({ job_name: job }) => job))('reads the pods of %s, under that name', (job) => {
    const { metadata, spec } = only(objects, 'PodMonitor', job);
    const pod = only(production, 'Deployment', job).spec.template;
    expect(metadata.namespace).toBe(only(production, 'Deployment', job).metadata.namespace);
    expect(pod.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(pod.metadata.labels[spec.jobLabel]).toBe(job);
    const [{ port, authorization }] = spec.podMetricsEndpoints;
    expect(pod.spec.containers[0].ports.map(({ name }: { name: string }) => name)).toContain(port);
    const text = readFileSync(path('./kubernetes/monitoring/pod-monitors.yaml'), 'utf8');
    const { name, key } = authorization.credentials;
    expect(text).toContain(`create secret generic ${name} --from-literal=${key}=`);
  });

  it('lets Prometheus in to the port of the metrics, and to no other', () => {
    const policy = only(objects, 'NetworkPolicy', 'metrics');
    expect(manifestProblems(policy)).toEqual([]);
    expect(policy.spec.podSelector.matchExpressions[0].values).toEqual(
      scrapes.map(({ job_name: job }) => job),
    );
    const [{ from, ports }] = policy.spec.ingress;
    expect(ports).toEqual([{ port: 'http', protocol: 'TCP' }]);
    expect(Object.keys(from[0]).sort()).toEqual(['namespaceSelector', 'podSelector']);
  });
});

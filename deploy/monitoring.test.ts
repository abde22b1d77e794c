import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { answersStream, asksStream } from '../runtime/service-table.ts';
import { grafanaDashboards } from '../scripts/grafana-dashboards.ts';
import { anchorOf } from '../scripts/markdown.ts';
import { servicesOf } from '../testing/services.ts';
import {
  dashboardExpressions,
  dashboards,
  monitoringRules,
  prometheusFile,
  runbookExpressions,
} from './testing-monitoring.ts';
import { promtool } from './testing-promtool.ts';

const rules = monitoringRules();
const alerts = rules.filter(({ alert }) => alert !== undefined);
const names = [...new Set(alerts.map(({ alert }) => alert ?? ''))];
const SUCCESS = { code: 0, output: expect.stringContaining('SUCCESS') };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-monitoring-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('the rules', () => {
  it('are taken by Prometheus, without one twice', () => {
    expect(promtool('check', 'rules', prometheusFile('optix.rules.yml'))).toEqual(SUCCESS);
  });

  it('fire when they should, and are silent when they should', () => {
    expect(promtool('test', 'rules', prometheusFile('optix.rules.tests.yml'))).toEqual(SUCCESS);
  });

  it('would fail those tests with an alert that comes later', () => {
    const read = (file: string) => readFileSync(prometheusFile(file), 'utf8');
    writeFileSync(
      join(directory, 'optix.rules.yml'),
      read('optix.rules.yml').replaceAll('for: 30s', 'for: 15m'),
    );
    const { tests, ...head } = parse(read('optix.rules.tests.yml')) as { tests: { name: string }[] };
    const file = join(directory, 'late.tests.yml');
    writeFileSync(
      file,
      stringify({ ...head, tests: tests.filter(({ name }) => name.startsWith('Redis is away')) }),
    );
    const { code, output } = promtool('test', 'rules', file);
    expect(code).not.toBe(0);
    expect(output).toContain('OptixRateLimitFallback');
  });

  it('count all unary methods of the contracts, and no stream', async () => {
    const services = [
      ...(await servicesOf('optix/identity/v1')),
      ...(await servicesOf('optix/ratelimit/v1')),
    ];
    const methods = services.flatMap((service) => service.methods);
    const patterns = [
      ...new Set(rules.flatMap(({ expr }) => [...expr.matchAll(/method!~"([^"]+)"/g)].map(([, p]) => p))),
    ];
    expect(patterns).toHaveLength(1);
    const left = new RegExp(`^(?:${patterns[0]})$`);
    expect(methods.filter(({ name }) => left.test(name)).map(({ name }) => name)).toEqual(
      methods.filter((method) => asksStream(method) || answersStream(method)).map(({ name }) => name),
    );
  });

  it('are read by prometheus.yml, which asks with a key', () => {
    for (const file of ['prometheus.yml', 'optix.rules.yml']) {
      cpSync(prometheusFile(file), join(directory, file));
    }
    writeFileSync(join(directory, 'metrics-key'), 'a key');
    const { code, output } = promtool('check', 'config', join(directory, 'prometheus.yml'));
    expect({ code, output }).toEqual(SUCCESS);
    expect(output).toContain('1 rule files found');
    rmSync(join(directory, 'metrics-key'));
    expect(promtool('check', 'config', join(directory, 'prometheus.yml')).code).not.toBe(0);
  });
});

describe('an alert', () => {
  it.each(alerts)('$alert says how bad it is, what is the case and where to read on', (rule) => {
    const { alert = '', labels = {}, annotations = {} } = rule;
    expect(['critical', 'warning']).toContain(labels['severity']);
    expect(Object.keys(annotations).sort()).toEqual(['description', 'runbook', 'summary']);
    expect(annotations['runbook']).toBe(`docs/runbook.md#${anchorOf(alert)}`);
    // One that looks at a moment waits, so that the moment passes; one that looks back has waited.
    if (rule.for === undefined) expect(rule.expr).toMatch(/(increase|changes)\(/);
  });

  it('has an entry in the runbook, and each entry an alert', () => {
    const text = readFileSync(new URL('../docs/runbook.md', import.meta.url), 'utf8');
    const entries = [...text.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
    expect(entries.toSorted()).toEqual(names.toSorted());
    for (const [entry = ''] of text.matchAll(/^### [\s\S]*?(?=^##|(?![\s\S]))/gm)) {
      expect(entry).toMatch(
        /\*\*Means\.\*\* [\s\S]+\*\*Look\.\*\*\s[\s\S]+\*\*Do\.\*\* [\s\S]+\*\*Over\*\* /,
      );
    }
  });
});

describe('the dashboards', () => {
  it('are what `node scripts/grafana-dashboards.ts` writes', () => {
    const written = [...grafanaDashboards()].map(([name, text]) => [name, JSON.parse(text)]);
    expect([...dashboards()]).toEqual(written);
  });

  it('have expressions that Prometheus can read, as has the runbook', () => {
    const expressions = [
      ...[...dashboards().values()].flatMap(dashboardExpressions),
      ...runbookExpressions(),
    ];
    expect(expressions.length).toBeGreaterThan(100);
    const recorded = expressions.map((expr, index) => ({ record: `tested:expression:${index}`, expr }));
    const file = join(directory, 'dashboards.yml');
    writeFileSync(file, stringify({ groups: [{ name: 'dashboards', rules: recorded }] }));
    expect(promtool('check', 'rules', file)).toEqual(SUCCESS);
  });

  it.each([...dashboards()])('%s has panels with a place, a number and a unit of their own', (_, model) => {
    const { panels } = model;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { title, type, gridPos, fieldConfig, targets } of panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          expect(taken.has(`${column},${line}`), `${title} lies over another`).toBe(false);
          taken.add(`${column},${line}`);
        }
      }
      if (type === 'row') continue;
      expect(fieldConfig?.defaults.unit, title).toMatch(/^\w+$/);
      expect(targets?.length, title).toBeGreaterThan(0);
      for (const { legendFormat } of targets ?? []) expect(legendFormat, title).not.toBe('');
    }
  });

  it.each([...dashboards()])('%s is found by its uid, and shows what its variables choose', (name, model) => {
    expect(name).toBe(`${model.uid}.json`);
    expect(model.templating.list.map((variable) => variable.name)).toEqual(['datasource', 'job', 'instance']);
    const selectors = dashboardExpressions(model).flatMap((expr) =>
      [...expr.matchAll(/\b(?:optix|nodejs|process)_\w+(\{[^}]*\})?/g)].map(([, selector]) => selector),
    );
    for (const selector of selectors) expect(selector).toMatch(/^\{job=~"\$job",instance=~"\$instance"/);
  });
});

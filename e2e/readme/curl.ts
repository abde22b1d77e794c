// curl for machines that have none: `[-s] [-i] [-H "name: value"] [-d BODY] URL`, the flags that README uses. Any other
// flag is refused, so that no command passes for run that was not.
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    include: { type: 'boolean', short: 'i' },
    header: { type: 'string', short: 'H', multiple: true },
    data: { type: 'string', short: 'd' },
  },
});
const [url] = positionals;
if (url === undefined || positionals.length > 1) throw new Error('one URL is needed');

const headers = new Headers(
  (values.header ?? []).map((line): [string, string] => {
    const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    return [name, value];
  }),
);
const response = await fetch(
  url,
  values.data === undefined ? { headers } : { method: 'POST', headers, body: values.data },
);
if (values.include === true) {
  process.stdout.write(`HTTP/1.1 ${response.status} ${response.statusText}\r\n`);
  response.headers.forEach((value, name) => {
    process.stdout.write(`${name}: ${value}\r\n`);
  });
  process.stdout.write('\r\n');
}
process.stdout.write(await response.text());

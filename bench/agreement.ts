/**
 * Do the Lua scripts decide as the models do, and as the algorithms are defined? Several processes with skewed clocks
 * work at the same keys; all they did is replayed.
 *
 *   node bench/agreement.ts [--operations 1000000] [--processes 4] [--seed N]
 *
 * Starts its own Redis on a free port of the loopback. Ends with code 1 where anything disagrees.
 */
import { parseArgs } from 'node:util';
import { runAgreement } from '../testing/agreement/run-agreement.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '1000000' },
    processes: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const [operations, processes, seed] = [values.operations, values.processes, values.seed].map(Number) as [
  number,
  number,
  number,
];

const { tally, seconds, report } = await runAgreement({ operations, processes, seed });
const { edit, ...done } = tally.operations;
const total = Object.values(done).reduce((sum, count) => sum + count, 0);
console.log(
  `seed ${seed}: ${total} operations in ${tally.calls} calls of ${processes} processes, ${seconds.toFixed(1)} s`,
);
console.table({ operations: { ...done, 'edits learnt of': edit } });
console.table(tally.algorithms);
console.log(
  `disagreements: ${tally.faults.DISAGREEMENT}, over-admissions: ${tally.faults.OVER_ADMISSION}, ` +
    `wrong denials: ${tally.faults.WRONG_DENIAL}`,
);
if (report !== '') {
  console.error(report);
  process.exitCode = 1;
}

/** The command line of the bench. */

import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]

  --only <ids>         workloads, separated by commas (default: all)
  --contenders <ids>   contenders, separated by commas (default: all)
  --rounds <number>    turns that each contender takes (default: set by the workload)
  --quick              fewer and shorter turns: for a look, not for a figure
  --pinned, --free     only that pass (default: both)
  --markdown           tables for a README instead of a terminal
  --strict             end with code 1 when a target is missed
  --list               name the workloads and contenders, and stop
  --help`;

/** Parses `args`; throws an error whose message is for the user. */
export function parseOptions(args, { workloads, contenders }) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      pinned: { type: 'boolean', default: false },
      free: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const bothPasses = values.pinned === values.free;
  return {
    workloads: chosen('only', values.only, workloads),
    contenders: chosen('contenders', values.contenders, contenders),
    rounds: positive('rounds', values.rounds),
    quick: values.quick,
    passes: ['pinned', 'free'].filter((pass) => bothPasses || values[pass]),
    markdown: values.markdown,
    strict: values.strict,
    list: values.list,
    help: values.help,
  };
}

/** Ids of `known` that `text` names, in the order of `known`; all of them when it is absent. */
function chosen(option, text, known) {
  const ids = known.map(({ id }) => id);
  if (text === undefined) return ids;
  const wanted = text.split(',').map((word) => word.trim());
  const unknown = wanted.filter((id) => !ids.includes(id));
  if (unknown.length > 0) {
    throw new Error(`--${option}: unknown "${unknown.join('", "')}"; known: ${ids.join(', ')}`);
  }
  return ids.filter((id) => wanted.includes(id));
}

function positive(option, text) {
  if (text === undefined) return null;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`--${option}: must be a whole number from 1, got "${text}"`);
  }
  return number;
}

/**
 * `npm run bench`: measures Synapse, version 1.4 and the peers in turns, once
 * with everything on one core and once free; prints the tables and writes the
 * figures to `results/`. See README.md beside this file.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareHouse, resultsDirectory } from './library/house.mjs';
import { interleave } from './library/interleave.mjs';
import { describeMachine, lastAllowedCore } from './library/machine.mjs';
import { parseOptions, USAGE } from './library/options.mjs';

/** Progress goes to stderr, so that stdout holds the tables and nothing else. */
function say(text) {
  process.stderr.write(`${text}\n`);
}

/** The file is named after the moment, in UTC, to the second. */
function writeResults(results) {
  mkdirSync(resultsDirectory, { recursive: true });
  const name = results.date.slice(0, 19).replaceAll(':', '-');
  const path = join(resultsDirectory, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}

/** Has each contender that makes its own environment do so now, outside every measurement. */
async function provision(Contenders) {
  for (const Contender of Contenders.filter(({ capabilities }) => capabilities.cold)) {
    const contender = new Contender();
    await contender.start();
    await contender.stop();
  }
}

async function main() {
  // The contenders load the peers' packages, which the first run must install.
  await prepareHouse(say);
  const { contenders } = await import('./contenders/index.mjs');
  const { workloads } = await import('./workloads/index.mjs');
  const { figureTable, gaps, judge, targetTable } = await import('./library/report.mjs');

  const options = parseOptions(process.argv.slice(2), { workloads, contenders });
  if (options.help) return say(USAGE);
  if (options.list) {
    for (const { id, title } of workloads) console.log(`workload   ${id.padEnd(20)} ${title}`);
    for (const { id, title } of contenders) console.log(`contender  ${id.padEnd(20)} ${title}`);
    return;
  }

  const date = new Date().toISOString();
  const machine = await describeMachine();
  const absent = [];
  const present = contenders.filter((Contender) => {
    if (!options.contenders.includes(Contender.id)) return false;
    const reason = Contender.unavailable();
    if (reason !== null) absent.push({ title: Contender.title, reason });
    return reason === null;
  });
  await provision(present);

  const passes = {};
  for (const pass of options.passes) {
    if (pass === 'pinned' && lastAllowedCore() === null) {
      say('pinned: left out, this system does not say which cores there are');
      continue;
    }
    const results = [];
    for (const workload of workloads) {
      if (!options.workloads.includes(workload.id) || !workload.passes.includes(pass)) continue;
      results.push(
        await interleave(workload, present, {
          pinned: pass === 'pinned',
          rounds: options.rounds,
          quick: options.quick,
          say: (text) => say(`${pass}: ${text}`),
        }),
      );
    }
    passes[pass] = { results };
  }

  const measured = workloads.filter(({ id }) =>
    Object.values(passes).some(({ results }) => results.some((result) => result.id === id)),
  );
  const verdicts = judge(measured, passes);
  const heading = options.markdown ? '### ' : '';
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.python}; load at start ${machine.loadAtStart.toFixed(1)}`,
  );
  console.log(
    'Medians over rounds in which all contenders take turns; ratios are taken within a round.\n',
  );
  for (const workload of measured) {
    console.log(`${heading}${workload.title} (${workload.id})\n`);
    console.log(figureTable(workload, passes, options));
    for (const gap of gaps(workload, passes))
      console.log(`${options.markdown ? '\n' : ''}not measured: ${gap}`);
    console.log();
  }
  for (const { title, reason } of absent) console.log(`absent: ${title}: ${reason}`);
  if (verdicts.length > 0) {
    console.log(`\n${heading}Targets\n`);
    console.log(targetTable(measured, verdicts, options));
  }
  say(
    `\nwritten to ${writeResults({ date, machine, quick: options.quick, rounds: options.rounds, absent, passes, verdicts })}`,
  );
  if (options.strict && verdicts.some(({ ok }) => !ok)) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
}

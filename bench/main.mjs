/**
 * `npm run bench`: measures Synapse, version 1.4 and the peers in turns, once
 * with everything on one core and once free; prints the tables and writes the
 * figures to `results/`. See README.md beside this file.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareHouse, resultsDirectory } from './library/house.mjs';
import { describeMachine, lastAllowedCore } from './library/machine.mjs';
import { parseOptions, USAGE } from './library/options.mjs';

/**
 * The collector is run between turns. Each of its runs makes V8 age the code of
 * the contenders that wait, and throw it away after a few: that is prevented,
 * or every turn would begin with compiling.
 */
const NODE_FLAGS = ['--expose-gc', '--no-flush-bytecode'];

const PASS = join(dirname(fileURLToPath(import.meta.url)), 'pass.mjs');

/** Progress goes to stderr, so that stdout holds the tables and nothing else. */
function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Runs one pass in a Node process of its own, pinned or not, and gives what it sends. */
function runPass(pass, options) {
  const node = [process.execPath, ...NODE_FLAGS, PASS];
  const core = lastAllowedCore();
  const command = pass === 'pinned' ? ['taskset', '-c', String(core), ...node] : node;
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 2, 2, 'ipc'] });
    let outcome = null;
    child.on('message', (message) => {
      if (message.say === undefined) outcome = message;
      else say(message.say);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (outcome === null)
        reject(new Error(`the ${pass} pass ended with ${signal ?? `code ${code}`}`));
      else resolve(outcome);
    });
    child.send({
      pass,
      workloads: options.workloads,
      contenders: options.contenders,
      rounds: options.rounds,
      quick: options.quick,
    });
  });
}

/** The file is named after the moment, in UTC, to the second. */
function writeResults(results) {
  mkdirSync(resultsDirectory, { recursive: true });
  const name = results.date.slice(0, 19).replaceAll(':', '-');
  const path = join(resultsDirectory, `${name}.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
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
  const passes = {};
  for (const pass of options.passes) {
    if (pass === 'pinned' && lastAllowedCore() === null)
      say('pinned: left out, this system has no taskset');
    else passes[pass] = await runPass(pass, options);
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
  for (const { title, reason } of Object.values(passes)[0].absent)
    console.log(`absent: ${title}: ${reason}`);
  if (verdicts.length > 0) {
    console.log(`\n${heading}Targets\n`);
    console.log(targetTable(measured, verdicts, options));
  }
  say(
    `\nwritten to ${writeResults({ date, machine, quick: options.quick, rounds: options.rounds, passes, verdicts })}`,
  );
  if (options.strict && verdicts.some(({ ok }) => !ok)) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  say(`bench: ${error.message}`);
  process.exitCode = 1;
}

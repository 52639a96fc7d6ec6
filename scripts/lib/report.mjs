// Runs suites one after the other and says how each went.

import { run } from './run.mjs';

/** What is counted is text: no tool may colour it. */
const plain = { NO_COLOR: '1', CARGO_TERM_COLOR: 'never', FORCE_COLOR: undefined };

/**
 * Runs one suite. A command that fails although every test that it reports passed (a crash, a
 * configuration error) counts as one failure, and so does output that cannot be read.
 */
async function runSuite(suite) {
  const result = await run(await suite.command(), { cwd: suite.cwd, env: plain });
  let counted;
  try {
    counted = suite.count(result);
  } catch (error) {
    counted = { passed: 0, failed: 1 };
    result.output += `\nthe report of ${suite.name} cannot be read: ${error.message}\n`;
  }
  const failed = result.code !== 0 && counted.failed === 0 ? 1 : counted.failed;
  return { ...result, name: suite.name, passed: counted.passed, failed };
}

/** One line about a suite. */
function line({ name, passed, failed, seconds }) {
  const state = failed === 0 ? 'ok  ' : 'FAIL';
  const counts = `${passed} passed, ${failed} failed`.padEnd(24);
  return `${state}  ${name.padEnd(16)} ${counts} ${seconds.toFixed(1).padStart(6)} s`;
}

/**
 * Runs `suites`, shows the output of those that fail, and prints a summary whose last line is
 * `N passed, N failed`.
 *
 * @param {import('./suites.mjs').Suite[]} suites
 * @returns {Promise<boolean>} whether nothing failed
 */
export async function report(suites) {
  const results = [];
  for (const suite of suites) {
    process.stdout.write(`\n== ${suite.name}\n`);
    const result = await runSuite(suite);
    if (result.failed > 0) process.stdout.write(result.output);
    process.stdout.write(`${line(result)}\n`);
    results.push(result);
  }
  process.stdout.write(`\n== summary\n${results.map(line).join('\n')}\n\n`);
  const passed = results.reduce((total, result) => total + result.passed, 0);
  const failed = results.reduce((total, result) => total + result.failed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0;
}

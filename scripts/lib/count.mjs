// Reads, from what a test runner wrote, how many tests passed and failed.

import { readFileSync } from 'node:fs';

function sum(output, pattern) {
  return [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}

/** A tool that has one verdict. */
export function verdict({ code }) {
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** cargo-nextest: `12 tests run: 11 passed (1 slow), 1 failed, 0 skipped`. */
export function nextest({ output }) {
  const summary = output.match(/tests? run: .*/)?.[0] ?? '';
  return {
    passed: sum(summary, /(\d+) passed/g),
    failed: sum(summary, /(\d+) (?:failed|timed out)/g),
  };
}

/** cargo test: one `test result: ok. 3 passed; 0 failed;` a binary. */
export function cargoTest({ output }) {
  return {
    passed: sum(output, /test result: .*? (\d+) passed;/g),
    failed: sum(output, /test result: .*?; (\d+) failed;/g),
  };
}

/**
 * Jest's report in `path`. A spec file that could not run counts as one failure, and so do handles
 * that were left open.
 */
export function jest(path) {
  return ({ output }) => {
    const report = JSON.parse(readFileSync(path, 'utf8'));
    const open = /Jest has detected the following/.test(output) ? 1 : 0;
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites + open,
    };
  };
}

/** pytest: the last line, `3 failed, 40 passed, 1 error in 2.1s`. */
export function pytest({ output }) {
  const summary = output.trimEnd().split('\n').at(-1) ?? '';
  return { passed: sum(summary, /(\d+) passed/g), failed: sum(summary, /(\d+) (?:failed|error)/g) };
}

/** Node's own test runner with the TAP reporter. */
export function nodeTest({ output }) {
  return {
    passed: sum(output, /^# pass (\d+)$/gm),
    failed: sum(output, /^# (?:fail|cancelled) (\d+)$/gm),
  };
}

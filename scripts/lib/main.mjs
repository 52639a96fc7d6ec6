// The frame of every script: a failure is one line on standard error and an exit code.

import { CommandFailed } from './run.mjs';

/** Runs `body` and sets the exit code of this process. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    process.stderr.write(`\n${error instanceof CommandFailed ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}

#!/usr/bin/env node
/** The command `synapse`. */

import { parseArgs } from 'node:util';
import { conformance } from './conformance/index.js';

const USAGE = `usage:
  synapse conformance [--only <text>] [--patience <ms>] -- <command> [<argument>…]
      checks whether the command starts a worker that speaks the protocol: all of it, or the
      checks with the text in their names; anything may take 5000 ms unless told otherwise
  synapse worker <file>
      serves a worker file of Node; for commands of your own in the option runtime
`;

/** Runs the command line; answers the exit code. A worker's process goes on. */
async function main(words: readonly string[]): Promise<number | undefined> {
  const [command, ...rest] = words;
  switch (command) {
    case 'conformance':
      return runConformance(rest);
    case 'worker':
      return serve(rest);
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case undefined:
      return misused('a command is missing');
    default:
      return misused(`unknown command "${command}"`);
  }
}

async function runConformance(words: readonly string[]): Promise<number> {
  const dashes = words.indexOf('--');
  const command = words.slice(dashes + 1);
  const { values } = parseArgs({
    args: dashes < 0 ? [] : words.slice(0, dashes),
    options: {
      only: { type: 'string', default: '' },
      patience: { type: 'string', default: '5000' },
    },
  });
  const patience = Number(values.patience);
  if (!(patience > 0)) return misused(`--patience "${values.patience}" is no number above 0`);
  if (command.length === 0) return misused('the command of the worker is missing');
  const { passed, text } = await conformance(command, patience, values.only);
  process.stdout.write(text);
  return passed ? 0 : 1;
}

async function serve(words: readonly string[]): Promise<number | undefined> {
  const [file] = words;
  if (file === undefined || words.length > 1) return misused('one worker file is wanted');
  // Only here, for it starts much sooner without the rest and the rest without it.
  const { launch } = await import('../worker/launch.js');
  launch(file);
  return undefined;
}

function misused(reason: string): number {
  process.stderr.write(`synapse: ${reason}\n${USAGE}`);
  return 2;
}

main(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`synapse: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  },
);

/** The facts about the machine that a figure is worth nothing without. */

import { readFileSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { sharedPython } from './house.mjs';
import { run } from './processes.mjs';

/** What the results file says of where and on what they were taken. */
export async function describeMachine() {
  const python = await run(sharedPython, ['--version']);
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    loadAtStart: loadavg()[0],
    node: process.version,
    python: python.trim(),
  };
}

/** The last core that this process may run on, or null where the kernel does not say (no Linux). */
export function lastAllowedCore() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status);
    return list === null ? null : Number(list[1].split(/[,-]/).at(-1));
  } catch {
    return null;
  }
}

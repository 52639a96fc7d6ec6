/** Python modules for specs: written to a folder of their own, run in one shared environment. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll } from '@jest/globals';
import { type SpawnOptions, Synapse } from '../../ts/index.js';

const SHARED = join(__dirname, '..', 'fixtures', 'shared');
const folders: string[] = [];
const instances: AsyncDisposable[] = [];

/**
 * Options that make `spawn` use the shared environment. Nothing is killed for being slow, as it may be on a
 * machine that is busy: what must be is given a `graceMs` of its own.
 */
export const shared: SpawnOptions = {
  python: join(SHARED, '.venv'),
  requirements: undefined,
  graceMs: 30_000,
};

/** How a module begins whose handlers tell which process ran them. */
export const PROCESS_HANDLERS = `
  import os, time
  from synapse import handler

  @handler
  def pid():
      return os.getpid()

  @handler
  def sleep(seconds):
      time.sleep(seconds)
      return os.getpid()
`;

/** Writes files into a new folder, removed after the test. `requirements.txt` is added. */
export function createFolder(files: Record<string, string>, name = 'synapse-'): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  folders.push(folder);
  const all = { 'requirements.txt': '', ...files };
  for (const [file, text] of Object.entries(all)) writeFileSync(join(folder, file), dedent(text));
  return folder;
}

/** Has something disposed of after the test. */
export function disposeLater(instance: AsyncDisposable): void {
  instances.push(instance);
}

/** An instance that is disposed of after the test. */
export function createSynapse(options: SpawnOptions = {}): Synapse {
  const synapse = new Synapse({ ...shared, ...options });
  instances.push(synapse);
  return synapse;
}

/** An instance that runs `source` as its `main.py`. */
export async function spawnModule(source: string, options: SpawnOptions = {}): Promise<Synapse> {
  const synapse = createSynapse(options);
  await synapse.spawn(createFolder({ 'main.py': source }), 'main');
  return synapse;
}

/** One instance for all tests of a file. */
export interface KeptModule {
  spawn(source: string, options?: SpawnOptions): Promise<Synapse>;
  dispose(): Promise<void>;
}

/** Makes room for an instance that outlives each test: spawn in `beforeAll`, dispose in `afterAll`. */
export function keepModule(): KeptModule {
  let kept: Synapse | undefined;
  let folder = '';
  return {
    async spawn(source, options = {}) {
      kept = new Synapse({ ...shared, ...options });
      folder = createFolder({ 'main.py': source });
      folders.splice(folders.indexOf(folder), 1);
      await kept.spawn(folder, 'main');
      return kept;
    },
    async dispose() {
      await kept?.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Takes off the indentation that the first line has. */
function dedent(text: string): string {
  const indent = /^\n?( *)/.exec(text)?.[1] ?? '';
  return text.replace(new RegExp(`^${indent}`, 'gm'), '').replace(/^\n/, '');
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Kills a process, unless it has just died by itself. */
export function killProcess(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process exists and is no zombie; a signal of 0 would say that a zombie lives. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

beforeAll(async () => {
  // Built once for all runs: later spawns find it finished.
  const synapse = new Synapse();
  await synapse.spawn(SHARED, 'main');
  await synapse.dispose();
}, 600_000);

afterEach(async () => {
  await Promise.all(instances.splice(0).map((instance) => instance[Symbol.asyncDispose]()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

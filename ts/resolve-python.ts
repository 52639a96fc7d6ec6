/** Answers which interpreter would be used, without making or installing anything. */

import { fromFailure, type NativeFailure } from './errors/index.js';
import { searchPython } from './native.js';
import {
  knownNames,
  normalizeDirectory,
  normalizePython,
  type PythonOption,
} from './options/index.js';

/** What {@link resolvePython} is asked. */
export interface ResolvePythonOptions {
  /** As for `spawn`; a managed interpreter that is missing is not installed here. */
  readonly python?: PythonOption | undefined;
  /** The module's folder, whose `.venv` is a candidate; default `process.cwd()`. */
  readonly directory?: string | undefined;
}

/** An interpreter that fits. */
export interface ResolvedPython {
  /** Absolute. */
  readonly path: string;
  /** `3.12.4` */
  readonly version: string;
  /** Where it was found. */
  readonly source: 'option' | 'SYNAPSE_PYTHON' | '.venv' | 'managed' | 'uv' | 'PATH' | 'pyenv';
}

type Outcome = { readonly ok: ResolvedPython } | { readonly failure: NativeFailure };

/**
 * Which interpreter would be used, in the order of `docs/environments.md`. Candidates are started to
 * ask what they are; what the module's own files demand of the version does not count.
 *
 * @throws EnvironmentError `PYTHON_NOT_FOUND`, whose `candidates` say what was tried and why it was
 *   refused
 */
export async function resolvePython(options: ResolvePythonOptions = {}): Promise<ResolvedPython> {
  const { python, directory } = knownNames('', options, ['python', 'directory']);
  const spec = {
    python: normalizePython(python),
    directory: normalizeDirectory(directory),
    // Not those of the process: a worker thread has a copy of its own.
    hostEnv: process.env,
  };
  const outcome = JSON.parse(await searchPython(JSON.stringify(spec))) as Outcome;
  if ('failure' in outcome) throw fromFailure(outcome.failure);
  return outcome.ok;
}

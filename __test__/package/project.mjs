// An empty project of a user: its folder, and commands run in it as the user would.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** The absolute path of `program` on the PATH. */
function which(program) {
  const folders = process.env.PATH.split(delimiter);
  for (const folder of folders) {
    try {
      return realpathSync(join(folder, program));
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`${program} is not on the PATH`);
}

/** What a Python says about where it really is: a version manager's shim would need its own PATH. */
function realPython() {
  const result = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  });
  return result.stdout.trim();
}

/** A folder to be removed at the end, with a folder of programs that holds no compiler. */
export class Project {
  #folder = realpathSync(mkdtempSync(join(tmpdir(), 'synapse-package-')));
  #environment;

  constructor() {
    const programs = join(this.#folder, 'programs');
    mkdirSync(programs);
    mkdirSync(this.path());
    symlinkSync(process.execPath, join(programs, 'node'));
    symlinkSync(which('npm'), join(programs, 'npm'));
    symlinkSync(which('sh'), join(programs, 'sh'));
    // An environment is made from the interpreter's own folder, so it is named, not linked.
    writeFileSync(join(programs, 'python3'), `#!/bin/sh\nexec "${realPython()}" "$@"\n`, {
      mode: 0o755,
    });
    writeFileSync(join(this.#folder, 'npmrc'), '');
    writeFileSync(this.path('package.json'), '{ "name": "empty", "private": true }\n');
    this.#environment = this.#makeEnvironment(programs);
  }

  /** The environment without what npm, running this test, has put into it. */
  #makeEnvironment(programs) {
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|SYNAPSE_|NODE_TEST_CONTEXT$|NODE_OPTIONS$)/i.test(name),
    );
    const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], {
      cwd: tmpdir(),
      encoding: 'utf8',
    });
    return {
      ...Object.fromEntries(kept),
      PATH: programs,
      npm_config_registry: stdout.trim(),
      npm_config_userconfig: join(this.#folder, 'npmrc'),
    };
  }

  /** A path inside the project. */
  path(...parts) {
    return join(this.#folder, 'user', ...parts);
  }

  /** Writes a file of the project. */
  write(path, text) {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  /** Runs a program in the project and gives back its exit code and what it wrote. */
  run(program, ...args) {
    const result = spawnSync(program, args, {
      cwd: this.path(),
      env: this.#environment,
      encoding: 'utf8',
      timeout: 240_000,
    });
    if (result.error !== undefined) throw result.error;
    return { code: result.status, output: result.stdout + result.stderr, stdout: result.stdout };
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A folder beside the project. */
  beside(name) {
    return join(dirname(this.path()), name);
  }
}

/** Bad input: the error of the contract, nothing left running, and the next thing works. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  EnvironmentError,
  type PythonError,
  SpawnError,
  Synapse,
  type SynapseError,
} from '../../ts/index.js';
import { runNode } from '../support/child.js';
import { createFolder, createSynapse, isAlive, spawnModule, until } from '../support/modules.js';

const OK = 'from synapse import handler\n\n@handler(default=True)\ndef main(x):\n    return x\n';

/** The error of a spawn that must fail; afterwards the same instance can spawn a sound module. */
async function spawnError(files: Record<string, string>, entry = 'main'): Promise<SynapseError> {
  const synapse = createSynapse();
  const error = await synapse.spawn(createFolder(files), entry).then(
    () => {
      throw new Error('spawn succeeded');
    },
    (reason: SynapseError) => reason,
  );
  expect(synapse.workers()).toEqual([]);
  await synapse.spawn(createFolder({ 'main.py': OK }), 'main');
  expect(await synapse.call('works')).toBe('works');
  return error;
}

describe('what spawn is given', () => {
  test('a missing directory', async () => {
    const error = await createSynapse()
      .spawn('./nowhere', 'main')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SpawnError);
    expect(error).toMatchObject({
      code: 'DIRECTORY_NOT_FOUND',
      message: 'Directory "./nowhere" does not exist.',
    });
  });

  test('a missing entry file', async () => {
    expect(await spawnError({}, 'nothing')).toMatchObject({
      code: 'ENTRYPOINT_NOT_FOUND',
      message: 'Entrypoint "nothing.py" does not exist.',
    });
  });

  test('a missing dependency file, which pyproject.toml or a script block satisfies', async () => {
    const folder = createFolder({ 'main.py': OK });
    rmSync(join(folder, 'requirements.txt'));
    const synapse = createSynapse();
    await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({
      code: 'REQUIREMENTS_NOT_FOUND',
      message: '"requirements.txt" file is missing.',
    });
    writeFileSync(join(folder, 'pyproject.toml'), '[project]\nname = "x"\nversion = "1"\n');
    await synapse.spawn(folder, 'main');
    await synapse.dispose();
    rmSync(join(folder, 'pyproject.toml'));
    writeFileSync(join(folder, 'main.py'), `# /// script\n# dependencies = []\n# ///\n${OK}`);
    await synapse.spawn(folder, 'main');
    expect(await synapse.call(1)).toBe(1);
  });

  test('a missing interpreter: every candidate and why it was refused', async () => {
    const synapse = new Synapse({ python: '/nowhere/python' });
    const error = await synapse
      .spawn(createFolder({ 'main.py': OK }), 'main')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error).toMatchObject({
      code: 'PYTHON_NOT_FOUND',
      candidates: [{ path: '/nowhere/python', reason: expect.any(String) }],
    });
  });

  test('spaces and letters of any language in the path', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'ein Ordner – スネーク 🐍 '));
    const folder = join(parent, "it's here");
    mkdirSync(folder);
    writeFileSync(join(folder, 'mein modul.py'), OK);
    writeFileSync(join(folder, 'requirements.txt'), '');
    const synapse = createSynapse();
    await synapse.spawn(folder, 'mein modul');
    expect(await synapse.call('hier')).toBe('hier');
    await synapse.dispose();
    rmSync(parent, { recursive: true });
  });

  test('a wrong option names itself and its value', async () => {
    const spawn = (options: object): Promise<void> =>
      createSynapse().spawn(createFolder({ 'main.py': OK }), 'main', options);
    await expect(spawn({ workers: -1 })).rejects.toThrow(/workers.*-1/);
    await expect(spawn({ worker: 2 })).rejects.toThrow(/"worker".*"workers"/);
  });
});

describe('a module that does not start', () => {
  test('a syntax error comes with its place', async () => {
    const error = await spawnError({ 'main.py': 'def broken(:\n' });
    expect(error).toMatchObject({ code: 'START_FAILED', name: 'SpawnError' });
    expect(error.cause).toMatchObject({ pythonType: 'SyntaxError' });
    expect((error.cause as Error).stack).toContain('main.py');
  });

  test('an import error comes with its traceback', async () => {
    const error = await spawnError({ 'main.py': 'import no_such_module_at_all\n' });
    expect((error.cause as PythonError).traceback).toMatch(/main\.py", line 1/);
    expect(error.cause).toMatchObject({
      pythonType: 'ModuleNotFoundError',
      message: "No module named 'no_such_module_at_all'",
    });
  });

  test('is not started again and again', async () => {
    const folder = createFolder({ 'main.py': 'open("starts", "a").write("x")\nimport nowhere\n' });
    const synapse = createSynapse({ cwd: folder, restart: { backoff: { initialMs: 1 } } });
    await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({ code: 'START_FAILED' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('x');
  });

  test('sys.exit(3) at import', async () => {
    const error = await spawnError({ 'main.py': 'import sys\nsys.exit(3)\n' });
    expect(error).toMatchObject({ code: 'START_FAILED' });
    expect(error.message).toMatch(/3/);
  });

  test('a module without handlers that does not read', async () => {
    const error = await spawnError({ 'main.py': 'x = 1\n' });
    expect(error).toMatchObject({ code: 'START_FAILED' });
    expect(error.message).toContain('handler');
  });

  test('an on_start that fails', async () => {
    const error = await spawnError({
      'main.py': `
        from synapse import handler, on_start

        @on_start
        def load():
            raise RuntimeError("no model")

        @handler
        def f():
            pass
      `,
    });
    expect(error.cause).toMatchObject({ pythonType: 'RuntimeError', message: 'no model' });
  });

  test('one that is never ready', async () => {
    const source = `
      import os, subprocess, sys, time
      child = subprocess.Popen(["sleep", "600"], start_new_session=True)
      print("loading", os.getpid(), child.pid, file=sys.stderr)
      time.sleep(600)
    `;
    const folder = createFolder({ 'main.py': source });
    const synapse = createSynapse({ startTimeout: 3000 });
    const error = await synapse.spawn(folder, 'main').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TIMEOUT', phase: 'start' });
    const { stderrTail = '' } = error as SynapseError;
    const pids = (/loading (\d+) (\d+)/.exec(stderrTail) ?? []).slice(1).map(Number);
    expect(pids).toHaveLength(2);
    expect(synapse.workers()).toEqual([]);
    await until(() => !pids.some(isAlive));
  });

  test('an install that fails comes with the installer’s output, and may be tried again', async () => {
    const folder = createFolder({
      'main.py': OK,
      'requirements.txt': 'surely-no-package-has-this-name-of-ours==99\n',
    });
    const synapse = new Synapse();
    try {
      await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({
        code: 'INSTALL_FAILED',
        output: expect.stringContaining('surely-no-package-has-this-name-of-ours'),
      });
      await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({ code: 'INSTALL_FAILED' });
      writeFileSync(join(folder, 'requirements.txt'), '');
      await synapse.spawn(folder, 'main');
      expect(await synapse.call(1)).toBe(1);
    } finally {
      await synapse.dispose();
    }
  }, 600_000);

  test('a folder in which no environment can be made', async () => {
    // A file where the folder should be: the one obstacle that also stops root.
    const folder = createFolder({ 'main.py': OK, '.venv': 'in the way' });
    const synapse = new Synapse();
    await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({
      name: 'EnvironmentError',
      code: 'VENV_FAILED',
      message: expect.stringContaining('.venv'),
    });
    rmSync(join(folder, '.venv'));
    await synapse.spawn(folder, 'main');
    expect(await synapse.call(1)).toBe(1);
    await synapse.dispose();
  }, 300_000);
});

describe('a script that breaks the framing', () => {
  const script = (body: string): string =>
    `import sys\nsys.stdin.buffer.read(4)\n${body}\nsys.stdout.buffer.flush()\nsys.stdin.buffer.read()\n`;

  async function reject(body: string): Promise<unknown> {
    const synapse = createSynapse();
    await synapse.spawn(createFolder({ 'main.py': script(body) }), 'main');
    return synapse.call('x').catch((reason: unknown) => reason);
  }

  test('a length of 4 GiB is refused before memory is taken', async () => {
    const before = process.memoryUsage().rss;
    const error = await reject('sys.stdout.buffer.write(b"\\xff\\xff\\xff\\xff1234")');
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'FRAME_TOO_LARGE' });
    expect(process.memoryUsage().rss - before).toBeLessThan(512 << 20);
  });

  test('bytes that are no value', async () => {
    const error = await reject('sys.stdout.buffer.write(b"\\x01\\0\\0\\0\\xc1")');
    expect(error).toMatchObject({ name: 'ProtocolError', code: 'PROTOCOL' });
  });

  test('half a frame, then nothing more', async () => {
    const error = await reject(
      'sys.stdout.buffer.write(b"\\x09\\0\\0\\0ab"); sys.stdout.buffer.flush(); import os; os._exit(0)',
    );
    expect(error).toMatchObject({ code: 'WORKER_EXITED', exitCode: 0 });
  });

  test('half a frame, then silence: the call has its deadline, and the next goes to another', async () => {
    const body =
      'import os, time, msgpack\nif not os.path.exists("whole"):\n' +
      '    sys.stdout.buffer.write(b"\\x09\\0\\0\\0ab")\n' +
      '    sys.stdout.buffer.flush()\n    time.sleep(300)\n' +
      'whole = msgpack.packb("whole")\n' +
      'sys.stdout.buffer.write(len(whole).to_bytes(4, "little") + whole)';
    const folder = createFolder({ 'main.py': script(body) });
    const synapse = createSynapse({ cwd: folder, graceMs: 50 });
    await synapse.spawn(folder, 'main');
    const cut = synapse.call('x', { timeout: 1000 });
    await expect(cut).rejects.toMatchObject({ code: 'TIMEOUT' });
    writeFileSync(join(folder, 'whole'), '');
    expect(await synapse.call('y')).toBe('whole');
    expect(synapse.stats()).toMatchObject({ restarts: 1, timeouts: 1 });
  });

  test('half a frame, then silence: a call without a deadline fails by that of the frame', async () => {
    const body =
      'import os, time\nsys.stdout.buffer.write(b"\\x09\\0\\0\\0ab" if not os.path.exists("whole") else b"\\x01\\0\\0\\0\\x2a")\n' +
      'sys.stdout.buffer.flush()\ntime.sleep(0 if os.path.exists("whole") else 600)';
    const folder = createFolder({ 'main.py': script(body) });
    const synapse = createSynapse({ cwd: folder, limits: { frameTimeout: 400 } });
    await synapse.spawn(folder, 'main');
    const error = await synapse.call('x').catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: 'ProtocolError',
      code: 'PROTOCOL',
      message: expect.stringMatching(/rest of a frame.*limits\.frameTimeout/),
      mayHaveExecuted: true,
    });
    writeFileSync(join(folder, 'whole'), '');
    expect(await synapse.call('y')).toBe(42);
    expect(synapse.stats()).toMatchObject({ restarts: 1, timeouts: 0 });
  });
});

test('nothing of the user’s printing, at any level, gets into the frames', async () => {
  const synapse = await spawnModule(`
    import ctypes, os, subprocess, sys
    from synapse import handler

    libc = ctypes.CDLL(None)

    @handler(default=True)
    def main(x):
        print("print", x)
        sys.stdout.buffer.write(b"bytes\\n")
        os.write(1, b"write\\n")
        libc.puts(b"puts")
        libc.fflush(None)
        if x == 0:
            subprocess.run(["echo", "echo"])
        return x
  `);
  const texts: string[] = [];
  synapse.on('log', ({ stream, text }) => stream === 'stdout' && texts.push(text));
  const inputs = Array.from({ length: 1000 }, (_, index) => index);
  expect(await Promise.all(inputs.map((input) => synapse.call(input)))).toEqual(inputs);
  await synapse.dispose();
  const all = texts.join('');
  for (const word of ['bytes', 'write', 'puts']) expect(all.split(word)).toHaveLength(1001);
  expect(all).toContain('print 999\n');
  expect(all).toContain('echo\n');
});

test('a folder of ours is not littered', () => {
  expect(existsSync(join(process.cwd(), 'nowhere'))).toBe(false);
});

test('nothing is left in the folder for temporary files, though a worker and Node are killed', async () => {
  const folder = createFolder({
    'main.py': 'from synapse import handler\n\n@handler\ndef echo(x):\n    return x\n',
  });
  const temporary = createFolder({});
  rmSync(join(temporary, 'requirements.txt'));
  const node = runNode(
    `process.env.TMPDIR = ${JSON.stringify(temporary)};
     (async () => {
       const instance = new Synapse({ ...python, workers: 2 });
       await instance.spawn(folder, 'main');
       await instance.invoke('echo', [Buffer.alloc(2 ** 20)]);
       process.kill(instance.workers()[0].pid, 'SIGKILL');
       await instance.ready({ min: 2 });
       await instance.invoke('echo', [Buffer.alloc(2 ** 20)]);
       console.log('pids ' + JSON.stringify(instance.workers().map(({ pid }) => pid)));
     })();`,
    folder,
  );
  const pids = JSON.parse(await node.line('pids ')) as number[];
  expect(readdirSync(temporary)).toEqual([]);
  node.process.kill('SIGKILL');
  expect(await node.ended).toBe('SIGKILL');
  await until(() => !pids.some(isAlive));
  expect(readdirSync(temporary)).toEqual([]);
  expect(
    readdirSync(folder)
      .filter((name) => name !== '__pycache__')
      .sort(),
  ).toEqual(['main.py', 'requirements.txt']);
});

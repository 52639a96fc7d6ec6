/** However Node ends, no Python is left; and Node ends when there is nothing left to do. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { runNode } from '../support/child.js';
import { createFolder, isAlive, until } from '../support/modules.js';

const MODULE = `
  import ctypes, os, subprocess, sys, time
  import synapse
  from synapse import handler, host

  @handler
  def pids():
      child = subprocess.Popen(["sleep", "300"])
      apart = subprocess.Popen(["sleep", "300"], start_new_session=True)
      return [os.getpid(), child.pid, apart.pid]

  @handler
  def nothing():
      pass

  @handler
  def count():
      yield from range(1_000_000)

  @handler
  def ask():
      return host.answer(1).result()

  @handler
  def spin():
      while True:
          pass

  @synapse.on_stop
  def stopped():
      open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "stopped"), "w").close()

  @handler
  def hold():
      # A C call that does not let go of the GIL.
      ctypes.PyDLL(None).sleep(300)
`;

const START = `
  const instance = new Synapse(python);
  const start = async () => {
    await instance.spawn(folder, 'main');
    console.log('pids ' + JSON.stringify(await instance.invoke('pids')));
  };
`;

async function allGone(pids: string): Promise<void> {
  const list = JSON.parse(pids) as number[];
  expect(list).toHaveLength(3);
  await until(() => !list.some(isAlive));
}

describe('no Python outlives Node', () => {
  test.each([
    ['process.exit()', 'process.exit(7)', 7],
    ['an uncaught throw', 'setImmediate(() => { throw new Error("uncaught") })', 1],
    ['SIGTERM', 'process.kill(process.pid, "SIGTERM")', 'SIGTERM'],
    ['SIGKILL', 'process.kill(process.pid, "SIGKILL")', 'SIGKILL'],
  ])('that ends by %s', async (_, end, code) => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(`${START} start().then(() => { ${end} });`, folder);
    const pids = await node.line('pids ');
    expect(await node.ended).toBe(code);
    await allGone(pids);
  });

  test.each(['spin', 'hold'])('killed while a handler is in %s', async (handler) => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(
      `${START} start().then(() => {
        instance.invoke('${handler}').catch(() => {});
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
      });`,
      folder,
    );
    const pids = await node.line('pids ');
    expect(await node.ended).toBe('SIGKILL');
    await allGone(pids);
  });

  test('killed while it installs', async () => {
    const folder = createFolder({
      'main.py': MODULE,
      'requirements.txt': './slow\n',
    });
    const pid = join(folder, 'pid');
    mkdirSync(join(folder, 'slow'));
    writeFileSync(
      join(folder, 'slow', 'pyproject.toml'),
      '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n' +
        '[project]\nname = "slow"\nversion = "1"\n',
    );
    // In a session of its own, as a compiler's server may be.
    const build =
      'import os, subprocess, time\n' +
      'child = subprocess.Popen(["sleep", "3600"], start_new_session=True)\n' +
      `with open(${JSON.stringify(`${pid}.new`)}, "w") as file:\n` +
      '    file.write(f"[{os.getpid()}, {os.getppid()}, {child.pid}]")\n' +
      `os.rename(${JSON.stringify(`${pid}.new`)}, ${JSON.stringify(pid)})\n` +
      'time.sleep(3600)\n';
    writeFileSync(join(folder, 'slow', 'slow.py'), build);
    const interpreter = JSON.stringify(process.env['SYNAPSE_PYTHON'] ?? 'python3');
    const node = runNode(
      `new Synapse({ python: ${interpreter} }).spawn(folder, 'main').catch((reason) => {
        console.log('failed ' + reason.message);
      });`,
      folder,
    );
    await until(() => existsSync(pid) || node.lines.length > 0);
    expect(node.lines).toEqual([]);
    const building = readFileSync(pid, 'utf8');
    node.process.kill('SIGKILL');
    expect(await node.ended).toBe('SIGKILL');
    await allGone(building);
  });

  test('killed while Python starts', async () => {
    const folder = createFolder({ 'main.py': `import time\ntime.sleep(300)\n` });
    const node = runNode(
      `const instance = new Synapse(python);
       instance.on('worker:start', ({ pid }) => {
         console.log('pid ' + pid);
         setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
       });
       instance.spawn(folder, 'main');`,
      folder,
    );
    const pid = Number(await node.line('pid '));
    expect(await node.ended).toBe('SIGKILL');
    await until(() => !isAlive(pid));
  });

  test('that is interrupted from the terminal: workers see no KeyboardInterrupt', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(
      `${START} start().then(() => {
        process.on('SIGINT', async () => {
          console.log('still ' + JSON.stringify((await instance.invoke('pids')).length));
          await instance.dispose();
          console.log('done ');
        });
        instance.on('log', ({ text }) => console.log('log ' + text));
        console.log('ready ');
      });`,
      folder,
      [],
      { detached: true },
    );
    const pids = await node.line('pids ');
    await node.line('ready ');
    // What the terminal does: the whole group has it.
    process.kill(-(node.process.pid as number), 'SIGINT');
    expect(await node.line('still ')).toBe('3');
    expect(await node.ended).toBe(0);
    await allGone(pids);
    expect(node.errors.join('')).toBe('');
    expect(node.lines.filter((line) => line.startsWith('log '))).toEqual([]);
  });
});

describe('signals', () => {
  test('nothing listens to them unless that is asked for, nor after it was taken back', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(
      `${START}
      const { disposeOnSignals } = require(packagePath);
      const count = () => ['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => process.listenerCount(name));
      start().then(async () => {
        const counts = [count()];
        const registration = disposeOnSignals(instance);
        counts.push(count());
        registration.dispose();
        counts.push(count());
        console.log('counts ' + JSON.stringify(counts));
        await instance.dispose();
      });`,
      folder,
    );
    const pids = await node.line('pids ');
    expect(JSON.parse(await node.line('counts '))).toEqual([
      [0, 0, 0],
      [1, 1, 0],
      [0, 0, 0],
    ]);
    expect(await node.ended).toBe(0);
    await allGone(pids);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'disposeOnSignals: %s ends workers in good order, and then Node as it would have',
    async (signal) => {
      const folder = createFolder({ 'main.py': MODULE });
      const node = runNode(
        `${START} start().then(() => {
          require(packagePath).disposeOnSignals(instance);
          console.log('ready ');
        });`,
        folder,
      );
      const pids = await node.line('pids ');
      await node.line('ready ');
      node.process.kill(signal);
      expect(await node.ended).toBe(signal);
      await allGone(pids);
      expect(existsSync(join(folder, 'stopped'))).toBe(true);
    },
  );
});

test('a second Ctrl-C ends Node at once, and no Python outlives it', async () => {
  const folder = createFolder({ 'main.py': MODULE });
  const node = runNode(
    `python.graceMs = 3_600_000;
    ${START} start().then(async () => {
      require(packagePath).disposeOnSignals(instance);
      instance.invoke('hold').catch(() => {});
      setTimeout(() => console.log('ready '), 50);
      process.once('SIGINT', () => console.log('first '));
    });`,
    folder,
    [],
    { detached: true },
  );
  const pids = await node.line('pids ');
  await node.line('ready ');
  const group = -(node.process.pid as number);
  process.kill(group, 'SIGINT');
  // Its worker does not end, and has an hour for it.
  await node.line('first ');
  process.kill(group, 'SIGINT');
  expect(await node.ended).toBe('SIGINT');
  await allGone(pids);
});

describe('signals that others hear too', () => {
  const OTHER = 'from synapse import handler, on_stop\nimport pathlib, time\n\n';
  const slowly = `${OTHER}@on_stop\ndef stop():\n    time.sleep(0.2)\n    pathlib.Path(__file__).with_name("stopped").touch()\n\n@handler\ndef nothing():\n    pass\n`;

  test('two instances: the signal ends Node when both are disposed of', async () => {
    const [first, second] = [
      createFolder({ 'main.py': MODULE }),
      createFolder({ 'main.py': slowly }),
    ];
    const node = runNode(
      `const { disposeOnSignals } = require(packagePath);
       (async () => {
         for (const directory of [folder, ${JSON.stringify(second)}]) {
           const instance = new Synapse(python);
           await instance.spawn(directory, 'main');
           disposeOnSignals(instance);
         }
         console.log('ready ');
       })();`,
      first,
    );
    await node.line('ready ');
    node.process.kill('SIGTERM');
    expect(await node.ended).toBe('SIGTERM');
    expect([first, second].map((folder) => existsSync(join(folder, 'stopped')))).toEqual([
      true,
      true,
    ]);
  });

  test('a listener of the program hears it once, and says how Node ends', async () => {
    const folder = createFolder({ 'main.py': slowly });
    const node = runNode(
      `const instance = new Synapse(python);
       instance.spawn(folder, 'main').then(() => {
         require(packagePath).disposeOnSignals(instance);
         let heard = 0;
         process.on('SIGTERM', () => heard++);
         instance.on('worker:exit', () => setTimeout(() => process.exit(40 + heard), 200));
         console.log('ready ');
       });`,
      folder,
    );
    await node.line('ready ');
    node.process.kill('SIGTERM');
    expect(await node.ended).toBe(41);
    expect(existsSync(join(folder, 'stopped'))).toBe(true);
  });
});

describe('Node ends by itself', () => {
  const QUIET =
    'from synapse import handler\nimport time\n\n@handler\ndef wait(s):\n    time.sleep(s)\n    return "waited"\n';

  test('after dispose', async () => {
    const folder = createFolder({ 'main.py': QUIET });
    const node = runNode(
      `(async () => {
        const instance = new Synapse(python);
        await instance.spawn(folder, 'main');
        await instance.invoke('wait', [0]);
        await instance.dispose();
        console.log('left ' + JSON.stringify(process.getActiveResourcesInfo()));
      })();`,
      folder,
    );
    const left = JSON.parse(await node.line('left ')) as string[];
    expect(left.filter((name) => !/^(PipeWrap|TTYWrap|Immediate)$/.test(name))).toEqual([]);
    expect(await node.ended).toBe(0);
  });

  test('with an idle instance that was unref’ed, but not before its calls have settled', async () => {
    const folder = createFolder({ 'main.py': QUIET });
    const node = runNode(
      `(async () => {
        const instance = new Synapse(python);
        instance.unref();
        await instance.spawn(folder, 'main');
        instance.invoke('wait', [0.2]).then((reply) => console.log('reply ' + reply));
      })();`,
      folder,
    );
    expect(await node.line('reply ')).toBe('waited');
    expect(await node.ended).toBe(0);
  });

  test('but not with an idle instance that was ref’ed again', async () => {
    const folder = createFolder({ 'main.py': QUIET });
    const node = runNode(
      `(async () => {
        const instance = new Synapse(python);
        instance.unref();
        await instance.spawn(folder, 'main');
        instance.ref();
        // Does not keep Node up either: it comes only where something else does.
        setTimeout(() => {
          console.log('still here');
          instance.unref();
        }, 300).unref();
      })();`,
      folder,
    );
    expect(await node.line('still ')).toBe('here');
    expect(await node.ended).toBe(0);
  });
});

describe('in worker_threads', () => {
  test('each thread has its own, and terminate() in the middle of calls, streams and callbacks is safe', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(
      `const { Worker } = require('node:worker_threads');
       const code = \`
         const { workerData, parentPort } = require('node:worker_threads');
         const { Synapse } = require(workerData.path);
         (async () => {
           const instance = new Synapse(workerData.python);
           await instance.spawn(workerData.folder, 'main');
           instance.handle('answer', async (value) => value);
           const consume = async () => {
             for (;;) for await (const item of instance.stream('count')) if (item === 500) break;
           };
           const call = async (name) => {
             for (;;) await Promise.all([instance.invoke(name), instance.invoke(name)]);
           };
           const pids = await instance.invoke('pids');
           const busy = [consume(), call('nothing'), call('ask')];
           setTimeout(() => parentPort.postMessage(pids), 30);
           await Promise.all(busy);
         })();
       \`;
       (async () => {
         const main = new Synapse(python);
         await main.spawn(folder, 'main');
         const workerData = { path: packagePath, python, folder };
         const all = [];
         for (let round = 0; round < 5; round++) {
           const threads = [0, 1].map(() => new Worker(code, { eval: true, workerData }));
           const pids = threads.map((thread) => new Promise((resolve, reject) => {
             thread.once('message', resolve).once('error', reject);
           }));
           all.push(...(await Promise.all(pids)).flat());
           await Promise.all(threads.map((thread) => thread.terminate()));
         }
         console.log('main ' + (await main.invoke('pids')).length);
         await main.dispose();
         console.log('pids ' + JSON.stringify(all));
       })();`,
      folder,
    );
    expect(await node.line('main ')).toBe('3');
    const pids = JSON.parse(await node.line('pids ')) as number[];
    expect(await node.ended).toBe(0);
    expect(pids).toHaveLength(30);
    await until(() => !pids.some(isAlive));
  });
});

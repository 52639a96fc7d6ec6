// What a user gets: the tarballs, installed into an empty project without a compiler.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { pack, platformManifests } from '../../scripts/lib/pack.mjs';
import { inModules, inProject } from '../../scripts/lib/project.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { Project } from './project.mjs';
import { readmeExample } from './readme.mjs';

const project = new Project();
const example = readmeExample();
const installed = (...parts) =>
  project.path('node_modules', '@himalaya-quant', 'synapse', ...parts);
let tarballs;
let installation;

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The paths of the files below `folder`, but for what Python compiled. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Answers one call as it came, and rejects the next. Without msgpack: its bytes are written out. */
const OLD_SCRIPT = `
import sys

print("ready", file=sys.stderr, flush=True)
answers = iter([None, b"\\x81\\xa5error\\xa4no b"])
while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    body = sys.stdin.buffer.read(int.from_bytes(head, "little"))
    body = next(answers) or body
    sys.stdout.buffer.write(len(body).to_bytes(4, "little") + body)
    sys.stdout.buffer.flush()
`;

const OLD_PROGRAM = `
import { Synapse } from '@himalaya-quant/synapse';
import { filter, firstValueFrom, map } from 'rxjs';

const synapse = new Synapse();
const logs = synapse.instanceLogs.pipe(map((text) => text.trim()), filter((text) => text !== ''));
const first = firstValueFrom(logs);
await synapse.spawn('./old_module', 'main');
console.log(await first);
console.log(JSON.stringify(await synapse.call({ a: 1 })));
await synapse.call({ b: 1 }).catch((error) => console.log(error));
await synapse.dispose();
`;

/** A worker file with what `synapse conformance` cannot do without. */
function workerSource(first) {
  return `${first}
    sdk.handler('echo', (value) => value);
    sdk.handler('fail', (message) => { throw new Error(message); });`;
}

before(async () => {
  tarballs = await pack(project.beside('tarballs'));
  for (const [path, text] of Object.entries(example.files)) project.write(path, text);
  project.write('both.cjs', readFileSync(inProject('__test__', 'package', 'both.cjs'), 'utf8'));
  // Without --ignore-scripts, npm speaks up about every package that has an install script.
  installation = project.run('npm', 'install', tarballs.main, ...tarballs.platforms);
});

after(() => project.remove());

test('installing prints no warning', () => {
  assert.equal(installation.code, 0, installation.output);
  assert.doesNotMatch(installation.output, /warn|deprecated|install.scripts/i);
});

test('installing with --ignore-scripts works and prints no warning', () => {
  const arguments_ = ['install', '--ignore-scripts', tarballs.main, ...tarballs.platforms];
  const { code, output } = project.run('npm', ...arguments_);
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /warn|deprecated/i);
});

test('no installed package has an install script', () => {
  const lock = readJson(project.path('package-lock.json'));
  const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
  assert.deepEqual(scripted, []);
});

test('the README has an example that says what it prints', () => {
  assert.deepEqual(Object.keys(example.files).sort(), [
    'main.cjs',
    'main.mjs',
    'py_module/main.py',
    'py_module/requirements.txt',
  ]);
  assert.ok(example.printed.length > 0);
});

for (const [format, file] of [
  ['an ES module', 'main.mjs'],
  ['CommonJS', 'main.cjs'],
]) {
  test(`the example of the README runs as ${format}`, () => {
    const { code, output, stdout } = project.run('node', file);
    assert.equal(code, 0, output);
    assert.deepEqual(stdout.trim().split('\n'), example.printed);
  });
}

test('a program of version 1.4 runs with a script of version 1.4', () => {
  project.write('old_module/requirements.txt', '');
  project.write('old_module/main.py', OLD_SCRIPT);
  project.write('old.mjs', OLD_PROGRAM);
  const { code, output, stdout } = project.run('node', 'old.mjs');
  assert.equal(code, 0, output);
  assert.deepEqual(stdout.trim().split('\n'), ['🐍 Python: ready', '{"a":1}', 'no b']);
});

test('import and require give the same objects under the same names', () => {
  const { code, output, stdout } = project.run('node', 'both.cjs');
  assert.equal(code, 0, output);
  const { names, imported, same } = JSON.parse(stdout);
  assert.ok(same);
  assert.deepEqual(imported, names);
});

test('a worker in Node finds the SDK by both formats, and the command checks it', () => {
  project.write(
    'js_module/worker.cjs',
    workerSource("const sdk = require('@himalaya-quant/synapse/worker');"),
  );
  project.write(
    'js_module/worker.mjs',
    workerSource("import * as sdk from '@himalaya-quant/synapse/worker';"),
  );
  for (const file of ['worker.cjs', 'worker.mjs']) {
    const bin = project.path('node_modules', '.bin', 'synapse');
    const args = ['conformance', '--only', 'arguments', '--', 'node', bin, 'worker'];
    const { code, output } = project.run(bin, ...args, `js_module/${file}`);
    assert.equal(code, 0, output);
    assert.match(output, /0 failed/);
  }
});

test('the compiled files require nothing but what is installed', () => {
  const allowed = /^(node:|\.|#native$|rxjs$)/;
  const files = readdirSync(installed('dist'), { recursive: true });
  const strangers = files
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) =>
      [...readFileSync(installed('dist', name), 'utf8').matchAll(/\brequire\(["']([^"']+)["']\)/g)]
        .map(([, id]) => id)
        .filter((id) => !allowed.test(id))
        .map((id) => `${name}: ${id}`),
    );
  assert.deepEqual(strangers, []);
});

test('the Python package is there whole, without tests', () => {
  const wanted = filesOf(inProject('python', 'synapse'));
  const found = filesOf(installed('python', 'synapse'));
  assert.ok(found.includes('__init__.py'));
  assert.deepEqual(found, wanted);
  // `testing.py` is for the tests of users.
  assert.ok(!found.some((name) => /test/.test(name) && name !== 'testing.py'));
});

test('the main package holds no addon and the platform package little else', () => {
  const addons = readdirSync(installed(), { recursive: true }).filter((name) =>
    name.endsWith('.node'),
  );
  assert.deepEqual(addons, []);
  assert.ok(statSync(tarballs.main).size < 1024 * 1024, 'the main tarball exceeds 1 MiB');
});

test('every platform is named at exactly the version of the main package', () => {
  const { version, optionalDependencies, scripts, devDependencies } = readJson(
    installed('package.json'),
  );
  const platforms = [...platformManifests().values()];
  assert.equal(platforms.length, readJson(inProject('package.json')).napi.targets.length);
  for (const manifest of platforms) {
    assert.equal(manifest.version, version, manifest.name);
    assert.equal(optionalDependencies[manifest.name], version, manifest.name);
  }
  assert.equal(scripts, undefined);
  assert.equal(devDependencies, undefined);
});

test('publint finds nothing', async () => {
  const cli = inModules('publint', 'src', 'cli.js');
  const { code, output } = await run([process.execPath, cli, 'run', tarballs.main, '--strict']);
  assert.equal(code, 0, output);
  assert.match(output, /All good!/);
});

test('the types resolve from every module system', async () => {
  const cli = inModules('@arethetypeswrong', 'cli', 'dist', 'index.js');
  const { code, output } = await run([process.execPath, cli, tarballs.main]);
  assert.equal(code, 0, output);
  assert.match(output, /No problems found/);
});

// Ruby for the specs of workers in Ruby, from Debian's packages. Elsewhere than on Linux those specs are
// left out; where the packages cannot be installed they fail, and say what is missing.

import { run, works } from './run.mjs';

const packages = ['ruby', 'ruby-msgpack'];

/** Whether a worker in Ruby would run. */
function hasRuby() {
  return works('ruby', ['-rmsgpack', '-e', '0']);
}

/** How to run a command as root, or null. */
async function asRoot() {
  if (process.getuid() === 0) return [];
  return (await works('sudo', ['-n', 'true'])) ? ['sudo', '-n'] : null;
}

/** Installs Ruby if it is missing. */
export async function prepareRuby() {
  if (process.platform !== 'linux' || (await hasRuby())) return;
  const prefix = await asRoot();
  if (prefix === null || !(await works('apt-get'))) {
    process.stdout.write(`not installed, so its specs will fail: ${packages.join(', ')}\n`);
    return;
  }
  process.stdout.write(`installing ${packages.join(', ')}\n`);
  const apt = [...prefix, 'apt-get', '-q'];
  const install = [...apt, 'install', '--yes', '--no-install-recommends', ...packages];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  if ((await run(install, { env })).code === 0) return;
  // A fresh machine has no lists of packages.
  await run([...apt, 'update'], { env });
  const { code, output } = await run(install, { env });
  if (code !== 0) process.stdout.write(`${output.slice(-2000)}\n`);
}

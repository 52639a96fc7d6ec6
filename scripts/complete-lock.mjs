// Completes a lock file with the platform packages that the registry at hand does not offer.
//
// `npm ci` refuses a lock file that lacks an optional dependency, even one for another platform. A
// partial mirror offers only the packages of its own platform, so a lock file that was written with
// it works nowhere. What an entry needs stands in the file already: the version in the dependent's
// `optionalDependencies`, system and processor in the name. Such an entry has no integrity hash until
// `npm install` runs against the full registry.
//
// Run it after `npm install`: node scripts/complete-lock.mjs [package-lock.json]

import { readFileSync, writeFileSync } from 'node:fs';
import { inProject } from './lib/project.mjs';

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];
const libraries = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** System, processor and C library by the words of a package's name. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const cpu = words.filter((word) => processors.includes(word));
  const os = words.filter((word) => systems.includes(word));
  const libc = words.filter((word) => word in libraries).map((word) => libraries[word]);
  if (cpu.length !== 1 || (os.length !== 1 && cpu[0] !== 'wasm32')) {
    throw new Error(`the name ${name} does not tell the platform`);
  }
  return { cpu, ...(libc.length > 0 && { libc }), ...(os.length > 0 && { os }) };
}

const path = process.argv[2] ?? inProject('package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { packages } = lock;

/** Where Node would find `name` from the package at `place`, among what the file holds. */
function find(place, name) {
  for (
    let folder = place;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  ) {
    const candidate = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (candidate in packages) return candidate;
    if (folder === '') return undefined;
  }
}

let added = 0;
for (const [place, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (place === '' || find(place, name) !== undefined) continue;
    if (!/^\d+\.\d+\.\d+/.test(version)) {
      throw new Error(`${place} wants ${name} ${version}, which is no exact version`);
    }
    const { cpu, ...rest } = platformOf(name);
    packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(dev && { dev }),
      optional: true,
      ...rest,
    };
    added += 1;
  }
}
const order = Object.keys(packages).sort((a, b) => a.localeCompare(b, 'en'));
lock.packages = Object.fromEntries(order.map((key) => [key, packages[key]]));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`added ${added} platform packages to ${path}\n`);

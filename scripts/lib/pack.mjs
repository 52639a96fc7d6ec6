// Makes the tarballs that are published: the main package, and one for each platform whose addon
// lies in `native/`.
//
// The main package is staged in a folder of its own, because what is published differs from what is
// developed: it names the platform packages, at exactly its own version, as optional dependencies.
// In the checkout they would keep `npm ci` from working, for a lock file cannot hold packages that
// are not published yet.

import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inProject } from './project.mjs';
import { must } from './run.mjs';

/** What only the checkout needs. */
const development = ['allowScripts', 'devDependencies', 'napi', 'scripts', 'tsd'];

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The manifests of the platform packages, by platform name such as `linux-x64-gnu`. */
export function platformManifests() {
  return new Map(
    readdirSync(inProject('npm'))
      .sort()
      .map((platform) => [platform, readJson(inProject('npm', platform, 'package.json'))]),
  );
}

/** The manifest of the main package as it is published. */
export function publishedManifest() {
  const manifest = Object.fromEntries(
    Object.entries(readJson(inProject('package.json'))).filter(
      ([key]) => !development.includes(key),
    ),
  );
  const platforms = [...platformManifests().values()];
  manifest.optionalDependencies = Object.fromEntries(
    platforms.map(({ name, version }) => [name, version]),
  );
  return manifest;
}

/** Packs `folder` into `target` and gives back the path of the tarball. */
async function packFolder(folder, target) {
  const { output } = await must(
    ['npm', 'pack', folder, '--json', '--silent', '--ignore-scripts', '--pack-destination', target],
    { show: false },
  );
  const report = JSON.parse(output.slice(output.search(/^[[{]/m)));
  const [{ filename }] = Array.isArray(report) ? report : Object.values(report);
  return join(target, filename);
}

/** Copies to `stage` the files and folders that the manifest's `files` name. */
function stageFiles(stage, files) {
  const isPacked = (path) => basename(path) !== '__pycache__';
  for (const entry of files.filter((name) => !name.startsWith('!'))) {
    cpSync(inProject(entry), join(stage, entry), { recursive: true, filter: isPacked });
  }
}

/** Packs the main package into `target`. */
async function packMain(target) {
  const stage = mkdtempSync(join(tmpdir(), 'synapse-pack-'));
  try {
    const manifest = publishedManifest();
    stageFiles(stage, [...manifest.files, 'README.md', 'LICENSE']);
    writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    return await packFolder(stage, target);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Packs the package of each platform whose addon was built. */
async function packPlatforms(target) {
  const tarballs = [];
  for (const [platform, { main }] of platformManifests()) {
    if (!readdirSync(inProject('native')).includes(main)) continue;
    copyFileSync(inProject('native', main), inProject('npm', platform, main));
    tarballs.push(await packFolder(inProject('npm', platform), target));
  }
  if (tarballs.length === 0) throw new Error('native/ holds no addon: run `npm run build` first');
  return tarballs;
}

/**
 * Packs everything that is built into the folder `target`.
 *
 * @param {string} target
 * @returns {Promise<{ main: string, platforms: string[] }>} the paths of the tarballs
 */
export async function pack(target) {
  mkdirSync(target, { recursive: true });
  return { main: await packMain(target), platforms: await packPlatforms(target) };
}

// The first example of the README as files, so that what a newcomer reads is what runs.

import { readFileSync } from 'node:fs';
import { inProject } from '../../scripts/lib/project.mjs';

/** The fenced blocks of `text`, with their languages. */
function blocks(text) {
  const fences = text.matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return [...fences].map(([, language, body]) => ({ language, body }));
}

/** `source`, an ES module, as a CommonJS program. */
function asCommonJs(source) {
  const body = source.replace(/^import (\{[^}]*\}) from ('[^']*');/gm, 'const $1 = require($2);');
  return `(async () => {\n${body}\n})();\n`;
}

/**
 * The example.
 *
 * @returns {{ files: Record<string, string>, printed: string[] }} the files, by their paths in the
 *   user's folder, and the lines that the comments behind its `console.log` calls promise
 */
export function readmeExample() {
  const all = blocks(readFileSync(inProject('README.md'), 'utf8'));
  const source = all.find(({ language }) => language === 'js')?.body ?? '';
  const named = all.flatMap(({ body }) => {
    const path = /^# (py_module\/\S+)\n/.exec(body)?.[1];
    return path === undefined ? [] : [[path, body]];
  });
  const printed = source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm);
  return {
    files: { ...Object.fromEntries(named), 'main.mjs': source, 'main.cjs': asCommonJs(source) },
    printed: [...printed].map(([, comment]) => comment),
  };
}

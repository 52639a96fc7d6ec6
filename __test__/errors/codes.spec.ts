/** The table of codes is one table, told three times: in Rust, in TypeScript and in prose. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CATEGORIES, CODES, isErrorCode, RETRYABLE } from '../../ts/errors/codes.js';
import * as errors from '../../ts/errors/index.js';

/** By name. */
const classes = { ...errors };
const root = join(__dirname, '..', '..');
const rust = readFileSync(join(root, 'src', 'error.rs'), 'utf8');
const prose = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');

function rustTable(): Record<string, string> {
  const body = /^codes! \{$(.*?)^\}$/ms.exec(rust)?.[1] ?? '';
  const rows = body.matchAll(/^\s*\w+ = "(\w+)", "(\w+)";$/gm);
  return Object.fromEntries([...rows].map(([, code, name]) => [code, name]));
}

describe('the table of codes', () => {
  test('is that of src/error.rs, in its order', () => {
    const table = rustTable();
    expect(Object.keys(table).length).toBeGreaterThan(20);
    expect(Object.entries(CODES)).toEqual(Object.entries(table));
  });

  test('names classes that exist', () => {
    for (const name of new Set(Object.values(CODES))) {
      expect(classes[name].prototype).toBeInstanceOf(errors.SynapseError);
      expect(classes[name].prototype.name).toBe(name);
      expect(CATEGORIES[name]).toEqual(expect.any(String));
    }
  });

  test('covers every exported error class', () => {
    const classes = Object.keys(errors).filter((name) => /^[A-Z]\w+Error$/.test(name));
    const known = new Set<string>([...Object.values(CODES), 'SynapseError']);
    expect(classes.filter((name) => !known.has(name))).toEqual([]);
    expect(classes).toHaveLength(known.size);
  });

  test('has a section for each code in docs/errors.md, under its class, in the same order', () => {
    const headings = [...prose.matchAll(/^(##) `(\w+)`$|^(###) `(\w+)`$/gm)];
    const sections: [string, string][] = [];
    let current = '';
    for (const [, , name, , code] of headings) {
      if (name !== undefined) current = name;
      else if (code !== undefined) sections.push([code, current]);
    }
    expect(sections).toEqual(Object.entries(CODES));
  });

  test('docs/errors.md says of each code when it occurs and what to do', () => {
    const bodies = prose.split(/^### /m).slice(1);
    for (const body of bodies) {
      expect(body).toMatch(/^\*When\.\* \S/m);
      expect(body).toMatch(/^\*What to do\.\* \S/m);
    }
    expect(bodies).toHaveLength(Object.keys(CODES).length);
  });

  test('docs/errors.md marks the retryable codes, and only those', () => {
    for (const body of prose.split(/^### /m).slice(1)) {
      const code = /^`(\w+)`/.exec(body)?.[1] as keyof typeof CODES;
      expect([code, /^\*Retryable\.\*/m.test(body)]).toEqual([code, RETRYABLE.has(code)]);
    }
  });

  test('does not take inherited names for codes', () => {
    expect(isErrorCode('TIMEOUT')).toBe(true);
    expect(isErrorCode('toString')).toBe(false);
    expect(isErrorCode('timeout')).toBe(false);
    expect(isErrorCode(undefined)).toBe(false);
  });
});

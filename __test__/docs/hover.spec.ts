/** What an editor shows: everything that is public says what it is. */

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
// The compiler that comes with tsd: ours has no interface for programs.
import ts from '@tsd/typescript';

const ROOT = join(__dirname, '..', '..');

/** Whether users can reach a member, and whoever made it can say something about it. */
function isOwn(member: ts.Symbol): boolean {
  const [declaration] = member.declarations ?? [];
  if (declaration === undefined || ts.isTypeParameterDeclaration(declaration)) return false;
  // `__…` is how the compiler names symbols and private fields.
  return member.name !== 'prototype' && !/^(?:__|#)/.test(member.name);
}

/** The public names of a file of types, and their members, that say nothing. */
function silent(name: string): string[] {
  const file = join(ROOT, name);
  const { NodeNext: module } = ts.ModuleKind;
  const { NodeNext: moduleResolution } = ts.ModuleResolutionKind;
  const program = ts.createProgram([file], { module, moduleResolution, skipLibCheck: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const entry = source && checker.getSymbolAtLocation(source);
  const found = entry === undefined ? [] : checker.getExportsOfModule(entry);
  expect(found.length).toBeGreaterThan(5);
  const says = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0;
  return found.flatMap((exported) => {
    const symbol =
      exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const members = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])];
    const names = members
      .filter((member) => isOwn(member) && !says(member))
      .map((member) => `${symbol.name}.${member.name}`);
    return says(symbol) ? names : [symbol.name, ...names];
  });
}

test.each(['index.d.ts', 'worker.d.ts'])('%s: every name and every member', (name) => {
  expect(silent(name)).toEqual([]);
});

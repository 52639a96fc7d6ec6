'use strict';

/** @type {import('jest').Config} */
module.exports = {
  rootDir: __dirname,
  testMatch: ['<rootDir>/__test__/**/*.spec.ts'],
  // Notices every Python process that outlives the spec file that started it.
  testEnvironment: '<rootDir>/__test__/support/environment.cjs',
  // No test passes because of it: it ends what hangs.
  testTimeout: 120_000,
  // Every spec starts processes of its own: more at once would only make them wait.
  maxWorkers: 2,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleFileExtensions: ['ts', 'js', 'cjs', 'mjs', 'json', 'node'],
  moduleNameMapper: {
    // The sources import each other by the names of the compiled files.
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // The package under pack or under test elsewhere must not be taken for this one.
  modulePathIgnorePatterns: ['<rootDir>/target/', '<rootDir>/dist/', '<rootDir>/npm/'],
};

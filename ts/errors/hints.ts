/** The way out of what often goes wrong in Python. */

import { Reader } from './reader.js';

/** What to do about an import that failed, if that is what happened. */
export function missingModule(failure: Readonly<Record<string, unknown>>): string | undefined {
  const reader = new Reader(failure);
  if (reader.text('type') !== 'ModuleNotFoundError') return undefined;
  const data = reader.record('data');
  const name = data && new Reader(data).text('name');
  if (name === undefined) return undefined;
  const [top] = name.split('.');
  return (
    `add the package that provides "${top}" to requirements.txt; where nothing is installed, because ` +
    "`python` names a virtual environment or `installer` is 'none', install it there; if it is a module " +
    'of your own, add its folder to the option `pythonPath`'
  );
}

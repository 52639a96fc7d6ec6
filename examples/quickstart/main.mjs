// The quickstart: spawn, calls, a batch, an error from Python, dispose. `npm start` runs it.

import { fileURLToPath } from 'node:url';
import { PythonError, Synapse } from '@himalaya-quant/synapse';

const folder = fileURLToPath(new URL('./python', import.meta.url));

/** Does one thing and says how long it took. */
async function step(title, action) {
  const start = performance.now();
  try {
    return await action();
  } finally {
    console.log(`${title}: ${(performance.now() - start).toFixed(1)} ms`);
  }
}

const synapse = new Synapse();
synapse.on('setup', ({ phase, text }) => console.log(`  [${phase}] ${text}`));
synapse.on('log', ({ stream, text }) => console.log(`  [python ${stream}] ${text.trimEnd()}`));

await step('spawn (makes .venv the first time, and only then)', () =>
  synapse.spawn(folder, 'main'),
);
console.log('  handlers:', synapse.handlers().join(', '));

console.log(await step('call', () => synapse.call({ foo: 'bar' })));
console.log(
  await step('invoke summarize', () => synapse.invoke('summarize', [[3, 1, 4, 1, 5, 9, 2, 6]])),
);

const python = synapse.api();
console.log(await step('invoke text.upper', () => python.text.upper('himalaya')));

const replies = await step('10,000 calls, a thousand at a time', async () => {
  const all = [];
  for (let batch = 0; batch < 10; batch++) {
    const calls = Array.from({ length: 1000 }, (_, index) => synapse.call(batch * 1000 + index));
    all.push(...(await Promise.all(calls)));
  }
  return all;
});
console.log('  the last one answered', replies.at(-1));

await step('an error from Python', () => synapse.invoke('summarize', [[]])).catch((error) => {
  if (!(error instanceof PythonError)) throw error;
  console.log(`  ${error.code} ${error.pythonType}: ${error.message}`);
  console.log(error.stack.replaceAll(/^/gm, '  | '));
});

await step('dispose', () => synapse.dispose());

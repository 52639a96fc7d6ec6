// One implementation, whichever way it is loaded.

const required = require('@himalaya-quant/synapse');

import('@himalaya-quant/synapse').then((imported) => {
  const names = Object.keys(required).sort();
  const same = names.every(
    (name) => required[name] !== undefined && imported[name] === required[name],
  );
  console.log(JSON.stringify({ names, imported: Object.keys(imported).sort(), same }));
});

const { Synapse } = require('@himalaya-quant/synapse');

async function main() {
  const synapse = new Synapse();
  await synapse.spawn('./python_module', 'main');
  console.log(await synapse.invoke('add', [1, 2]));
  await synapse.dispose();
}

main();

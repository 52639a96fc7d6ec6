// The child of the contender `fork-ipc`.

const actions = { echo: (data) => data };

process.on('message', ({ id, action, data }) => {
  process.send({ id, status: 200, data: actions[action](data) });
});
process.send('ready');

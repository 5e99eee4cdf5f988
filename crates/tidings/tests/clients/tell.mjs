// One line for each thing that the library calls a message.
export const tell = (event, data, id, retry) =>
  console.log(JSON.stringify({ event: event || 'message', data, id: id || '', retry }))

/**
 * A process that listens and never accepts: connections wait in its backlog, which is as short as
 * can be. Prints its port.
 */

import { type AddressInfo, createServer } from "node:net";

const server = createServer();
server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
  console.log((server.address() as AddressInfo).port);
  setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000), 0);
});

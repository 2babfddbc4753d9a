/**
 * Connections under Node. The router and its channels are in `@aln/mesh`; what is here only opens
 * and accepts sockets. `@aln/mesh/deno` and `@aln/mesh/bun` export the same names.
 *
 * @module
 */

export { connectTcp, connectTls, listenTcp, listenTls } from "./node_sockets.ts";
export type { Listener, TcpAddress, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
export { ServerWebSocketChannel } from "../channel/server_websocket_channel.ts";
export { listenWebSocket, type Verdict, type WebSocketListenOptions } from "./websocket_server.ts";

/**
 * Everything that a page can use, for `dist/mesh_web.js`: all of `@aln/mesh` and
 * `@aln/mesh/channels`, and `connect` and `dial` for `ws:` and `wss:` URLs. What opens sockets
 * elsewhere is left out of the bundle; a page is told so.
 *
 * @module
 */

export * from "../../mod.ts";
export * from "../../src/channel/mod.ts";
export {
  connect,
  type ConnectOptions,
  dial,
  Dialer,
  type DialOptions,
} from "../../src/runtime/net.ts";

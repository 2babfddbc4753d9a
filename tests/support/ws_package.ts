/**
 * npm's `ws`, the WebSocket server and client that Node programs use: optional, and so are its
 * types. Under Node and Bun it is looked for where `NODE_PATH` says, too.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { WebSocketLike } from "../../mod.ts";

/** The part of its socket that is used here. */
export interface WsSocket extends WebSocketLike {
  on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): void;
  on(event: "pong", listener: (data: Uint8Array) => void): void;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  once(event: "open", listener: () => void): void;
  send(data: string | Uint8Array, options?: { fin?: boolean; mask?: boolean }): void;
  ping(data?: Uint8Array): void;
  terminate(): void;
}

/** The part of its server that is used here. */
export interface WsServer {
  on(event: "connection", listener: (socket: WsSocket) => void): void;
  once(event: "listening", listener: () => void): void;
  address(): AddressInfo;
  close(done?: () => void): void;
}

/** The part of the package that is used here. */
export interface Ws {
  WebSocket: new (url: string, options?: object) => WsSocket;
  WebSocketServer: new (options: { host: string; port: number }) => WsServer;
}

/** The package, or `null` where it is not installed and cannot be fetched. */
export async function loadWs(): Promise<Ws | null> {
  try {
    // Not a literal: type checking, and those who are offline, must not need the package.
    if ("Deno" in globalThis) return await import(["npm:ws@8.23.0"][0]!);
    return createRequire(import.meta.url)("ws");
  } catch {
    return null;
  }
}

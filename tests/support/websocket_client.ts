/**
 * A WebSocket client of which the test writes every byte.
 *
 * @module
 */

import { connectRaw, type RawSocket } from "./raw_socket.ts";

/** A key as clients make them: 16 bytes in base64, those of RFC 6455, section 1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** What the server answers to {@linkcode KEY}: the same section. */
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** A request that opens a WebSocket, but for what a test changes; `null` leaves a header out. */
export function handshake(
  changes: Record<string, string | null> = {},
  start: string = "GET / HTTP/1.1",
): string {
  const headers: Record<string, string | null> = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`]
  );
  return `${[start, ...lines].join("\r\n")}\r\n\r\n`;
}

/** The head of an HTTP response. */
export interface ResponseHead {
  status: number;
  /** By names in small letters. */
  headers: Record<string, string>;
}

/** Reads the head of a response; what follows is left to be read. */
export async function readHead(socket: RawSocket): Promise<ResponseHead> {
  const [start, ...lines] = (await socket.readTo("\r\n\r\n")).trimEnd().split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+) /.exec(start!)?.[1]);
  const headers = lines.map((line) => /^([^:]+):\s*(.*)$/.exec(line)!.slice(1) as [string, string]);
  return {
    status,
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
  };
}

/** Connects and shakes hands; throws if the server refuses. */
export async function connectRawWebSocket(port: number, request = handshake()): Promise<RawSocket> {
  const socket = await connectRaw(port);
  await socket.write(request);
  const { status } = await readHead(socket);
  if (status !== 101) throw new Error(`refused with ${status}`);
  return socket;
}

/** Reads a client's handshake; returns the response that accepts it. */
export async function acceptHandshake(socket: RawSocket): Promise<string> {
  const request = await socket.readTo("\r\n\r\n");
  const key = /sec-websocket-key: (\S+)/i.exec(request)![1]!;
  const magic = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", magic));
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${btoa(String.fromCharCode(...digest))}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/**
 * A client as an application has one, whosever it is.
 *
 * @module
 */

import type { SystemName, Transport } from "../host/middle.ts";

/** Where a client is to go, and as what. */
export interface Place {
  /** Which end it is; each has its own name. */
  role: "source" | "sink";
  transport: Transport;
  port: number;
  /** Over whose server, if that is a question. */
  engine?: SystemName;
  /** Folder in which others' clients are. */
  packages: string | null;
}

/** One of them, connected. */
export interface Client {
  /** Resolves once the far end, which has subscribed or answers, is known. */
  ready(): Promise<unknown>;
  /** Is told of each message. */
  subscribe(onMessage: () => void): Promise<unknown> | void;
  /** Sends one message. */
  publish(data: Uint8Array): void;
  /** Answers each request with what it carries. */
  answer(): Promise<unknown> | void;
  /** Asks, and waits for the answer. */
  request(data: Uint8Array): Promise<unknown>;
}

/** Whose client: a system's own, ours on a segment of an engine, or that engine's and nothing more. */
export type ClientName = SystemName | "segment" | "bare";

/** Connects one. */
export async function connectClient(system: ClientName, place: Place): Promise<Client> {
  return await (await import(`./${system}.ts`)).connect(place);
}

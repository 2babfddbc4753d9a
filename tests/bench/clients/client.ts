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

/** Connects a client of one of the systems. */
export async function connectClient(system: SystemName, place: Place): Promise<Client> {
  return await (await import(`./${system}.ts`)).connect(place);
}

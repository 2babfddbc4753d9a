/**
 * Flow control of the harness, the same for all: whoever sinks messages grants whoever sends them one
 * credit for each portion, over a connection of its own. So nothing is ever dropped.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** The sender's side: portions that it may still send. */
export class Credits {
  /** Told whenever there are more. */
  onGrant: () => void = () => {};
  #granted: number = 0;
  readonly #server: Server;

  /** Constructs a new instance, which waits for the sink. */
  constructor() {
    this.#server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        this.#granted += bytes.length;
        this.onGrant();
      });
    });
  }

  /** Portions that the sink has seen. */
  get granted(): number {
    return this.#granted;
  }

  /** Listens; resolves to the port that the sink connects to. */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        resolve((this.#server.address() as { port: number }).port);
      });
    });
  }
}

/** The sink's side. */
export class Granter {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to a sender. */
  static connect(port: number): Promise<Granter> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      socket.on("error", reject);
      socket.on("connect", () => resolve(new Granter(socket)));
    });
  }

  /** Grants portions. */
  grant(portions: number): void {
    this.#socket.write(new Uint8Array(portions));
  }
}

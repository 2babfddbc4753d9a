/**
 * What every runtime's module exports: where to connect to, and what listens.
 *
 * @module
 */

import type { BaseChannel } from "../channel/base_channel.ts";
import type { Channel, PeerCertificate } from "../channel/channel.ts";
import type { StreamChannelOptions } from "../channel/stream_channel.ts";

/** Where to connect to, or listen. */
export interface TcpAddress {
  /** Host name or IP address; by default this machine, or all of its interfaces to listen on. */
  hostname?: string;
  /** Port; 0 lets the system choose one to listen on. */
  port: number;
}

/** Options of `connectTls`. */
export interface TlsConnectOptions extends StreamChannelOptions {
  /** Certificates of authorities to trust in place of the system's, in PEM. */
  ca?: string[];
  /** Our own certificate chain, in PEM, if the server wants one. */
  cert?: string;
  /** Its private key, in PEM. */
  key?: string;
  /** The name that the server's certificate is to have; by default the host name. */
  serverName?: string;
}

/** Options of `listenTls`. */
export interface TlsListenOptions extends StreamChannelOptions {
  /** The server's certificate chain, in PEM. */
  cert: string;
  /** Its private key, in PEM. */
  key: string;
  /**
   * Authorities that clients' certificates are to be signed by, in PEM. If given, a client without
   * such a certificate is refused (mutual TLS).
   */
  ca?: string[];
}

/** Accepts connections until it is closed. */
export interface Listener extends AsyncDisposable {
  /** Where it listens; the port is the one really bound. */
  readonly address: Required<TcpAddress>;
  /** Stops accepting. Channels that are open live on. */
  close(): Promise<void>;
}

/** How long a TLS handshake may take, in ms. */
export const HANDSHAKE_TIMEOUT = 10_000;

/**
 * Gives a channel that was accepted to whoever is to own it; see {@linkcode handOver}.
 *
 * @param peer The certificate that the peer has shown.
 */
export function acceptChannel<C extends BaseChannel<unknown>>(
  channel: C,
  onChannel: (channel: C) => void,
  peer: PeerCertificate | null = null,
): void {
  channel.side = "accepted";
  channel.peer = peer;
  handOver(channel, onChannel);
}

/**
 * Gives a channel to whoever is to own it. If that throws, the channel is closed, and the error is
 * reported as from any other listener: it is not ours to hide.
 */
export function handOver<C extends Channel>(channel: C, onChannel: (channel: C) => void): void {
  try {
    onChannel(channel);
  } catch (error) {
    channel.close(error);
    queueMicrotask(() => {
      throw error;
    });
  }
}

/**
 * The errors of this library, one class for each thing a caller can do about them: mend the
 * packet, wait for the mesh, drop the link, mend the handler, call another instance.
 *
 * Programs match on `code`; messages are for people and may change.
 *
 * @module
 */

/** Codes of {@linkcode PacketError}. */
export type PacketErrorCode =
  /** A value does not fit its field, or a field has a value that no router may send. */
  | "ERR_PACKET_FIELD"
  /** The bytes end before the packet does. */
  | "ERR_PACKET_TRUNCATED"
  /** The checksum does not match. */
  | "ERR_PACKET_CRC"
  /** A text message is not a packet in JSON. */
  | "ERR_PACKET_JSON"
  /** A frame is larger than the limit, or holds an escape that means nothing. */
  | "ERR_PACKET_FRAME";

/** Thrown when a packet cannot be encoded or decoded. */
export class PacketError extends RangeError {
  /** Always "PacketError", also after minification. */
  override readonly name: string = "PacketError";
  /** Stable, for programs. */
  readonly code: PacketErrorCode;
  /** Where it went wrong, in bytes from the start of the packet (characters, for JSON). */
  readonly offset: number;

  /** Constructs a new instance. */
  constructor(code: PacketErrorCode, message: string, offset: number = 0) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/** Codes of {@linkcode UnreachableError}. */
export type UnreachableErrorCode = "ERR_NO_SERVICE" | "ERR_NO_ROUTE";

/** Nobody offers the service, or no way leads to the address: waiting for the mesh may help. */
export class UnreachableError extends Error {
  /** Always "UnreachableError", also after minification. */
  override readonly name: string = "UnreachableError";
  /** Stable, for programs. */
  readonly code: UnreachableErrorCode;
  /** The service or the address that could not be reached. */
  readonly target: string;

  /** Constructs a new instance. */
  constructor(code: UnreachableErrorCode, message: string, target: string) {
    super(message);
    this.code = code;
    this.target = target;
  }
}

/** Codes of {@linkcode ChannelError}. */
export type ChannelErrorCode =
  /** The channel, or the whole router, is closed. */
  | "ERR_CHANNEL_CLOSED"
  /** The send queue is full: wait for `drained()`, or send less. */
  | "ERR_CHANNEL_FULL"
  /** The policy or the gate of the link does not let it through. */
  | "ERR_CHANNEL_REFUSED"
  /** The peer sends what no router should, such as more than the tables may hold. */
  | "ERR_CHANNEL_PROTOCOL"
  /** The peer says that something is wrong on its side. */
  | "ERR_CHANNEL_PEER"
  /** One side does not let the other in: a wrong key, or none, or an address that is not its own. */
  | "ERR_CHANNEL_AUTH";

/** Something is wrong with one link, not with what was sent over it. */
export class ChannelError extends Error {
  /** Always "ChannelError", also after minification. */
  override readonly name: string = "ChannelError";
  /** Stable, for programs. */
  readonly code: ChannelErrorCode;

  /** Constructs a new instance. */
  constructor(code: ChannelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A service or context handler threw, or its promise rejected; `cause` is what it threw. */
export class HandlerError extends Error {
  /** Always "HandlerError", also after minification. */
  override readonly name: string = "HandlerError";
  /** Stable, for programs. */
  readonly code = "ERR_HANDLER" as const;

  /** Constructs a new instance. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Codes of {@linkcode CallError}. */
export type CallErrorCode =
  /** The service's handler threw. */
  | "ERR_CALL_HANDLER"
  /** The service takes no more calls: this one has not run, and may be made elsewhere. */
  | "ERR_CALL_REFUSED"
  /** The far end has not been heard for too long, or does not know the call any more. */
  | "ERR_CALL_LOST"
  /** A payload is larger than the one who receives it takes. */
  | "ERR_CALL_SIZE";

/** A call went wrong at its far end. */
export class CallError extends Error {
  /** Always "CallError", also after minification. */
  override readonly name: string = "CallError";
  /** Stable, for programs. */
  readonly code: CallErrorCode;
  /** The service that was called. */
  readonly service: string;
  /** Address of the instance. */
  readonly address: string;

  /** Constructs a new instance. */
  constructor(code: CallErrorCode, message: string, service: string, address: string) {
    super(message);
    this.code = code;
    this.service = service;
    this.address = address;
  }
}

/** Every error that this library makes; `switch` on its `code`. */
export type AlnError = PacketError | UnreachableError | ChannelError | HandlerError | CallError;

/** Every code there is. */
export type AlnErrorCode = AlnError["code"];

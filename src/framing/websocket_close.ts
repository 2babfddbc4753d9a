/**
 * Close codes of WebSockets (RFC 6455, section 7.4), for clients and servers.
 *
 * @module
 */

/** The close codes that this library sends or looks for. */
export const CLOSE_CODE = {
  /** An orderly end. */
  normal: 1000,
  /** The page is left, or the server ends. */
  goingAway: 1001,
  /** The peer breaks the protocol. */
  protocolError: 1002,
  /** In place of a code: the peer's Close had none. Never sent. */
  none: 1005,
  /** In place of a code: the connection ended without a Close. Never sent. */
  abnormal: 1006,
  /** Text that is not UTF-8. */
  badPayload: 1007,
  /** A message is too large. */
  tooLarge: 1009,
} as const;

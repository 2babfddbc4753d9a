/**
 * Sizes and numbers that the wire fixes.
 *
 * @module
 */

/** Largest payload: what the u16 size field can say, in bytes. */
export const MAX_DATA_SIZE = 65_535;

/** Longest address or service name: what its u8 length can say, in bytes of UTF-8. */
export const MAX_NAME_SIZE = 255;

/**
 * Largest packet, in bytes: every field present, names and data at their longest (66,577), the
 * longest trailer that we write (16), and a few bytes to spare for what peers append.
 */
export const MAX_PACKET_SIZE = 66_608;

/** Longest JSON text of a packet, in characters: the largest packet, every name fully escaped. */
export const MAX_JSON_LENGTH = 131_072;

/** Largest context id. */
export const MAX_CONTEXT_ID = 65_535;

/** `net` of a packet that advertises or withdraws a route. */
export const NET_ROUTE = 1;

/** `net` of a packet that advertises or withdraws a service. */
export const NET_SERVICE = 2;

/** `net` of a packet that asks a neighbour for its tables. */
export const NET_QUERY = 3;

/** `net` of a packet that holds a link frame: only between routers that have negotiated it. */
export const NET_LINK = 4;

/** `net` of a packet that reports an error as text. */
export const NET_ERROR = 255;

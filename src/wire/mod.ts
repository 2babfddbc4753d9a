/**
 * The wire, for tools that work below the router: sniffers, bridges, other transports. Most
 * programs do not need it and import `@aln/mesh` alone.
 *
 * @module
 */

export * from "../errors.ts";
export {
  type AdvertOptions,
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
  type RouteAdvert,
  type ServiceAdvert,
} from "./adverts.ts";
export { decodeBase64, encodeBase64 } from "./base64.ts";
export { type Bytes } from "./bytes.ts";
export {
  ACK_ASKS,
  CALL,
  type CallKind,
  type CallMark,
  DATA_ASKS,
  DATA_MORE,
  decodeCallMark,
  encodeCallMark,
  MAX_FRAME_NUMBER,
  OPEN,
  RELIABLE,
} from "./call_mark.ts";
export { decodeControlWord, encodeControlWord, FLAG } from "./control_flags.ts";
export { crc32 } from "./crc32.ts";
export { CAP, decodeHello, encodeHello, type Hello, ROLE } from "./hello.ts";
export * from "./limits.ts";
export {
  decodeLinkFrame,
  type LinkDigest,
  type LinkFrameVisitor,
  LinkFrameWriter,
  MAX_LINK_FRAME,
} from "./link_frame.ts";
export {
  CHALLENGE,
  decodeLinkAuth,
  encodeLinkAuth,
  type LinkAuthMessage,
  type LinkChallenge,
  linkChallenge,
  linkProofInput,
  REFUSAL,
  type SentChallenge,
} from "./link_auth.ts";
export { type DecodeOptions, Packet, type PacketData, type PacketInit } from "./packet.ts";
export {
  decodePacket,
  type EncodeOptions,
  encodePacket,
  type PacketFields,
} from "./packet_codec.ts";
export { decodePacketJson, encodePacketJson } from "./packet_json.ts";
export { decodeLeniently } from "./repair.ts";
export {
  decodeSegmentHead,
  encodeSegmentHead,
  encodeSegmentMessage,
  EVERYBODY,
  forEachPacket,
  type SegmentHead,
} from "./segment_message.ts";
export { decodeTrailer, encodeTrailer, type Trailer } from "./trailer.ts";
export { encodeFrame, KissDecoder, type KissDrops, type KissOptions } from "../framing/kiss.ts";
export {
  PacketDecoder,
  type PacketDecoderOptions,
  type PacketDrops,
} from "../framing/packet_decoder.ts";
export {
  KissDecoderStream,
  KissEncoderStream,
  PacketDecoderStream,
  PacketEncoderStream,
} from "../framing/streams.ts";

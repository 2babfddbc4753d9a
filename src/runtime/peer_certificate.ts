/**
 * {@linkcode peerCertificate}: who is at the far end of a TLS socket.
 *
 * The names are read from the certificate itself. What runtimes make of it is one text, in which a
 * name with a comma in it may pass for two.
 *
 * @module
 */

import type { PeerCertificate } from "../channel/channel.ts";
import { decodeUtf8 } from "../wire/bytes.ts";

/** The part of a `tls.TLSSocket` that is used here; in Bun, a `wss:` server's has none of it. */
interface TlsSocketLike {
  authorized?: boolean;
  getPeerCertificate?(): { raw?: Uint8Array; fingerprint256?: string } | null | undefined;
}

/** Tags of DER. */
const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_ID = 0x06;
const OCTETS = 0x04;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const TEXTS = [0x0c, 0x13, 0x16]; // UTF8String, PrintableString, IA5String.

/** Object ids, as they are written: 2.5.4.3 and 2.5.29.17. */
const COMMON_NAME = "55 04 03";
const ALTERNATIVE_NAMES = "55 1d 11";

/**
 * What the certificate says that the peer has shown and the runtime has verified; `null` if it has
 * shown none, it was not verified, or the runtime does not tell.
 */
export function peerCertificate(socket: object): PeerCertificate | null {
  const tls = socket as TlsSocketLike;
  const certificate = tls.authorized === true ? tls.getPeerCertificate?.() : null;
  const { raw, fingerprint256 } = certificate ?? {};
  if (raw === undefined || fingerprint256 === undefined) return null;
  return { names: certificateNames(raw), fingerprint: fingerprint256 };
}

/**
 * The common names and DNS names of a certificate, each once.
 *
 * @param der The certificate; borrowed.
 * @returns What could be read: nothing of a broken certificate, which no runtime verifies.
 */
export function certificateNames(der: Uint8Array): string[] {
  const [certificate] = parts(der);
  const [signed] = parts(certificate?.content);
  const fields = parts(signed?.content);
  const names: (string | null)[] = [];
  // Version (tagged, and absent in the first), serial number, algorithm, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === 0xa0 ? 5 : 4];
  for (const set of subject?.tag === SEQUENCE ? parts(subject.content) : []) {
    for (const attribute of set.tag === SET ? parts(set.content) : []) {
      const [id, value] = parts(attribute.content);
      if (!isId(id, COMMON_NAME) || !TEXTS.includes(value?.tag ?? 0)) continue;
      names.push(decodeUtf8(value!.content));
    }
  }
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  const [list] = parts(extensions?.content);
  for (const extension of parts(list?.content)) {
    const [id, ...values] = parts(extension.content); // Perhaps whether it is critical, first.
    if (!isId(id, ALTERNATIVE_NAMES)) continue;
    const [alternatives] = parts(values.find(({ tag }) => tag === OCTETS)?.content);
    for (const { tag, content } of parts(alternatives?.content)) {
      if (tag === DNS_NAME) names.push(decodeUtf8(content));
    }
  }
  return [...new Set(names)].filter((name) => name !== null && name !== "") as string[];
}

/** One value of DER. */
interface Part {
  tag: number;
  content: Uint8Array;
}

/** The values that stand one after another in some bytes; as far as they are whole. */
function parts(bytes: Uint8Array = new Uint8Array(0)): Part[] {
  const found: Part[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const tag = bytes[at]!;
    let size = bytes[at + 1]!;
    at += 2;
    if (size >= 0x80) { // So many bytes of length follow; no certificate has more than three.
      const count = size & 0x7f;
      if (count === 0 || count > 3 || at + count > bytes.length) break;
      size = 0;
      for (const end = at + count; at < end; at++) size = size << 8 | bytes[at]!;
    }
    if (at + size > bytes.length) break;
    found.push({ tag, content: bytes.subarray(at, at + size) });
    at += size;
  }
  return found;
}

function isId(part: Part | undefined, id: string): boolean {
  if (part?.tag !== OBJECT_ID) return false;
  return [...part.content].map((byte) => byte.toString(16).padStart(2, "0")).join(" ") === id;
}

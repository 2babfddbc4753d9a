/**
 * {@linkcode LinkKey}: a shared secret, made fit for proofs.
 *
 * @module
 */

import { type Bytes, encodeUtf8 } from "../wire/bytes.ts";
import type { AuthPolicy, LinkOptions, NetworkKey } from "./link_options.ts";

const HMAC = "HMAC";
const HASH = "SHA-256";

/** What the key is derived for: the same secret may serve elsewhere, too. */
const PURPOSE = encodeUtf8("ALN link key, version 1");

/**
 * Makes and checks proofs with Web Crypto. The key is derived from the secret by HKDF-SHA-256, and
 * never leaves the platform. That makes no secret longer: who hears a handshake can try short ones.
 */
export class LinkKey {
  readonly #key: Promise<CryptoKey>;

  /**
   * Constructs a new instance.
   *
   * @param secret Copied.
   * @throws {TypeError} If it is empty, or neither text nor bytes, or there is no Web Crypto.
   */
  constructor(secret: NetworkKey) {
    const bytes = typeof secret === "string" ? encodeUtf8(secret) : secret;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError("Cannot use key: it is no text or bytes");
    }
    if (bytes.length === 0) throw new TypeError("Cannot use key: it is empty");
    if (globalThis.crypto?.subtle === undefined) {
      throw new TypeError("Cannot use key: there is no Web Crypto here; a page needs https");
    }
    this.#key = derive(bytes.slice());
    this.#key.catch(() => {}); // Whoever uses it will be told.
  }

  /** The HMAC-SHA-256 of some bytes. */
  async sign(data: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign(HMAC, await this.#key, data));
  }

  /** Whether this is the HMAC-SHA-256 of those bytes; takes as long whatever differs. */
  async verify(data: Bytes, mac: Bytes): Promise<boolean> {
    return await crypto.subtle.verify(HMAC, await this.#key, mac, data);
  }
}

/**
 * The options of a link, if they can be used.
 *
 * @throws {TypeError} If not.
 */
export function checkLink(options: LinkOptions): LinkOptions {
  const { key, auth } = options;
  if (key !== undefined && key !== null) new LinkKey(key);
  if (auth !== undefined) checkPolicy(auth);
  return options;
}

/**
 * A policy, if it is one.
 *
 * @throws {TypeError} If not.
 */
export function checkPolicy(auth: AuthPolicy): AuthPolicy {
  if (auth === "require" || auth === "prefer") return auth;
  throw new TypeError(`Cannot use auth "${auth}": it is neither "require" nor "prefer"`);
}

async function derive(secret: Bytes): Promise<CryptoKey> {
  const { subtle } = crypto;
  const base = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const from = { name: "HKDF", hash: HASH, salt: new Uint8Array(0), info: PURPOSE };
  const to = { name: HMAC, hash: HASH, length: 256 };
  return await subtle.deriveKey(from, base, to, false, ["sign", "verify"]);
}

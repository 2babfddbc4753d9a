/**
 * Hellos of neighbours that a test plays.
 *
 * @module
 */

import { type Bytes, CAP, encodeHello, type Hello } from "../../src/wire/mod.ts";

/** The hello of a neighbour of our kind, in its first life, whose session is named for the link. */
export function helloOf(link: number, address: string, fields: Partial<Hello> = {}): Bytes {
  return encodeHello({
    caps: CAP.seq | CAP.bulk | CAP.hops | CAP.digest,
    address,
    instance: 1_000,
    session: link.toString(16).padStart(16, "0"),
    keepalive: 10,
    dead: 30,
    role: 0,
    maxFrame: 4_096,
    maxRoutes: 10_000,
    seen: "",
    also: "",
    ...fields,
  });
}

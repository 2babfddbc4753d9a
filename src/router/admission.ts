/**
 * {@linkcode Admission}: who may come in. It stands between a channel and the router, and lets
 * nothing past before the neighbour has proved that it knows the key, if there is one.
 *
 * Both sides say a challenge, with a number that was never used before. Whoever hears one answers
 * with a proof, made over both challenges; but a side that has accepted the connection waits for the
 * other's proof first. So nobody learns what a key has made by connecting to us, and nobody can
 * stand between two listeners and have them prove each other to it. A proof carries its prover's
 * challenge once more: it does not matter if that one was lost, because we were not there yet.
 *
 * From then on the channel is trusted as it is; packets carry no proof of their own. Somebody in the
 * middle can let two routers prove themselves to each other, and say what he likes afterwards: only
 * TLS keeps him out.
 *
 * @module
 */

import type { Channel, PeerCertificate } from "../channel/channel.ts";
import { ChannelError } from "../errors.ts";
import { type Bytes, compact } from "../wire/bytes.ts";
import { NET_LINK } from "../wire/limits.ts";
import {
  CHALLENGE,
  decodeLinkAuth,
  encodeLinkAuth,
  type LinkAuthMessage,
  linkChallenge,
  linkProofInput,
  NONCE_SIZE,
  REFUSAL,
  type SentChallenge,
} from "../wire/link_auth.ts";
import { Packet } from "../wire/packet.ts";
import { claimedName } from "./claimed_name.ts";
import type { Clock } from "./clock.ts";
import { checkPolicy, LinkKey } from "./link_key.ts";
import type { AuthPolicy, LinkOptions, NetworkKey } from "./link_options.ts";

/** How long a neighbour may take to prove that it knows the key, or to say its name, in ms. */
const TIMEOUT = 5_000;

/** How long a neighbour may be silent before it is taken for one without a key, in ms. */
const SILENCE = 2_000;

/** Neighbours that may be waiting at once, those left out that we have connected to. */
const MAX_WAITING = 512;

/** What each may have said before it is let in: packets, and bytes of their data and names. */
const MAX_HELD = 64;
const MAX_HELD_BYTES = 16_384;

/** How often a neighbour may begin anew before it is let in: each costs us a proof. */
const MAX_CHALLENGES = 4;

/** What is known of a neighbour, beside what it says itself. */
export interface LinkIdentity {
  /** Its address, if it has proved that it knows the key; else `""`. */
  readonly address: string;
  /** The certificate that it has shown, if the runtime has verified one and tells it. */
  readonly certificate: PeerCertificate | null;
}

/** What an {@linkcode Admission} wants of the router. */
export interface AdmissionHooks {
  /** Send this packet. */
  send(packet: Packet): void;
  /** Say that the channel is open. Something else always follows. */
  open(identity: LinkIdentity | null): void;
  /** Bring the link up. */
  up(): void;
  /** Take this packet of the neighbour's. */
  receive(packet: Packet): void;
  /** Close the channel, once what was sent has left: the neighbour may not come in, or not stay. */
  refuse(error: ChannelError): void;
}

/** What all links of a router have in common. */
export class Doorkeeper {
  /** The router's address. */
  readonly address: string;
  /** Its time. */
  readonly clock: Clock;
  /** Its key, if it has one. */
  readonly key: LinkKey | null;
  /** Whom the key lets in. */
  readonly auth: AuthPolicy;
  readonly #waiting: Set<Admission> = new Set();

  /**
   * Constructs a new instance.
   *
   * @throws {TypeError} If the key is of no use, or the policy none.
   */
  constructor(
    address: string,
    clock: Clock,
    options: { networkKey?: NetworkKey; auth?: AuthPolicy },
  ) {
    this.address = address;
    this.clock = clock;
    this.key = options.networkKey === undefined ? null : new LinkKey(options.networkKey);
    this.auth = checkPolicy(options.auth ?? "require");
  }

  /** How many neighbours wait to be let in. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Notes that a neighbour waits; if there are too many, the one that has waited longest goes. */
  enter(admission: Admission): void {
    if (this.#waiting.size >= MAX_WAITING) {
      for (const oldest of this.#waiting) {
        oldest.crowdOut();
        break;
      }
    }
    this.#waiting.add(admission);
  }

  /** Notes that a neighbour does not wait any more. */
  leave(admission: Admission): void {
    this.#waiting.delete(admission);
  }
}

/** Lets one neighbour in, or not. */
export class Admission {
  readonly #keeper: Doorkeeper;
  readonly #channel: Channel;
  readonly #hooks: AdmissionHooks;
  readonly #key: LinkKey | null;
  readonly #required: boolean;
  readonly #identity: LinkOptions["identity"];
  /** `"busy"`: a proof is being made or checked, and what comes meanwhile waits in order. */
  #state: "new" | "waiting" | "busy" | "open" | "ended" = "new";
  /** Our challenge, which is good for one proof. */
  #mine: SentChallenge | null = null;
  /** Whether the neighbour has spoken of keys since, and how many challenges it has said. */
  #answered: boolean = false;
  #challenges: number = 0;
  /** What our proof was last about: the neighbour's nonce. */
  #proved: Uint8Array | null = null;
  #isUp: boolean = false;
  #told: boolean = false;
  /** Whether the neighbour may call itself so; `null` if it may have any name. */
  #mayBe: ((name: string) => boolean) | null = null;
  #named: boolean = false;
  /** To be looked at once we are not busy. */
  #held: Packet[] | null = null;
  /** For the router, once the neighbour is let in. */
  #early: Packet[] | null = null;
  #heldBytes: number = 0;
  #cancelTimer: (() => void) | null = null;

  /**
   * Constructs a new instance.
   *
   * @throws {TypeError} If an option is of no use.
   */
  constructor(
    keeper: Doorkeeper,
    channel: Channel,
    options: LinkOptions,
    hooks: AdmissionHooks,
  ) {
    const { key, auth, identity } = options;
    this.#keeper = keeper;
    this.#channel = channel;
    this.#hooks = hooks;
    this.#key = key === undefined ? keeper.key : key === null ? null : new LinkKey(key);
    this.#required = checkPolicy(auth ?? keeper.auth) === "require";
    this.#identity = identity ?? false;
  }

  /** Whether the neighbour is in. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** Begins: without a key, the neighbour is in at once. */
  start(): void {
    if (this.#identity !== false && !this.#channel.peer) {
      this.#refuse("no certificate of the neighbour's is known here, and so not who it is");
    } else if (this.#key === null) {
      this.#enter("");
    } else {
      this.#begin();
    }
  }

  /** Takes a packet that has arrived. */
  receive(packet: Packet): void {
    if (this.#state === "ended") return;
    if (this.#state === "busy") return this.#hold(this.#held ??= [], packet);
    if (packet.net !== NET_LINK) return this.#hear(packet);
    let message: LinkAuthMessage | null;
    try {
      message = decodeLinkAuth(packet.data);
    } catch (cause) {
      if (this.#state === "open") return; // As any other op that means nothing.
      return this.#refuse("what the neighbour says cannot be read", REFUSAL.malformed, { cause });
    }
    if (message === null) return this.#hear(packet);
    switch (message.kind) {
      case "challenge":
        return this.#hearChallenge(message.challenge);
      case "proof":
        return this.#hearProof(message.challenge, message.mac);
      case "refusal":
        this.#refuse(meaning(message.reason));
    }
  }

  /** Too many others wait. */
  crowdOut(): void {
    this.#end("ERR_CHANNEL_CLOSED", "too many others wait to be let in");
  }

  /**
   * Says that the channel has closed.
   *
   * @returns What to tell of it: the reason, or that the neighbour was not in yet.
   */
  closed(reason: unknown): unknown {
    const early = this.#state !== "ended" && !this.#told;
    const refused = this.#held?.map(refusalIn).find((why) => why !== null);
    this.end();
    if (refused) return refusal("ERR_CHANNEL_AUTH", refused); // We were busy when it was said.
    if (reason !== undefined || !early) return reason;
    return refusal("ERR_CHANNEL_CLOSED", "the neighbour has closed it before it was let in");
  }

  /** Ends: nothing is handed on any more, and no timer is left. More than once is fine. */
  end(): void {
    this.#state = "ended";
    this.#endTimer();
    this.#keeper.leave(this);
    this.#held = this.#early = null;
  }

  // ── the handshake ─────────────────────────────────────────────────────────

  /** Waits for the neighbour's proof, and asks for it unless it has been asked already. */
  #begin(): void {
    const { side } = this.#channel;
    this.#state = "waiting";
    this.#answered = false;
    this.#challenges = 0;
    this.#proved = null;
    if (side !== "opened") this.#keeper.enter(this);
    this.#schedule(this.#required ? TIMEOUT : SILENCE);
    if (this.#mine !== null) return;
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_SIZE)).map((byte) => byte & 0x7f);
    const flags = (side === undefined ? 0 : CHALLENGE[side]) |
      (this.#required ? CHALLENGE.required : 0);
    this.#mine = linkChallenge({ flags, nonce, address: this.#keeper.address });
    this.#say({ kind: "challenge", challenge: this.#mine });
  }

  #hearChallenge(theirs: SentChallenge): void {
    if (this.#key === null) {
      const wanted = (theirs.flags & CHALLENGE.required) !== 0;
      if (wanted) this.#refuse("the neighbour wants a key, and there is none here", REFUSAL.noKey);
      return;
    }
    // The neighbour begins anew on a channel that does not end, such as a serial line; or it has the
    // key, though it was let in without.
    if (this.#state === "open") this.#begin();
    if (!this.#admissible(theirs)) return;
    if (++this.#challenges > MAX_CHALLENGES) return this.#refuse(REFUSED, REFUSAL.malformed);
    if (this.#channel.side !== "accepted") this.#prove(theirs);
  }

  #hearProof(theirs: SentChallenge, mac: Bytes): void {
    if (this.#state !== "waiting" || !this.#admissible(theirs)) return;
    const { address, nonce } = theirs;
    this.#wait(this.#key!.verify(linkProofInput(theirs, this.#mine!), mac), (proved) => {
      if (!proved) this.#refuse("the neighbour does not know the key", REFUSAL.key);
      else if (!this.#accepts(address)) this.#refuseName(address);
      else if (isSame(this.#proved, nonce)) this.#enter(address);
      else this.#prove(theirs, () => this.#enter(address));
    });
  }

  /** Takes note of a challenge; says whether it may be answered at all. */
  #admissible(theirs: SentChallenge): boolean {
    const { address } = this.#keeper;
    if (this.#state !== "waiting") return false;
    if (!this.#answered && !this.#required) this.#schedule(TIMEOUT); // It is no old peer.
    this.#answered = true;
    if (theirs.address === address) {
      this.#refuse(`the neighbour calls itself "${address}", as this router`, REFUSAL.address);
    } else if ((theirs.flags & this.#mine!.flags & CHALLENGE.accepted) !== 0) {
      this.#refuse(REFUSALS[REFUSAL.side]!, REFUSAL.side);
    } else {
      return true;
    }
    return false;
  }

  /** Says a proof that is about the neighbour's challenge, and goes on. */
  #prove(theirs: SentChallenge, then?: () => void): void {
    const challenge = this.#mine!;
    this.#wait(this.#key!.sign(linkProofInput(challenge, theirs)), (mac) => {
      this.#proved = theirs.nonce;
      this.#say({ kind: "proof", challenge, mac });
      if (this.#state !== "ended") then?.();
    });
  }

  /** Waits for Web Crypto; what the neighbour says meanwhile is looked at afterwards. */
  #wait<T>(result: Promise<T>, then: (value: T) => void): void {
    this.#state = "busy";
    result.then((value) => {
      if (this.#state !== "busy") return; // It has ended.
      this.#state = "waiting";
      then(value);
      while (this.#held?.length && !this.#isBusy()) this.receive(this.#held.shift()!);
    }, (cause) => this.#end("ERR_CHANNEL_AUTH", "Web Crypto has failed", { cause }));
  }

  #isBusy(): boolean {
    return this.#state === "busy";
  }

  // ── letting in ────────────────────────────────────────────────────────────

  /** Takes what is no part of the handshake. */
  #hear(packet: Packet): void {
    if (this.#state === "open") return this.#pass(packet);
    if (this.#required || this.#answered) return this.#hold(this.#early ??= [], packet);
    this.#enter("");
    this.receive(packet);
  }

  /** Lets the neighbour in; its address if it has proved one. */
  #enter(address: string): void {
    this.#endTimer();
    this.#keeper.leave(this);
    this.#state = "open";
    this.#named = address !== "" || this.#identity === false;
    if (address !== "") {
      this.#mine = null;
      this.#mayBe = (name) => name === address;
    } else if (this.#identity !== false) {
      this.#mayBe = (name) => this.#accepts(name);
      this.#schedule(TIMEOUT);
    }
    if (this.#named) this.#tell(address);
    if (!this.#isUp) {
      this.#isUp = true;
      this.#hooks.up();
    }
    this.#release();
  }

  #tell(address: string): void {
    if (this.#told) return;
    this.#told = true;
    const certificate = this.#channel.peer ?? null;
    this.#hooks.open(address !== "" || certificate !== null ? { address, certificate } : null);
  }

  /** Hands a packet on, unless it says a name that the neighbour may not have. */
  #pass(packet: Packet): void {
    if (this.#mayBe === null || packet.net === 0 && this.#named) return this.#hooks.receive(packet);
    const name = claimedName(packet, this.#keeper.address);
    if (name !== "" && !this.#mayBe(name)) return this.#refuseName(name);
    if (!this.#named) {
      if (name === "") return this.#hold(this.#early ??= [], packet);
      this.#named = true;
      this.#endTimer();
      this.#tell("");
      this.#release();
    }
    if (this.#state === "open") this.#hooks.receive(packet);
  }

  /** Hands on what came before. */
  #release(): void {
    const early = this.#early;
    this.#early = null;
    this.#heldBytes = 0;
    early?.forEach((packet) => this.receive(packet));
  }

  #hold(list: Packet[], packet: Packet): void {
    this.#heldBytes += packet.data.length + packet.src.length + packet.dst.length +
      packet.srv.length + packet.nxt.length;
    const held = (this.#held?.length ?? 0) + (this.#early?.length ?? 0);
    if (held < MAX_HELD && this.#heldBytes <= MAX_HELD_BYTES) {
      packet.data = compact(packet.data);
      list.push(packet);
    } else {
      this.#refuse("the neighbour says too much before it is let in", REFUSAL.malformed);
    }
  }

  /** Whether the neighbour's certificate allows it an address. */
  #accepts(address: string): boolean {
    const identity = this.#identity;
    const names = this.#channel.peer?.names ?? [];
    if (typeof identity !== "function") return identity !== true || names.includes(address);
    try {
      return identity(names, address);
    } catch {
      return false;
    }
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #expire(): void {
    if (this.#state === "open") return this.#refuse("the neighbour does not say its name");
    if (this.#answered) {
      return this.#end("ERR_CHANNEL_CLOSED", "the neighbour takes too long to prove who it is");
    }
    if (!this.#required) return this.#enter("");
    if (this.#early !== null) return this.#refuse("the neighbour proves no key", REFUSAL.key);
    this.#end("ERR_CHANNEL_CLOSED", `nothing was heard for ${TIMEOUT} ms`);
  }

  #refuseName(name: string): void {
    this.#refuse(`the neighbour calls itself "${name}", and may not`, REFUSAL.address);
  }

  /** Refuses the neighbour for good; says why, if it is of a kind that listens. */
  #refuse(why: string, reason: number = 0, options?: ErrorOptions): void {
    if (reason !== 0) this.#say({ kind: "refusal", reason });
    this.#end("ERR_CHANNEL_AUTH", why, options);
  }

  #end(code: RefusalCode, why: string, options?: ErrorOptions): void {
    if (this.#state === "ended") return;
    this.end();
    this.#hooks.refuse(refusal(code, why, options));
  }

  #say(message: LinkAuthMessage): void {
    if (this.#state === "ended") return;
    try {
      this.#hooks.send(new Packet({ net: NET_LINK, data: encodeLinkAuth(message) }));
    } catch (cause) {
      this.#end("ERR_CHANNEL_CLOSED", "the channel threw", { cause }); // It must not.
    }
  }

  #endTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #schedule(delay: number): void {
    this.#endTimer();
    const { clock } = this.#keeper;
    this.#cancelTimer = clock.schedule(clock.now() + delay, () => this.#expire());
  }
}

/** Codes of a {@linkcode ChannelError} here: refused for good, or not this time. */
type RefusalCode = "ERR_CHANNEL_AUTH" | "ERR_CHANNEL_CLOSED";

const REFUSED = "the neighbour refuses what this router says";

/** What a refusal by the neighbour means. */
const REFUSALS: Readonly<Record<number, string>> = {
  [REFUSAL.key]: "the neighbour does not accept the key of this router",
  [REFUSAL.noKey]: "the neighbour has no key",
  [REFUSAL.address]: "the neighbour does not accept the address of this router",
  [REFUSAL.side]: "the neighbour has accepted a connection, too: somebody is in between",
};

function meaning(reason: number): string {
  return REFUSALS[reason] ?? REFUSED;
}

/** What the neighbour says in a packet if it refuses us; `null` if it does not. */
function refusalIn({ net, data }: Packet): string | null {
  try {
    const message = net === NET_LINK ? decodeLinkAuth(data) : null;
    return message?.kind === "refusal" ? meaning(message.reason) : null;
  } catch {
    return null;
  }
}

function refusal(code: RefusalCode, why: string, options?: ErrorOptions): ChannelError {
  return new ChannelError(code, `Cannot accept channel: ${why}`, options);
}

function isSame(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && a.every((byte, i) => byte === b[i]);
}

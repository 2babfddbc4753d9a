/**
 * A simulated world: machines, paths between them, and time, which passes as fast as it can.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Packet, Router } from "../../../mod.ts";
import { ManualClock } from "../../../src/testing/mod.ts";
import { below, pick, seededRandom } from "../../../src/testing/seeded_random.ts";
import { Tally } from "../load/tally.ts";
import { Host, type HostPath, type Life } from "./host.ts";
import { Path, type PathOptions } from "./path.ts";

/** What is due within so many ms is due at once: more than sums of times are off by. */
const ROUNDING = 2 ** -10;

/** FNV-1a, of the numbers of all that happens: two runs with one fingerprint are the same. */
const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/** Machines, paths, and their time. */
export class World {
  readonly clock: ManualClock = new ManualClock();
  readonly hosts: Host[];
  readonly paths: Set<HostPath> = new Set();
  readonly tally: Tally;
  readonly random: () => number;
  /** Since when all know all, as nothing goes wrong; `null` if something may. */
  knownSince: number | null = null;
  /** Is told what happens, line by line. */
  tell: (line: string) => void = () => {};
  /** Routers that have ever been, as long as somebody holds them. */
  readonly #routers: Set<WeakRef<Router>> = new Set();
  #resting: boolean = false;
  #fingerprint: number = FNV_OFFSET;

  /** Constructs a new instance, in which nothing runs yet. */
  constructor(seed: number, hosts: number) {
    this.random = seededRandom(seed);
    this.tally = new Tally(() => `seed ${seed}, at ${this.clock.now().toFixed(3)} ms`);
    this.hosts = Array.from({ length: hosts }, (_, i) => new Host(this, i));
  }

  /** The routers that run. */
  get lives(): Life[] {
    return this.hosts.flatMap(({ life }) => life ?? []);
  }

  /** A number that tells this run from others. */
  get fingerprint(): string {
    return this.#fingerprint.toString(16).padStart(8, "0");
  }

  /** Adds to the fingerprint. */
  note(number: number): void {
    for (let rest = Math.floor(number); rest > 0; rest = Math.floor(rest / 0x100)) {
      this.#fingerprint = Math.imul(this.#fingerprint ^ (rest % 0x100), FNV_PRIME) >>> 0;
    }
  }

  // ── routers ───────────────────────────────────────────────────────────────

  /** A router has started, and an application beside it. */
  born({ router, application }: Life): void {
    this.tally.count("routers started");
    this.#routers.add(new WeakRef(router));
    if (!this.#resting) application.start();
  }

  /** Routers that are gone and still held by somebody; ask only after the garbage was collected. */
  ghosts(): string[] {
    const running = new Set(this.lives.map(({ router }) => router));
    const ghosts: string[] = [];
    for (const reference of this.#routers) {
      const router = reference.deref();
      if (router === undefined) this.#routers.delete(reference);
      else if (!running.has(router)) ghosts.push(router.address);
    }
    return ghosts;
  }

  /** Lets applications do something. */
  work(): void {
    this.#resting = false;
    this.knownSince = null;
    for (const { application } of this.lives) application.start();
  }

  /** Lets applications do nothing more. */
  pause(): void {
    this.#resting = true;
    for (const { application } of this.lives) application.stop();
  }

  // ── paths ─────────────────────────────────────────────────────────────────

  /** Joins two machines by a path, and has the first dial. */
  join(from: Host, to: Host): void {
    const path = new Path<Host>(
      ...[from, to, this.clock, seededRandom(below(this.random, 2 ** 32))] as const,
      this.#pathOptions(),
      {
        arrived: (packet) => this.#arrived(packet),
        lost: () => this.tally.count("packets lost"),
      },
    );
    this.paths.add(path);
    from.paths.add(path);
    to.paths.add(path);
    from.life?.dial(path);
  }

  /** Takes a path away: given up in order, or torn. */
  part(path: HostPath, inOrder: boolean): void {
    const { from, to } = path;
    if (!inOrder) path.cut("both");
    from.life?.hangUp(path);
    this.paths.delete(path);
    // Its connections are still ending: whoever crashes meanwhile abandons them.
    this.clock.schedule(this.clock.now() + 5_000, () => {
      path.cut("both");
      from.paths.delete(path);
      to.paths.delete(path);
    });
  }

  /** Paths between two machines. */
  between(a: Host, b: Host): HostPath[] {
    return [...a.paths].filter((path) => path.from === b || path.to === b);
  }

  #pathOptions(): PathOptions {
    const { random } = this;
    const delay = 1 + 49 * random() ** 2;
    return {
      delay,
      jitter: Math.min(50 - delay, 10 * random()),
      rate: pick(random, [20, 200, 2_000, 20_000])!,
      window: pick(random, [4_096, 16_384, 65_536])!,
      highWater: pick(random, [2_048, 8_192, 65_536, 1 << 20])!,
      isStream: random() < 0.75,
    };
  }

  #arrived(packet: Packet): void {
    this.tally.count(packet.net === 0 ? "packets of applications" : "packets between routers");
    this.note(this.clock.now() * 1_000);
    this.note(packet.data.length);
  }

  // ── time ──────────────────────────────────────────────────────────────────

  /** Lets everything happen that waits for nothing but its turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => void setImmediate(resolve));
  }

  /** Lets so many ms pass. */
  async run(duration: number): Promise<void> {
    const { clock } = this;
    const end = clock.now() + duration;
    await this.turn();
    while (clock.next <= end) {
      clock.advance(Math.max(0, clock.next - clock.now()) + ROUNDING);
      await this.turn();
    }
    clock.advance(Math.max(0, end - clock.now()));
    await this.turn();
  }
}

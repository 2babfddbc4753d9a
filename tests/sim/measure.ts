/**
 * What routing costs in one simulated network, and how fast it is: a cold start, cut links, dead
 * nodes that come back, a partition and its end, and then nothing for a minute.
 *
 * Packets take 5 to 15 ms over a link and keep their order; links come up within 100 ms; whoever
 * loses a link notices at once.
 *
 * @module
 */

import {
  inspectQuiet,
  Invariants,
  type LinkSettings,
  type QuietReport,
  seededRandom,
  SimulatedNetwork,
  type SimulatedNode,
} from "../../src/testing/mod.ts";
import { Packet } from "../../src/wire/mod.ts";
import type { Measured, Subject } from "./figures.ts";
import { destinationMemory, recordTime } from "./core_alone.ts";

/** Between two looks at all ways, in ms. */
const LOOK = 5;

/** Above so many pairs, some are chosen. */
const MAX_PAIRS = 10_000;
const SAMPLED_PAIRS = 3_000;

/** Between two probes of a pair, in ms; for how long they go on after a cut; how many pairs. */
const PROBE = 10;
const PROBED = 1_500;
const PROBED_PAIRS = 20;

/** How long a network may take to come to rest, in ms. */
const LIMIT = 600_000;

/**
 * Measures everything, each event in a network that has just come to rest from a cold start, with
 * a seed of its own.
 */
export function measure(subject: Subject): Measured {
  const notes = new Notes();
  let { seed } = subject;
  const fresh = (happen: (experiment: Experiment) => void): void => {
    const experiment = new Experiment({ ...subject, seed: seed++ }, notes);
    experiment.coldStart();
    happen(experiment);
    experiment.end();
  };
  for (let i = 0; i < subject.events; i++) fresh((experiment) => experiment.cutOne());
  for (let i = 0; i < subject.events; i++) fresh((experiment) => experiment.endOne());
  for (let i = 0; i < subject.partitions; i++) fresh((experiment) => experiment.partition());
  fresh((experiment) => {
    if (subject.events > 0) experiment.probe();
    experiment.idle();
  });
  return { ...notes.result(), recordTime: recordTime(), heap: destinationMemory() };
}

/** Old peers are not asked whether they are there: there would be no rest to measure at. */
const UNASKED: LinkSettings = { keepalive: Infinity };

/** What has been seen in some networks. */
export class Notes {
  readonly #samples: Map<keyof Measured, number[]> = new Map();
  readonly #words: string[] = [];

  /** Notes a figure. */
  note(key: keyof Measured, value: number): void {
    const samples = this.#samples.get(key);
    if (samples) samples.push(value);
    else this.#samples.set(key, [value]);
  }

  /** Notes what is wrong, in words. */
  tell(words: string[]): void {
    if (this.#words.length < 10) this.#words.push(...words.slice(0, 3));
  }

  /** All figures. */
  result(): Measured {
    const mean = (key: keyof Measured) => {
      const samples = this.#samples.get(key) ?? [];
      return samples.reduce((sum, sample) => sum + sample, 0) / Math.max(1, samples.length);
    };
    const max = (key: keyof Measured) => Math.max(0, ...this.#samples.get(key) ?? []);
    const sum = (key: keyof Measured) => (this.#samples.get(key) ?? []).reduce((a, b) => a + b, 0);
    return {
      coldRecords: mean("coldRecords"),
      coldFrames: mean("coldFrames"),
      coldReachable: max("coldReachable"),
      coldOptimal: max("coldOptimal"),
      recordTime: NaN,
      cutRecords: mean("cutRecords"),
      cutRestored: max("cutRestored"),
      cutOptimal: max("cutOptimal"),
      cutOutageMean: mean("cutOutageMean"),
      deathRecords: mean("deathRecords"),
      deathClean: max("deathClean"),
      restartRecords: mean("restartRecords"),
      partitionRecords: mean("partitionRecords"),
      healRecords: mean("healRecords"),
      loops: sum("loops"),
      rises: sum("rises"),
      faults: sum("faults"),
      ghostsAfterDeath: sum("ghostsAfterDeath"),
      missing: sum("missing"),
      persistentLoops: sum("persistentLoops"),
      stretch: max("stretch"),
      probes: sum("probes"),
      probesLost: sum("probesLost"),
      idleBytes: mean("idleBytes"),
      heap: NaN,
      words: this.#words,
    };
  }
}

/** One network, and what has been seen in it. */
export class Experiment {
  readonly network: SimulatedNetwork;
  readonly invariants: Invariants;
  readonly #subject: Subject;
  readonly #random: () => number;
  readonly #notes: Notes;
  #pairs: [SimulatedNode, SimulatedNode][] = [];
  #completeAt: number = 0;

  constructor(subject: Subject, notes: Notes = new Notes()) {
    this.#subject = subject;
    this.#notes = notes;
    const { nodes, seed, origins = nodes, router } = subject;
    this.#random = seededRandom(seed);
    this.network = new SimulatedNetwork({
      delay: (random) => 5 + 10 * random(),
      ...{ random: this.#random, encode: router !== undefined, record: false },
      settings: [UNASKED, UNASKED],
    });
    this.invariants = new Invariants(this.network, { strict: false });
    for (let i = 0; i < nodes; i++) {
      const create = router?.(i);
      this.network.start(name(i), {
        ...(create ? { create } : {}),
        ...(i >= origins ? { mesh: { hidden: true } } : {}),
      });
    }
  }

  // ── what happens ──────────────────────────────────────────────────────────

  /** Links come up one after the other, and everybody learns of everybody. */
  coldStart(): void {
    const { network } = this;
    const { nodes, topology, origins = nodes } = this.#subject;
    const all = origins * (nodes - 1);
    const known = new Set<string>();
    const unwatch = network.watch((node, effect) => {
      if (effect.kind !== "route") return;
      const key = `${node.index} ${effect.route.address}`;
      if (effect.route.cost === 0) known.delete(key);
      else if (!known.has(key) && known.add(key).size === all) this.#completeAt = network.now;
    });
    for (const [a, b] of topology) {
      network.at(100 * this.#random(), () => network.connect(name(a), name(b)));
    }
    network.forget();
    this.#watchWays(0, 0);
    unwatch();
    this.#note("coldRecords", network.traffic.records / nodes);
    this.#note("coldFrames", network.traffic.frames / nodes);
    this.#note("coldReachable", this.#completeAt);
    this.#note("coldOptimal", this.invariants.changedAt);
    this.#inspect();
    this.#pairs = this.#choosePairs();
  }

  /** A link goes that is no bridge, and comes back. */
  cutOne(): void {
    const cut = this.#chooseLink();
    if (cut === null) return;
    const [a, b] = cut;
    const { restored, optimal, mean } = this.#event(() => this.network.disconnect(a.id, b.id));
    this.#note("cutRecords", this.#records());
    this.#note("cutRestored", restored);
    this.#note("cutOptimal", optimal);
    this.#note("cutOutageMean", mean);
    this.#inspect();
    this.network.connect(a.id, b.id);
    this.#settle();
  }

  /** A node ends that holds nothing together, and comes back as somebody new. */
  endOne(): void {
    const node = this.#chooseNode();
    if (node === null) return;
    const links = this.network.links.of(node).map(({ far }) => far.node.id);
    const { optimal } = this.#event(() => this.network.kill(node.id));
    this.#note("deathRecords", this.#records());
    this.#note("deathClean", optimal);
    this.#note("ghostsAfterDeath", this.#inspect().ghosts);
    this.network.run(1_000); // A clock in seconds has to move on.
    this.#event(() => {
      this.network.start(node.id);
      for (const id of links) this.network.connect(node.id, id);
    });
    this.#note("restartRecords", this.#records());
    this.#inspect();
  }

  /** Half of the nodes lose the other half, and find it again. */
  partition(): void {
    const { network } = this;
    const nodes = [...network.nodes.values()];
    const half = new Set([nodes[Math.floor(this.#random() * nodes.length)]!]);
    for (const node of half) {
      for (const { far } of network.links.of(node)) {
        if (2 * half.size < nodes.length) half.add(far.node);
      }
    }
    const cut = [...network.links.working()]
      .filter(({ node, far }) => half.has(node) !== half.has(far.node))
      .map(({ node, far }) => [node.id, far.node.id] as const);
    network.forget();
    for (const [a, b] of cut) network.disconnect(a, b);
    this.#settle();
    this.#note("partitionRecords", this.#records());
    this.#inspect();
    network.forget();
    for (const [a, b] of cut) network.connect(a, b);
    this.#settle();
    this.#note("healRecords", this.#records());
    this.#inspect();
  }

  /** Applications send through a link that goes. */
  probe(): void {
    const { network } = this;
    const cut = this.#chooseLink();
    if (cut === null) return;
    const crossing = this.#pairs.filter(([from, to]) => {
      const path = this.invariants.nextHops.path(from, to.mesh.address);
      const at = path.indexOf(cut[0].id);
      return at >= 0 && (path[at + 1] === cut[1].id || path[at - 1] === cut[1].id);
    });
    const pairs = [...crossing, ...this.#pairs].slice(0, PROBED_PAIRS);
    let [sent, delivered] = [0, 0];
    const unwatch = network.watch((_, effect) => {
      if (effect.kind === "deliver" && effect.packet.srv === "probe") delivered++;
    });
    network.forget();
    const start = network.now;
    for (const [from, to] of pairs) {
      const first = start + PROBE * this.#random();
      for (let at = first; at < start + 200 + PROBED; at += PROBE) {
        const data = `${sent++}`;
        const packet = new Packet({ srv: "probe", dst: to.mesh.address, data });
        network.at(at, () => network.send(from.id, packet));
      }
    }
    network.run(200);
    network.disconnect(cut[0].id, cut[1].id);
    this.#settle();
    unwatch();
    this.#note("probes", sent);
    // What was on the link when it was cut is gone, whoever routes.
    this.#note("probesLost", sent - delivered - network.lostOnLinks);
    network.connect(cut[0].id, cut[1].id);
    this.#settle();
  }

  /** Nothing happens for a minute. */
  idle(): void {
    const { network } = this;
    network.forget();
    network.run(60_000);
    const ends = 2 * [...network.links.working()].length;
    this.#note("idleBytes", network.traffic.bytes / 60 / ends);
  }

  /** It is over: what was seen all the time is noted. */
  end(): void {
    this.#note("loops", this.invariants.loops);
    this.#note("rises", this.invariants.rises);
    this.invariants.stop();
  }

  /** All figures of this network, once it is over. */
  result(): Measured {
    return this.#notes.result();
  }

  // ── how it is seen ────────────────────────────────────────────────────────

  #note(key: keyof Measured, value: number): void {
    this.#notes.note(key, value);
  }

  #records(): number {
    return this.network.traffic.records / this.#subject.nodes;
  }

  #settle(): void {
    this.network.settle(LIMIT);
  }

  #inspect(): QuietReport {
    const report = inspectQuiet(this.network);
    this.#note("stretch", report.stretch);
    this.#note("missing", report.missing);
    this.#note("persistentLoops", report.loops);
    this.#note("faults", report.missing + report.ghosts + report.loops + report.disagreements);
    this.#notes.tell(report.faults);
    return report;
  }

  /** Does something; says how long it takes until all ways lead somewhere, and until all is done. */
  #event(happen: () => void): { restored: number; optimal: number; mean: number } {
    const start = this.network.now;
    this.network.forget();
    happen();
    const { last, mean } = this.#watchWays(start, this.#subject.watched ?? 2_000);
    return { restored: last, optimal: Math.max(0, this.invariants.changedAt - start), mean };
  }

  /** Looks at all ways again and again, then lets the network come to rest. */
  #watchWays(start: number, duration: number): { last: number; mean: number } {
    const outages = new Map<number, number>();
    let last = 0;
    let broken: number[] = [];
    let seen = -1;
    for (let time = 0; time < duration; time += LOOK) {
      if (this.invariants.changes !== seen) { // Else they lead where they led.
        seen = this.invariants.changes;
        broken = this.#brokenPairs();
      }
      for (const pair of broken) outages.set(pair, (outages.get(pair) ?? 0) + LOOK);
      if (broken.length > 0) last = this.network.now + LOOK - start;
      this.network.run(LOOK);
    }
    this.#settle();
    const total = [...outages.values()].reduce((sum, outage) => sum + outage, 0);
    return { last, mean: total / Math.max(1, outages.size) };
  }

  /** Pairs of living nodes whose way does not lead from one to the other. */
  #brokenPairs(): number[] {
    const broken: number[] = [];
    this.#pairs.forEach(([from, to], i) => {
      if (!from.alive || !to.alive) return;
      const distance = this.invariants.nextHops.distance(from, to.mesh.address);
      if (!Number.isFinite(distance)) broken.push(i);
    });
    return broken;
  }

  // ── what is chosen ────────────────────────────────────────────────────────

  #choosePairs(): [SimulatedNode, SimulatedNode][] {
    const all = [...this.network.nodes.values()];
    const to = all.filter(({ options }) => !options.mesh?.hidden);
    const any = (nodes: SimulatedNode[]) => nodes[Math.floor(this.#random() * nodes.length)]!;
    const pairs: [SimulatedNode, SimulatedNode][] = all.length * to.length <= MAX_PAIRS
      ? all.flatMap((a) => to.map((b): [SimulatedNode, SimulatedNode] => [a, b]))
      : Array.from({ length: SAMPLED_PAIRS }, () => [any(all), any(to)]);
    return pairs.filter(([a, b]) => a !== b);
  }

  /** The nodes that can be reached from one, though a link or a node is not there. */
  #connected(from: SimulatedNode, without: SimulatedNode[], link: boolean): number {
    const { links } = this.network;
    const found = new Set([from]);
    for (const node of found) {
      for (const end of links.of(node)) {
        const gone = link
          ? without.includes(node) && without.includes(end.far.node)
          : without.includes(end.far.node);
        if (!gone && links.works(end)) found.add(end.far.node);
      }
    }
    return found.size;
  }

  #chooseLink(): [SimulatedNode, SimulatedNode] | null {
    const links = [...this.network.links.working()];
    for (let tries = 0; tries < 100; tries++) {
      const { node, far } = links[Math.floor(this.#random() * links.length)]!;
      const size = this.#connected(node, [node, far.node], true);
      if (size === this.network.nodes.size) return [node, far.node];
    }
    return null;
  }

  #chooseNode(): SimulatedNode | null {
    const nodes = [...this.network.nodes.values()].slice(0, this.#subject.origins);
    for (let tries = 0; tries < 100; tries++) {
      const node = nodes[Math.floor(this.#random() * nodes.length)]!;
      const other = nodes.find((one) => one !== node)!;
      if (this.#connected(other, [node], false) === this.network.nodes.size - 1) return node;
    }
    return null;
  }
}

function name(node: number): string {
  return `n${node}`;
}

/**
 * {@linkcode Layout}: where the routers of a mesh are drawn. Springs along links, repulsion between
 * all, a pull to the middle; and an end to it.
 *
 * Pure state: the same calls come to the same picture.
 *
 * @module
 */

/** Where one node is, in pixels from the middle. */
export interface Body {
  /** To the right. */
  x: number;
  /** Downwards. */
  y: number;
  /** Velocity, in pixels a step. */
  vx: number;
  /** The same downwards. */
  vy: number;
  /** Whether somebody holds it. */
  held: boolean;
  /** How many links it has. */
  degree: number;
}

/** How long a link is at rest, in pixels. */
const LENGTH = 104;

/** How strongly nodes push each other away, in pixels³, and from how far. */
const REPULSION = 21_000;
const REACH = 520;

/** How much of its way to the middle a node is pulled in a step. */
const GRAVITY = 0.009;

/** What is kept of a velocity in the next step. */
const INERTIA = 0.62;

/** The fastest that a node may be, in pixels a step: without it a crowd that is too near bursts. */
const MAX_SPEED = 14;

/** How the movement dies down in a step, and below what heat it is over. */
const COOLING = 0.978;
const COLD = 0.012;

/** How far from its neighbour a node begins, in pixels, and how many places around it are looked at. */
const BIRTH = 90;
const PLACES = 16;

/** By what angle each next one is turned, so that no two are in one line. */
const GOLDEN_ANGLE = 2.399963;

/** A layout that settles. */
export class Layout {
  readonly #bodies: Map<string, Body> = new Map();
  #links: [Body, Body][] = [];
  #heat: number = 0;
  #born: number = 0;
  #shape: string = "";

  /** Where everything is, by name. */
  get bodies(): ReadonlyMap<string, Body> {
    return this.#bodies;
  }

  /** Whether anything still moves. */
  get moving(): boolean {
    return this.#heat >= COLD;
  }

  /**
   * Says who is there. Those that were stay where they are; a new one begins beside a neighbour.
   *
   * @param names Of nodes, the nearest first, so that each finds a neighbour that has a place.
   * @param links Pairs of names.
   * @returns Whether that is another picture than before.
   */
  set(names: readonly string[], links: readonly (readonly [string, string])[]): boolean {
    const shape = JSON.stringify([names, links]);
    if (shape === this.#shape) return false;
    this.#shape = shape;
    const before = this.#bodies.size;
    const there = new Set(names);
    let changed = 0;
    for (const name of this.#bodies.keys()) {
      if (there.has(name)) continue;
      this.#bodies.delete(name);
      changed++;
    }
    const neighbours = new Map<string, string[]>();
    for (const [a, b] of links) {
      for (const [from, to] of [[a, b], [b, a]] as const) {
        const list = neighbours.get(from);
        if (list) list.push(to);
        else neighbours.set(from, [to]);
      }
    }
    for (const name of names) {
      if (this.#bodies.has(name)) continue;
      const near = neighbours.get(name)?.map((it) => this.#bodies.get(it)).find(Boolean);
      this.#bodies.set(name, this.#birth(near));
      changed++;
    }
    this.#links = [];
    for (const body of this.#bodies.values()) body.degree = 0;
    for (const [a, b] of links) {
      const [from, to] = [this.#bodies.get(a), this.#bodies.get(b)];
      if (!from || !to || from === to) continue;
      from.degree++;
      to.degree++;
      this.#links.push([from, to]);
    }
    // A large change moves all, a small one what is around it.
    this.heat(before === 0 ? 1 : Math.min(1, 0.25 + changed / (before + 1)));
    return true;
  }

  /** Sets it moving again. */
  heat(heat: number = 0.4): void {
    if (this.#bodies.size > 1) this.#heat = Math.max(this.#heat, heat);
  }

  /** Puts a node somewhere, and holds it there until it is released. */
  hold(name: string, x: number, y: number): void {
    const body = this.#bodies.get(name);
    if (body) Object.assign(body, { x, y, vx: 0, vy: 0, held: true });
    this.heat();
  }

  /** Lets a node go. */
  release(name: string): void {
    const body = this.#bodies.get(name);
    if (body) body.held = false;
    this.heat(0.2);
  }

  /**
   * Moves everything by one step.
   *
   * @returns Whether anything still moves.
   */
  step(): boolean {
    if (!this.moving) return false;
    const heat = this.#heat;
    const bodies = [...this.#bodies.values()];
    for (let i = 0; i < bodies.length; i++) {
      const a = bodies[i]!;
      for (let j = i + 1; j < bodies.length; j++) {
        const b = bodies[j]!;
        let dx = a.x - b.x;
        let dy = a.y - b.y;
        if (dx > REACH || dx < -REACH || dy > REACH || dy < -REACH) continue;
        let square = dx * dx + dy * dy;
        if (square < 1) { // In one place: some way out, another for each pair.
          dx = Math.cos(i + j * GOLDEN_ANGLE);
          dy = Math.sin(i + j * GOLDEN_ANGLE);
          square = 1;
        }
        const force = heat * REPULSION / (square * Math.sqrt(square) + 400);
        a.vx += dx * force;
        a.vy += dy * force;
        b.vx -= dx * force;
        b.vy -= dy * force;
      }
    }
    for (const [a, b] of this.#links) {
      const dx = b.x - a.x;
      const dy = b.y - a.y;
      const distance = Math.sqrt(dx * dx + dy * dy) || 1;
      const crowd = Math.min(a.degree, b.degree);
      // Between two that have many neighbours there is much to make room for.
      const length = LENGTH + 14 * Math.sqrt(Math.max(0, crowd - 1));
      const pull = heat * 0.3 * (distance - length) / distance / Math.sqrt(crowd || 1);
      a.vx += dx * pull;
      a.vy += dy * pull;
      b.vx -= dx * pull;
      b.vy -= dy * pull;
    }
    for (const body of bodies) {
      if (body.held) {
        body.vx = body.vy = 0;
        continue;
      }
      body.vx = (body.vx - body.x * GRAVITY * heat) * INERTIA;
      body.vy = (body.vy - body.y * GRAVITY * heat) * INERTIA;
      const speed = Math.hypot(body.vx, body.vy);
      const most = speed > MAX_SPEED ? MAX_SPEED / speed : 1;
      body.x += body.vx *= most;
      body.y += body.vy *= most;
    }
    this.#heat = heat * COOLING;
    return this.moving;
  }

  #birth(near: Body | undefined): Body {
    const turn = GOLDEN_ANGLE * this.#born;
    // Who knows nobody begins further out the later it comes.
    const far = near ? BIRTH : this.#born === 0 ? 0 : 40 * Math.sqrt(this.#born);
    this.#born++;
    const place = (angle: number) => ({
      x: (near?.x ?? 0) + far * Math.cos(angle),
      y: (near?.y ?? 0) + far * Math.sin(angle),
    });
    let best = place(turn);
    let most = -1;
    // Where it is emptiest: links that begin without crossing others seldom end so.
    for (let i = 0; near && i < PLACES; i++) {
      const { x, y } = place(turn + 2 * Math.PI * i / PLACES);
      let least = Infinity;
      for (const body of this.#bodies.values()) {
        if (body !== near) least = Math.min(least, (x - body.x) ** 2 + (y - body.y) ** 2);
      }
      if (least > most) [best, most] = [{ x, y }, least];
    }
    return { ...best, vx: 0, vy: 0, held: false, degree: 0 };
  }
}

/**
 * Notices that a transport takes nothing though something waits.
 *
 * @module
 */

/** How often it looks within the time allowed: it notices at most one of these parts late. */
const LOOKS = 4;

/** The longest that `setTimeout` can wait, in ms. */
const MAX_INTERVAL = 0x7fff_ffff;

/** What is watched. */
interface Watched {
  /** Whether something waits. */
  waits(): boolean;
  /** What changes when the transport moves though it has not finished anything. */
  progress(): number;
  /** Called when nothing waits any more, at the next look. */
  idle?(): void;
  /** Called once nothing has moved for too long. */
  stalled(): void;
}

/**
 * Looks now and then, from when something begins to wait until nothing does. It counts looks and
 * not time, so that a program that stood still itself does not blame the peer.
 */
export class StallWatch {
  readonly #interval: number;
  readonly #watched: Watched;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #moved: boolean = false;
  #progress: number = 0;
  #still: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param timeout How long nothing may move, in ms; `Infinity` if nobody is to look.
   */
  constructor(timeout: number, watched: Watched) {
    this.#interval = timeout === Infinity ? Infinity : Math.min(timeout / LOOKS, MAX_INTERVAL);
    this.#watched = watched;
  }

  /** Something waits. */
  start(): void {
    if (this.#timer !== undefined || this.#interval === Infinity || !this.#watched.waits()) return;
    this.#still = 0;
    this.#moved = false;
    this.#progress = this.#watched.progress();
    this.#timer = setTimeout(this.#look, this.#interval);
  }

  /** The transport has taken something. */
  moved(): void {
    this.#moved = true;
  }

  /** Looks no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // Between sends that go out at once the timer is left alone: a few looks cost less than timers.
  readonly #look = (): void => {
    this.#timer = undefined;
    if (!this.#watched.waits()) return this.#watched.idle?.();
    const progress = this.#watched.progress();
    const moved = this.#moved || progress !== this.#progress;
    this.#still = moved ? 0 : this.#still + 1;
    this.#moved = false;
    this.#progress = progress;
    if (this.#still >= LOOKS) return this.#watched.stalled();
    this.#timer = setTimeout(this.#look, this.#interval);
  };
}

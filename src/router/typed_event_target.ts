/**
 * {@linkcode TypedEventTarget}: an `EventTarget` whose listeners know what they are given.
 *
 * @module
 */

/** How a listener is attached. */
export interface ListenerOptions {
  /** Detach it once it has been called. */
  once?: boolean;
  /** Detach it when this aborts. */
  signal?: AbortSignal;
}

/** An `EventTarget` with a map from the types of its events to their classes. */
export class TypedEventTarget<Events extends object> extends EventTarget {
  /** Listens to one kind of event. */
  override addEventListener<Type extends keyof Events & string>(
    type: Type,
    listener: ((event: Events[Type]) => void) | null,
    options?: boolean | ListenerOptions,
  ): void;
  /** Listens to an event, as every `EventTarget`. */
  override addEventListener(
    type: string,
    listener: ((event: Event) => void) | { handleEvent(event: Event): void } | null,
    options?: boolean | ListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: ((event: never) => void) | { handleEvent(event: Event): void } | null,
    options?: boolean | ListenerOptions,
  ): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
  }
}

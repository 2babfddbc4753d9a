/**
 * Making and changing elements. Text becomes text nodes: what others are called and what they say is
 * never read as markup.
 *
 * @module
 */

/** Attributes, and listeners by `on` and the type of the event. */
export type Properties = Record<
  string,
  string | number | boolean | null | undefined | ((event: never) => void)
>;

/** What an element can hold; strings become text. */
export type Child = Node | string | null;

/** The element of an id. */
export function find<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new TypeError(`Cannot find "${id}" in this page`);
}

/** An element of HTML. */
export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), properties, children);
}

/** An element of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(
    document.createElementNS("http://www.w3.org/2000/svg", tag),
    properties,
    children,
  );
}

function fill<T extends Element>(element: T, properties: Properties, children: Child[]): T {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value as (event: Event) => void);
    } else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, `${value}`);
    }
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Sets the text of an element, if it is another. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, or takes it away with `null`, if it is another. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

/** An element that shows an item, and can show another state of it. */
export interface Row<T> {
  /** The element. */
  element: Element;
  /** Shows what is so now. */
  update(item: T): void;
}

/** Elements in the order of a list, each of which stays with its item: focus and selection do, too. */
export class KeyedList<T> {
  readonly #parent: Element;
  readonly #key: (item: T) => string;
  readonly #make: (item: T) => Row<T>;
  #rows: Map<string, Row<T>> = new Map();

  /**
   * Constructs a new instance.
   *
   * @param parent Holds nothing else.
   * @param key Names an item.
   * @param make Makes an element for an item; it is updated at once.
   */
  constructor(parent: Element, key: (item: T) => string, make: (item: T) => Row<T>) {
    this.#parent = parent;
    this.#key = key;
    this.#make = make;
  }

  /** Shows these, and nothing else. */
  show(items: readonly T[]): void {
    const rows = new Map<string, Row<T>>();
    let place = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#key(item);
      if (rows.has(key)) continue;
      const row = this.#rows.get(key) ?? this.#make(item);
      this.#rows.delete(key);
      rows.set(key, row);
      row.update(item);
      if (row.element === place) place = place.nextElementSibling;
      else this.#parent.insertBefore(row.element, place);
    }
    for (const { element } of this.#rows.values()) element.remove();
    this.#rows = rows;
  }
}

/** A long list, of which only the rows that can be seen are elements. */
export class VirtualList {
  readonly #view: HTMLElement;
  readonly #space: HTMLElement;
  readonly #height: number;
  readonly #draw: (index: number, row: HTMLElement) => void;
  readonly #rows: HTMLElement[] = [];
  #count: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param view Scrolls; holds nothing else.
   * @param height Of each row, in pixels.
   * @param make Makes an empty row.
   * @param draw Fills a row.
   */
  constructor(
    view: HTMLElement,
    height: number,
    make: () => HTMLElement,
    draw: (index: number, row: HTMLElement) => void,
  ) {
    this.#view = view;
    this.#height = height;
    this.#draw = draw;
    this.#space = html("div", { class: "space" });
    view.append(this.#space);
    this.#make = make;
    view.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(view);
  }

  readonly #make: () => HTMLElement;

  /** Whether the last row can be seen: whoever follows a list stays at its end. */
  get atEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.#view;
    return scrollTop + clientHeight >= scrollHeight - this.#height;
  }

  /** Shows so many rows; stays at the end if asked to. */
  show(count: number, follow: boolean): void {
    this.#count = count;
    this.#space.style.height = `${count * this.#height}px`;
    if (follow) this.#view.scrollTop = count * this.#height;
    this.draw();
  }

  /** Brings a row into view. */
  reveal(index: number): void {
    const top = index * this.#height;
    const { scrollTop, clientHeight } = this.#view;
    if (top < scrollTop) this.#view.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) {
      this.#view.scrollTop = top + this.#height - clientHeight;
    }
    this.draw();
  }

  /** Draws what can be seen. */
  draw(): void {
    const { scrollTop, clientHeight } = this.#view;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - 1);
    const last = Math.min(this.#count, Math.ceil((scrollTop + clientHeight) / this.#height) + 1);
    const shown = Math.max(0, last - first);
    while (this.#rows.length < shown) {
      const row = this.#make();
      this.#rows.push(row);
      this.#space.append(row);
    }
    this.#rows.forEach((row, i) => {
      row.hidden = i >= shown;
      if (row.hidden) return;
      row.style.transform = `translateY(${(first + i) * this.#height}px)`;
      row.dataset.index = `${first + i}`;
      this.#draw(first + i, row);
    });
  }
}

/**
 * {@linkcode LiveTable}: a table that follows what it shows.
 *
 * @module
 */

/** Rows that are shown; a mesh may be larger than a screen. */
const MAX_ROWS = 200;

/** One row. */
export interface Row {
  /** What tells it from the others; by default its cells. */
  key?: string;
  /** Text, whatever is in it. */
  cells: string[];
  /** What its button does, if it has one. */
  call?: () => void;
}

/** The body of a table, brought up to date without touching what stays: a button may be in use. */
export class LiveTable {
  readonly #body: HTMLTableSectionElement;
  #rows: Map<string, HTMLTableRowElement> = new Map();

  /** Constructs a new instance. What the body holds already goes when there is something to show. */
  constructor(body: HTMLTableSectionElement) {
    this.#body = body;
  }

  /** Shows these rows, in order, and no others. */
  show(rows: Row[]): void {
    const shown = new Map<string, HTMLTableRowElement>();
    for (const row of rows.slice(0, MAX_ROWS)) {
      const key = row.key ?? JSON.stringify(row.cells);
      const element = this.#rows.get(key) ?? newRow(row);
      row.cells.forEach((text, i) => setText(element.cells[i]!, text));
      shown.set(key, element);
    }
    if (rows.length > MAX_ROWS) {
      shown.set("", newRow({ cells: [`… and ${rows.length - MAX_ROWS} more`] }));
    }
    this.#rows = shown;
    const kept = new Set(shown.values());
    for (const element of [...this.#body.rows]) if (!kept.has(element)) element.remove();
    [...kept].forEach((element, i) => {
      const there = this.#body.rows[i] ?? null;
      if (there !== element) this.#body.insertBefore(element, there);
    });
    if (kept.size === 0) this.#body.replaceChildren(); // No space either: it is to be `:empty`.
  }
}

function newRow({ cells, call }: Row): HTMLTableRowElement {
  const row = document.createElement("tr");
  for (const text of cells) setText(row.insertCell(), text);
  if (call) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Call";
    button.addEventListener("click", call);
    row.insertCell().append(button);
  }
  return row;
}

/** Sets a text that is not there yet. */
function setText(cell: HTMLElement, text: string): void {
  if (cell.textContent !== text) cell.textContent = text;
}

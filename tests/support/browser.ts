/**
 * A real browser, driven over the DevTools protocol: pages are opened, asked, and looked at. Nothing
 * waits for time to pass: a page is asked again whenever it changes.
 *
 * `ALN_CHROMIUM` says where Chromium is; else it is looked for on the `PATH`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Program } from "./process.ts";
import { run, SKIP_NOTHING } from "./toolchain.ts";

/** How long a page may take for anything, in ms. */
const BOUND = 15_000;

/** A host name that is this machine, but that no browser trusts as it does `localhost`. */
export const UNTRUSTED_HOST = "mesh.test";

/** The browser's program; `skip` says why there is none, and how to change that. */
export const chromium: { path: string; skip: string | false } = await find();

async function find(): Promise<{ path: string; skip: string | false }> {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  for (const path of [Deno.env.get("ALN_CHROMIUM") ?? "", ...names]) {
    if (path && (await run(path, ["--version"])).code === 0) return { path, skip: false };
  }
  const skip = "install Chromium (apt-get install chromium), or set ALN_CHROMIUM to where it is";
  if (SKIP_NOTHING) throw new Error(`Cannot run the browser tests: ${skip}`);
  return { path: "", skip };
}

/** What the protocol sends: an answer to a command, or an event. */
interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A browser without a window, with a profile of its own. */
export class Browser implements AsyncDisposable {
  readonly #program: Program;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #answers: Map<number, PromiseWithResolvers<Record<string, unknown>>> = new Map();
  readonly #listeners: Map<string, (message: Message) => void> = new Map();
  #lastId: number = 0;

  private constructor(program: Program, profile: string, socket: WebSocket) {
    this.#program = program;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    socket.addEventListener("close", () => {
      for (const { reject } of this.#answers.values()) reject(new Error("The browser has gone"));
    });
  }

  /** Starts one. */
  static async start(): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "aln-chromium-" });
    const program = new Program(
      chromium.path,
      ...["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"],
      ...["--disable-background-timer-throttling", "--disable-renderer-backgrounding"],
      // It opens our own pages only, and root, as in most containers, cannot have a sandbox.
      ...["--no-sandbox", "--disable-dev-shm-usage", `--user-data-dir=${profile}`],
      `--host-resolver-rules=MAP ${UNTRUSTED_HOST} 127.0.0.1`,
    );
    const [, url] = await program.errorLine(/^DevTools listening on (ws:\S+)/);
    const socket = new WebSocket(url!);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return new Browser(program, profile, socket);
  }

  /** Opens a page, and waits until it has loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", {
      url: "about:blank",
      newWindow: true, // A tab behind others would be slowed down.
    });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(targetId));
    this.#listeners.set(String(sessionId), (message) => page.receive(message));
    await page.send("Page.enable");
    await page.send("Runtime.enable");
    await page.send("Log.enable");
    await page.navigate(url);
    return page;
  }

  /** Sends a command, and resolves to its answer. */
  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#answers.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return answer.promise;
  }

  /** Ends it, and removes its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.send("Browser.close").catch(() => {});
    await this.#program.ended().catch(() => {});
    await this.#program[Symbol.asyncDispose]();
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {}); // It is in /tmp.
  }

  #receive(message: Message): void {
    const { id, sessionId, result = {}, error } = message;
    const answer = this.#answers.get(id ?? 0);
    if (answer) {
      this.#answers.delete(id!);
      if (error) answer.reject(new Error(error.message));
      else answer.resolve(result);
    } else this.#listeners.get(sessionId ?? "")?.(message);
  }
}

/** A page in a window of its own. */
export class Page {
  /** What it has complained of: exceptions that nobody caught, and errors on its console. */
  readonly errors: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;
  readonly #target: string;
  #loaded: PromiseWithResolvers<void> = Promise.withResolvers();

  /** See {@linkcode Browser.open}. */
  constructor(browser: Browser, session: string, target: string) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  /** Goes somewhere, and waits until that has loaded. */
  async navigate(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers();
    const { errorText } = await this.send("Page.navigate", { url });
    assert.equal(errorText, undefined, `${url}: ${errorText}`);
    await this.#loaded.promise;
  }

  /** What an expression, or the promise that it is, comes to. */
  async evaluate<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as { result: { value: T }; exceptionDetails?: ExceptionDetails };
    if (exceptionDetails) throw new Error(`${expression}: ${textOf(exceptionDetails)}`);
    return result.value;
  }

  /** Resolves to what an expression comes to as soon as that is true; looks at each change. */
  until<T = unknown>(expression: string): Promise<T> {
    return this.evaluate<T>(`new Promise((resolve, reject) => {
      const look = () => {
        const value = (${expression});
        if (!value) return;
        observer.disconnect();
        clearTimeout(timer);
        resolve(value);
      };
      const observer = new MutationObserver(look);
      const changes = { subtree: true, childList: true, attributes: true, characterData: true };
      observer.observe(document, changes);
      const timer = setTimeout(() => {
        observer.disconnect();
        reject(new Error("it never came about. The page says: " + document.body.innerText));
      }, ${BOUND});
      look();
    })`);
  }

  /** Shows it on a screen so wide, below 600 pixels a phone's, to someone who may like it dark. */
  async look({ width, dark }: { width: number; dark: boolean }): Promise<void> {
    const screen = { width, height: 1_100, deviceScaleFactor: 1, mobile: width < 600 };
    await this.send("Emulation.setDeviceMetricsOverride", screen);
    const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** A picture of it, if `ALN_SHOTS` names a folder to put it in. */
  async shot(name: string): Promise<void> {
    const folder = Deno.env.get("ALN_SHOTS");
    if (!folder) return;
    await this.send("Page.bringToFront");
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    const bytes = Uint8Array.from(atob(String(data)), (char) => char.charCodeAt(0));
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(`${folder}/${name}.png`, bytes);
  }

  /** Closes it. */
  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.#target });
  }

  /** Sends a command. */
  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }

  /** Takes an event. */
  receive({ method, params }: Message): void {
    if (method === "Page.loadEventFired") this.#loaded.resolve();
    else if (method === "Runtime.exceptionThrown") {
      this.errors.push(textOf(params!.exceptionDetails as ExceptionDetails));
    } else if (method === "Log.entryAdded") {
      const { level, text, url = "" } = params!.entry as Record<string, string>;
      if (level === "error") this.errors.push(`${text} ${url}`);
    } else if (method === "Runtime.consoleAPICalled" && params!.type === "error") {
      this.errors.push(JSON.stringify(params!.args));
    }
  }
}

/** What a page has complained of, but for a server that it could not reach. */
export function complaints({ errors }: Page): string[] {
  return errors.filter((error) => !/^WebSocket connection to \S+ failed/.test(error));
}

interface ExceptionDetails {
  text: string;
  exception?: { description?: string };
}

function textOf({ text, exception }: ExceptionDetails): string {
  return exception?.description ?? text;
}

/**
 * A home on an MQTT broker, in each runtime: broker, hub and devices are separate processes.
 * `browser/backbone_test.ts` looks at the panel.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { haveBackbone, shown, startBackbone, startPanel } from "./support/backbone.ts";
import { type MosquittoEngine, startMosquitto } from "./support/engines.ts";
import { guest } from "./support/examples.ts";
import { openTool } from "./support/mqtt_tool.ts";
import type { Program } from "./support/process.ts";
import { type Runtime, runtimes } from "./support/process_runtimes.ts";
import { needing } from "./support/toolchain.ts";

const TIMEOUT = 90_000; // ms
const there = await haveBackbone("mosquitto");

/** A broker and a hub, and devices that join them. */
class Home implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #runtime: Runtime;
  readonly broker: MosquittoEngine;
  readonly hub: Program;
  readonly #page: string;

  private constructor(
    stack: AsyncDisposableStack,
    runtime: Runtime,
    broker: MosquittoEngine,
    { program, page }: { program: Program; page: string },
  ) {
    this.#stack = stack;
    this.#runtime = runtime;
    this.broker = broker;
    this.hub = program;
    this.#page = page;
  }

  static async start(runtime: Runtime): Promise<Home> {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await startMosquitto());
    const hub = await startPanel(runtime, broker.url);
    stack.use(hub.program);
    return new Home(stack.move(), runtime, broker, hub);
  }

  /** Starts a device, and waits until the hub knows of it. */
  async device(name: "sensor" | "light", room: string, ...args: string[]): Promise<Program> {
    const { lines } = this.hub;
    const file = `examples/backbone/panel/${name}.ts`;
    const all = [room, ...args, this.broker.url];
    const program = this.#stack.use(await startBackbone(file, this.#runtime, ...all));
    await this.hub.line(new RegExp(`^${room} is here$`), lines);
    return program;
  }

  /** A router of this process, linked to the hub. */
  async guest() {
    return this.#stack.use(await guest("guest", this.#page.replace("http", "ws")));
  }

  /** A program that knows MQTT, and nothing of a mesh. */
  async tool() {
    return this.#stack.use(await openTool(this.broker.url));
  }

  /** Ends a program by Ctrl-C, and checks that it ends in order; resolves to what it had printed. */
  async interrupt(program: Program): Promise<{ stdout: string; stderr: string }> {
    program.signal("SIGINT");
    const { code, signal, stdout, stderr } = await program.ended();
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    const plain = (text: string) => text.replaceAll(this.broker.url, "mqtt://127.0.0.1:1883");
    return { stdout: plain(stdout), stderr: plain(stderr) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

for (const runtime of runtimes) {
  const homeTest = (name: string, body: (home: Home) => Promise<void>) => {
    const [title, { skip }] = needing(there, name, TIMEOUT);
    test(title, { skip: skip || runtime.skip, timeout: TIMEOUT }, async () => {
      await using home = await Home.start(runtime);
      await body(home);
    });
  };

  describe(`examples/backbone/panel/ in ${runtime.label}`, () => {
    homeTest("a sensor that is killed is missed, and its last value kept", async (home) => {
      const kitchen = await home.device("sensor", "kitchen", "21.5");
      const router = await home.guest();
      await router.waitForService("temperature");
      const lost = router.stream("temperature", "watch", { idle: Infinity })
        [Symbol.asyncIterator]();
      assert.match((await lost.next()).value!.text(), /^2\d\.\d °C$/);
      kitchen.signal("SIGKILL");
      await assert.rejects(async () => {
        while (!(await lost.next()).done);
      }, { code: "ERR_NO_ROUTE" });
      await home.hub.line(/^kitchen is gone$/);

      const tool = await home.tool(); // It comes too late to have heard the kitchen.
      tool.listen("home/#");
      assert.match(await tool.heard("home/temperature/kitchen"), /^2\d\.\d °C$/);
      const kept = JSON.parse((await router.request("kept")).text());
      assert.deepEqual(kept.map((entry: string[]) => entry.slice(0, 2)), [[
        ...["temperature", "kitchen"],
      ]]);
      assert.match(kept[0][2], /^2\d\.\d °C$/);

      await tool.publish("home/temperature/kitchen", "", { retain: true }); // Forget it.
      while ((await router.request("kept")).text() !== "[]");
      await home.device("sensor", "kitchen", "40");
      await router.waitForService("temperature");
      assert.match((await router.request("temperature")).text(), /^(39|4\d)\.\d °C$/);
      const { stdout } = await home.interrupt(home.hub);
      assert.equal(
        stdout.replace(/:\d+\/$/m, ":8080/").replace(/^guest/m, "panel-1q3bz0k"),
        shown("The hub meanwhile:"),
      );
    });

    homeTest("what knows only MQTT sees a light, and switches it", async (home) => {
      const light = await home.device("light", "hall");
      const tool = await home.tool();
      tool.listen("home/#");
      assert.equal(await tool.heard("home/light/hall"), "off");
      await tool.publish("home/light/hall/set", "on");
      assert.equal(await tool.heard("home/light/hall", "on"), "on");
      const router = await home.guest();
      await router.waitForService("light");
      assert.equal((await router.request("light")).text(), "on");
      await tool.publish("home/light/hall/set", "purple");
      await light.errorLine(/ can be /);
      assert.equal((await router.request("light", "off")).text(), "off");
      assert.equal(await tool.heard("home/light/hall", "off"), "off");
      await assert.rejects(router.request("light", "purple"), { code: "ERR_CALL_HANDLER" });
      const { stdout, stderr } = await home.interrupt(light);
      assert.equal(stdout.replace("guest", "panel-1q3bz0k"), shown("What the light prints"));
      assert.equal(stderr, shown("And its complaint"));
    });

    homeTest("a broker that starts anew is told all again", async (home) => {
      const light = await home.device("light", "hall");
      const router = await home.guest();
      await router.waitForService("light");
      assert.equal((await router.request("light", "on")).text(), "on");
      const from = home.hub.lines;
      const gone = new Promise((resolve) => {
        router.addEventListener("service", ({ service, capacity }) => {
          if (service === "light" && capacity === 0) resolve(null);
        });
      });
      await home.broker.kill(); // It keeps nothing on disk.
      await gone;
      await assert.rejects(router.request("light", "off"), { code: "ERR_NO_SERVICE" });
      await home.broker.start();
      await home.hub.line(/^hall is here$/, from);
      await router.waitForService("light");
      assert.equal((await router.request("light")).text(), "on");
      const tool = await home.tool();
      tool.listen("home/#");
      assert.equal(await tool.heard("home/light/hall", "on"), "on");
      await home.interrupt(light);
      await home.hub.line(/^hall is gone$/, home.hub.lines - 1);
    });
  });
}

/**
 * The home example without its panel, in each runtime; `browser/home_test.ts` looks at the panel.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReplyStream } from "../mod.ts";
import { guest, startExample, startHub, TIMEOUT, upgradeStatus } from "./support/examples.ts";
import { freePort } from "./support/process.ts";
import { runtimes } from "./support/process_runtimes.ts";

const HUB = "examples/home/hub.ts";
const SENSOR = "examples/home/sensor.ts";
const LIGHT = "examples/home/light.ts";

/** What a stream says next. */
async function next(words: AsyncIterator<{ text(): string }>): Promise<string> {
  const { value } = await words.next();
  return value!.text();
}

const values = (stream: ReplyStream) => stream[Symbol.asyncIterator]();

for (const runtime of runtimes) {
  const { skip, label } = runtime;
  const network = { timeout: TIMEOUT, skip };

  describe(`examples/home/ in ${label}`, () => {
    test("a sensor says what it measures, and again when the hub comes back", network, async () => {
      const tcp = `${await freePort()}`;
      const url = `tcp+aln://127.0.0.1:${tcp}`;
      await using sensor = startExample(SENSOR, runtime, "garden", "-3", url);
      await sensor.errorLine(/^garden: /); // It is there before the hub.
      const hub = await startHub(HUB, runtime, { tcp });
      await using _ = hub.program;
      await hub.program.line(/^garden is here$/);
      await sensor.line(/^garden joined /);
      await using visitor = await guest("visitor", hub.tcp);
      assert.equal(await visitor.waitForService("temperature"), "garden");
      const before = values(visitor.stream("temperature", "watch"));
      const shown = await next(before);
      assert.match(shown, /^-\d\.\d °C$/);
      assert.notEqual(await next(before), shown);
      assert.match((await visitor.request("temperature")).text(), /^-\d\.\d °C$/);

      const { lines } = sensor;
      hub.program.signal("SIGKILL");
      const again = await startHub(HUB, runtime, { tcp });
      await using __ = again.program;
      await sensor.line(/^garden joined /, lines);
      await using other = await guest("other", again.tcp);
      await other.waitForService("temperature");
      assert.match(await next(values(other.stream("temperature", "watch"))), /^-\d\.\d °C$/);

      sensor.signal("SIGINT");
      assert.equal((await sensor.ended()).code, 0);
      await again.program.line(/^garden is gone$/);
      again.program.signal("SIGINT");
      const { code, stderr } = await again.program.ended();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    });

    test("a light is switched, tells who watches it, refuses nonsense", network, async () => {
      const hub = await startHub(HUB, runtime);
      await using _ = hub.program;
      await using light = startExample(LIGHT, runtime, "hall", hub.tcp);
      await using visitor = await guest("visitor", hub.tcp);
      await visitor.waitForService("light");
      const seen = values(visitor.stream("light", "watch"));
      assert.equal(await next(seen), "off");
      assert.equal((await visitor.request("light", "on")).text(), "on");
      assert.equal(await next(seen), "on");
      await light.line(/^hall is on, as visitor likes it$/);
      await assert.rejects(visitor.request("light", "purple"), {
        code: "ERR_CALL_HANDLER",
        message: /a light can be "on" or "off"/,
      });
      assert.equal((await visitor.request("light")).text(), "on");
      light.signal("SIGINT");
      await assert.rejects(next(seen));
      const { code, stderr } = await light.ended();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    });

    test("the hub serves its page, and lets no page from elsewhere in", network, async () => {
      const hub = await startHub(HUB, runtime);
      await using _ = hub.program;
      const get = async (path: string) => {
        const response = await fetch(new URL(path, hub.page));
        await response.body?.cancel();
        return [response.status, response.headers.get("content-type")];
      };
      assert.deepEqual(await get("/"), [200, "text/html; charset=utf-8"]);
      assert.deepEqual(await get("/style.css"), [200, "text/css; charset=utf-8"]);
      assert.deepEqual(await get("/app/panel.ts"), [200, "text/javascript; charset=utf-8"]);
      for (const path of ["/app/hub.ts", "/app/app.ts", "/panel.css", "/examples/home/hub.ts"]) {
        assert.equal((await get(path))[0], 404, path);
      }
      assert.equal(await upgradeStatus(hub.page, new URL(hub.page).origin), 101);
      for (const origin of ["http://evil.test", "null"]) {
        assert.equal(await upgradeStatus(hub.page, origin), 403, origin);
      }
    });
  });
}

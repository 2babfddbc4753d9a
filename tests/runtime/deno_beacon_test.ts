/**
 * Beacons under Deno where permissions are missing: what is thrown can be caught. Elsewhere this file
 * holds no tests.
 */

import assert from "node:assert/strict";
import { announce, discover } from "../../src/runtime/net.ts";
import { rejection } from "../support/routers.ts";

if ("Deno" in globalThis) {
  Deno.test({
    name: "announce() and discover() say which permission their sockets need",
    permissions: { net: false },
    async fn() {
      const needs = (host: string) =>
        new Deno.errors.NotCapable(
          `Cannot open socket: it needs the permission --allow-net=${host}`,
        );
      assert.deepEqual(await rejection(announce("tcp+aln://hub:1")), needs("0.0.0.0:0"));
      const search = discover({ hostname: "127.0.0.1", port: 18_082 });
      assert.deepEqual(await rejection(search.next()), needs("127.0.0.1:18082"));
    },
  });

  Deno.test({
    name:
      "announce() says that it needs the permission to know the interfaces, unless it is told them",
    permissions: { net: true, sys: false },
    async fn() {
      const error = await rejection(announce("tcp+aln://hub:1")) as Error;
      assert.equal(error.name, "NotCapable");
      assert.match(error.message, /networkInterfaces/);
      const beacon = await announce("tcp+aln://hub:1", { interfaces: () => [] });
      await beacon.close();
    },
  });
}

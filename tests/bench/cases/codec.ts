/**
 * The codec alone: a packet to a frame and back, beside one copy of its bytes.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import type { Filling } from "../process/payload.ts";
import { type Case, type Context, type Figures, sizeName } from "./case.ts";

/** Sizes that are measured by default, in bytes. */
const SIZES = [64, 1_024, 4_096, 16_384];

/** The case. */
export const codec: Case = {
  name: "codec",
  title: "The codec alone, ns of CPU per packet",
  control: "",
  columns: [
    { key: "encode", title: "encode and frame", more: false },
    { key: "decode", title: "unframe and decode", more: false },
    { key: "encodeJson", title: "encode JSON", more: false },
    { key: "decodeJson", title: "decode JSON", more: false },
    { key: "copy", title: "copy the frame", more: false },
  ],
  rows(context) {
    const row = (size: number, filling: Filling) => ({
      what: sizeName(size) + (filling === "random" ? ", random bytes" : ""),
      contenders: [{ system: "ours", run: () => run(context, size, filling) }],
    });
    const sizes = context.sizes ?? (context.quick ? [64] : SIZES);
    const rows = sizes.map((size) => row(size, "text"));
    if (!context.quick && context.sizes === null) rows.push(row(1_024, "random"));
    return rows;
  },
};

async function run({ runtime, warmUp }: Context, size: number, filling: Filling): Promise<Figures> {
  const child = Child.run(runtime, "codec.ts");
  try {
    return await child.ask<Figures>("measure", { size, filling, duration: warmUp / 4 });
  } finally {
    await child.end();
  }
}

/**
 * Route updates alone: a core with four neighbours that tell it of a thousand destinations, again and
 * again, and that chooses and tells the others.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import type { Case, Figures } from "./case.ts";

/** The case. */
export const routes: Case = {
  name: "routes",
  title: "Route updates alone",
  control: "",
  columns: [{ key: "record", title: "µs per record", more: false }],
  rows: ({ runtime }) => [{
    what: "1,000 destinations, 4 neighbours",
    contenders: [{
      system: "ours",
      async run() {
        const child = Child.run(runtime, "routes.ts");
        try {
          return await child.ask<Figures>("measure");
        } finally {
          await child.end();
        }
      },
    }],
  }],
};

/**
 * How many routers one segment bears, measured:
 *
 *     deno task scale [--only real|simulated] [--routers N] [--processes N]
 *
 * Without `--routers`: 32 to 10,000 in virtual time, and 200 with a real `nats-server`, in 20
 * processes. Everything is on this machine, and ends with this program.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { machine } from "../bench/report/machine.ts";
import { haveClients, haveEngines } from "../support/engines.ts";
import { type CrowdFigures, measureCrowd } from "./crowd.ts";
import { measureReal } from "./real.ts";
import { crowdTable, realTable, wholeTable } from "./report.ts";
import { measureWhole, type WholeFigures } from "./simulated.ts";

const USAGE = "usage: deno task scale [--only real|simulated] [--routers N] [--processes N]";

/** Up to so many routers are all real in virtual time: they know the square of that. */
const MOST_WHOLE = 1_000;
const MOST = 16_000;

/** Real routers among voices. */
const REAL = 20;

/** What the command line asks for. */
function choose() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        routers: { type: "string" },
        processes: { type: "string", default: "20" },
      },
    });
    const number = (name: string, value: string, most: number) => {
      const result = Number(value.replaceAll("_", ""));
      if (Number.isInteger(result) && result >= 1 && result <= most) return result;
      throw new Error(`--${name} is "${value}", not a number of 1 to ${most}`);
    };
    const { only } = values;
    if (only !== undefined && only !== "real" && only !== "simulated") {
      throw new Error(`--only is "${only}", neither "real" nor "simulated"`);
    }
    const routers = values.routers === undefined ? null : number("routers", values.routers, MOST);
    if (routers !== null && routers <= REAL) throw new Error(`--routers is not more than ${REAL}`);
    return { only, routers, processes: number("processes", values.processes, 400) };
  } catch (error) {
    console.error(`Cannot measure: ${(error as Error).message}`);
    console.error(USAGE);
    process.exit(2);
  }
}

const { only, routers, processes } = choose();
const tell = (line: string) => console.error(line);
console.log(`${machine()}\n`);

if (only !== "real") {
  const whole: WholeFigures[] = [];
  const crowds: CrowdFigures[] = [];
  for (const size of routers === null ? [32, 64, 200, 1_000] : [routers]) {
    if (size > MOST_WHOLE) continue;
    tell(`${size} routers in virtual time …`);
    whole.push(measureWhole(size));
  }
  for (const size of routers === null ? [200, 1_000, 10_000] : [routers]) {
    tell(`${REAL} routers among ${size - REAL} voices …`);
    crowds.push(measureCrowd(size, REAL));
  }
  if (whole.length > 0) {
    console.log(`### Whole segments, in virtual time\n\n${wholeTable(whole)}\n`);
  }
  console.log(`### One router among many, in virtual time\n\n${crowdTable(crowds)}\n`);
}

if (only !== "simulated") {
  const missing = [haveEngines("nats-server"), await haveClients()].find((have) => have !== true);
  if (missing !== undefined) {
    console.error(`Cannot measure with a server: ${missing}`);
    process.exit(1);
  }
  const count = routers ?? 200;
  tell(`${count} routers in ${processes} processes on one server …`);
  const figures = await measureReal(count, Math.min(processes, count), tell);
  console.log(`### Processes and a real server\n\n${realTable([figures])}\n`);
}

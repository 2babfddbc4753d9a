/** The single files for pages, as `deno task build` makes them: what they weigh, and that they run. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import config from "../../deno.json" with { type: "json" };
import { exercise } from "./exercise.mjs";
import { deno, temporaryFolder, TIMEOUT } from "./support.ts";

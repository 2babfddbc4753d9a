/**
 * Writes the npm package to a tarball:
 *
 *     deno task pack [-o FILE]
 *
 * It is what `deno pack` makes, but for one thing that `deno pack` cannot say: that the package has
 * a command, `aln`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { run } from "../support/toolchain.ts";

/** What npm is to link the command to. */
const BIN = { aln: "./src/cli/main.js" };

/** Tar files are made of blocks; these are in the first one of each entry, the header. */
const BLOCK = 512;
const NAME = { at: 0, length: 100 };
const SIZE = { at: 124, length: 12 };
const CHECKSUM = { at: 148, length: 8 };

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The tar file with another text in place of one file's. */
function replaceFile(tar: Uint8Array, name: string, change: (text: string) => string): Uint8Array {
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.slice(at, at + BLOCK);
    const field = (part: { at: number; length: number }) =>
      decoder.decode(header.subarray(part.at, part.at + part.length)).replace(/\0.*$/s, "");
    const size = parseInt(field(SIZE), 8) || 0;
    const end = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (field(NAME) === name) {
      const text = change(decoder.decode(tar.subarray(at + BLOCK, at + BLOCK + size)));
      const content = encoder.encode(text);
      const padding = new Uint8Array((BLOCK - content.length % BLOCK) % BLOCK);
      const octal = (value: number, digits: number) =>
        encoder.encode(value.toString(8).padStart(digits, "0"));
      header.set([...octal(content.length, 11), 0], SIZE.at);
      header.fill(0x20, CHECKSUM.at, CHECKSUM.at + CHECKSUM.length); // It counts as spaces.
      const sum = header.reduce((sum, byte) => sum + byte, 0);
      header.set([...octal(sum, 6), 0, 0x20], CHECKSUM.at);
      return Buffer.concat([tar.subarray(0, at), header, content, padding, tar.subarray(end)]);
    }
    at = end;
  }
  throw new Error(`Cannot pack: there is no ${name} in what deno pack has made`);
}

const { values } = parseArgs({
  options: { output: { type: "string", short: "o", default: "aln-mesh.tgz" } },
});
const root = new URL("../../", import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), "aln-"));
try {
  const plain = join(folder, "plain.tgz");
  const args = ["pack", "--no-source-maps", "--allow-dirty", "-o", plain];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd: root });
  assert.equal(code, 0, stderr);
  const tar = replaceFile(gunzipSync(await readFile(plain)), "package/package.json", (text) => {
    const manifest = { ...JSON.parse(text), bin: BIN };
    return `${JSON.stringify(manifest, null, 2)}\n`;
  });
  const path = resolve(process.cwd(), values.output);
  await writeFile(path, gzipSync(tar, { level: 9 }));
  console.log(`Written: ${path}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

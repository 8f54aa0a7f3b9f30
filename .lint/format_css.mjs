// Checks the format of CSS files: node .lint/format_css.mjs [--write] file.css ...
//
// malva, unlike Biome and Prettier, leaves a rule on one line if it fits there. In a style sheet of short rules, that is
// easier to read than one declaration a line.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createFromBuffer } from "@dprint/formatter";

const plugin = createRequire(import.meta.url).resolve("dprint-plugin-malva/plugin.wasm");
const formatter = createFromBuffer(readFileSync(plugin));
formatter.setConfig({ indentWidth: 2, lineWidth: 160 }, { singleLineBlockThreshold: 12 });

const paths = process.argv.slice(2).filter((argument) => argument !== "--write");
for (const path of paths) {
  const text = readFileSync(path, "utf8");
  const formatted = formatter.formatText({ filePath: path, fileText: text });
  if (formatted === text) continue;
  if (process.argv.includes("--write")) writeFileSync(path, formatted);
  else {
    console.error(`${path} is not formatted: run make format`);
    process.exitCode = 1;
  }
}

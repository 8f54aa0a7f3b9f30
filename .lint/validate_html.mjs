// Validates pages: each line of the input is a page, each line of the output what is wrong with it, both in JSON.
import { createInterface } from "node:readline";
import { HtmlValidate, StaticConfigLoader } from "html-validate";

// What the standard of HTML asks for. Its other presets are about style, and axe looks after accessibility.
const validator = new HtmlValidate(new StaticConfigLoader({ root: true, extends: ["html-validate:standard"] }));

for await (const page of createInterface({ input: process.stdin })) {
  const { results } = await validator.validateString(JSON.parse(page));
  const messages = results.flatMap((result) => result.messages);
  console.log(
    JSON.stringify(messages.map((found) => `${found.line}:${found.column} ${found.ruleId}: ${found.message}`)),
  );
}

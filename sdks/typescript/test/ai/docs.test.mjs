// The pages about the Vercel AI SDK are true: their programs run, and the quickstart ends as it says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { generateText, stepCountIs } from "ai";
import { IdentityOS } from "@identity-os/sdk";
import { guarded } from "@identity-os/sdk/ai";
import { newGuard, Script } from "../script.mjs";
import { realServer, ROOT } from "../server.mjs";
import { FAILING, STORIES } from "../story.mjs";
import { asked, makeTool, mockModel, prompts, received } from "./fakes.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const page = (name) => readFileSync(join(ROOT, "docs", name), "utf8");
const blocks = (text, language) =>
  Array.from(text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm")), (match) => match[1]);

let server, env;
before(async () => {
  server = await realServer();
  env = { ...process.env, IDENTITY_OS_API_KEY: server.keys.enterprise, IDENTITY_OS_BASE_URL: server.url };
});
after(() => server.stop());

test("the programs of ai-sdk.md run, and the second differs from the first by the lines that are marked", () => {
  const folder = mkdtempSync(join(HERE, "page-"));
  try {
    const fakes = JSON.stringify(join(HERE, "fakes.mjs"));
    const calls = "Array.from({ length: 7 }, (_, i) => [[`call-${i}`, 'refund', { order: 'A-7' }]])";
    const model = `import { mockModel } from ${fakes};\nexport const model = mockModel(${calls}.slice(0, 1), "A-7 is paid back.");\n`;
    writeFileSync(join(folder, "model.mjs"), `${model}export const persistent = mockModel(${calls}, "A-7 is paid back.");\n`);
    const programs = blocks(page("integrations/ai-sdk.md"), "js");
    const printed = programs.map((program, number) => {
      writeFileSync(join(folder, `program-${number}.mjs`), program);
      const done = spawnSync(process.execPath, [join(folder, `program-${number}.mjs`)], { env, encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
      return done.stdout.trim().split("\n");
    });
    assert.deepEqual(printed.slice(0, 2), [["A-7 is paid back."], ["A-7 is paid back."]]);
    assert.match(printed[2][0], /^May the agent call refund { order: 'A-7' }/);
    assert.equal(printed[2].at(-1), "A-7 is paid back.");
    assert.equal(printed.length, 3);
    // Without the imports and the marked lines, both programs are the same call.
    const plain = (program) =>
      program.split("\n").filter((line) => line && !/^import .*identity-os|\/\/ \+$|^const \{ text \}|^\}\);$/.test(line));
    assert.deepEqual(plain(programs[1]), plain(programs[0]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the quickstart, followed to the letter in a fresh folder, ends with a denial and its reason", () => {
  const text = page("quickstarts/vercel-ai.md");
  const [start, install, run] = blocks(text, "console");
  const [program] = blocks(text, "js");
  const [expected] = blocks(text, "text");
  assert.equal(start, "$ make run\n");
  const folder = mkdtempSync(join(tmpdir(), "quickstart-"));
  try {
    const agent = join(folder, "my-agent");
    // The server of this test has another port and another folder for its keys. All else is as on the page.
    const typed = (commands) => {
      const lines = commands.split("\n").filter(Boolean);
      assert.ok(
        lines.every((line) => line.startsWith("$ ")),
        commands,
      );
      return lines
        .map((line) => line.slice(2))
        .join("\n")
        .replaceAll("~/my-agent", agent)
        .replace("http://localhost:8000", server.url)
        .replace(".local/keys.json", server.keysFile);
    };
    const script = `set -e\n${typed(install)}\ncat > agent.mjs <<'EOF'\n${program}EOF\n`;
    const { IDENTITY_OS_ROOT: _, ...plain } = process.env;
    const installed = spawnSync("bash", ["-c", script], { cwd: ROOT, env: plain, encoding: "utf8" });
    assert.equal(installed.status, 0, installed.stderr);
    const done = spawnSync("bash", ["-c", typed(run)], { cwd: agent, env, encoding: "utf8" });
    assert.equal(done.stdout, expected, done.stderr);
    const again = spawnSync("bash", ["-c", typed(run)], { cwd: agent, env, encoding: "utf8" });
    assert.match(again.stdout, /^refund is not allowed now: execute is not allowed while stress is HIGH/);
    assert.ok(text.split("\n").length < 85, "one screen");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the table of integrations says what the adapter can do", async () => {
  const client = new IdentityOS({ apiKey: server.keys.enterprise, baseUrl: server.url });
  const pausing = STORIES.find((story) => story.decisions);
  const play = async (story) => {
    const [guard, script] = [await newGuard(client, story), new Script(story)];
    const model = mockModel(script.calls.map(({ tool, args }, number) => [[`call_${number}`, tool, args]]));
    const tools = Object.fromEntries(script.tools.map((tool) => [tool, makeTool(async (args) => script.run(tool, args))]));
    const messages = [{ role: "user", content: "Go." }];
    for (;;) {
      const result = await generateText({ ...guarded(guard, { model, tools, stopWhen: stepCountIs(40) }), messages });
      messages.push(...(result.responseMessages ?? result.response.messages));
      const requests = asked(result.content);
      if (!requests.length) return { guard, script, model, texts: [...received(model).values()] };
      const answer = ({ approvalId }) => ({
        type: "tool-approval-response",
        approvalId,
        approved: script.decisions.shift() === "approve",
      });
      messages.push({ role: "tool", content: requests.map(answer) });
    }
  };
  const [failed, paused] = [await play(FAILING), await play(pausing)];
  const can = [
    failed.guard.engine.reports.length > 0,
    failed.texts[3].includes("execute is not allowed while stress is HIGH"),
    prompts(failed.model).at(-1)[0].content.includes("Tools that are held now: pay"),
    paused.script.ran.length === 4 && paused.texts.at(-1).includes("was refused by a person"),
  ];
  assert.ok(
    page("integrations.md").includes(`| \`@identity-os/sdk/ai\` | ${can.map((each) => (each ? "yes" : "no")).join(" | ")} |`),
    String(can),
  );
});

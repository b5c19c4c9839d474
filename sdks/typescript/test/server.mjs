// Fixtures: a local server of this checkout, and a faulty server that follows a script.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as listen } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = process.env.IDENTITY_OS_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), "../../..");

const freePort = () =>
  new Promise((resolve) => {
    const probe = listen().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** A `make run` server on a free port: its address, its keys and their file, and a function to stop it. */
export async function realServer() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "identity-os-"));
  // A second engine, for upgrades.
  const engines = { IDENTITY_OS_ENGINE_RELEASES: join(ROOT, "tests/engines") };
  const env = { ...process.env, ...engines, PORT: String(port), IDENTITY_OS_LOCAL: folder, DYNAMODB: "embedded" };
  const child = spawn(join(ROOT, ".venv/bin/python"), ["-m", "local"], { cwd: ROOT, env, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 600; i++) {
    const up = await fetch(`${url}/v1/health`).then((response) => response.ok, () => false);
    if (up) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const keysFile = join(folder, "keys.json");
  return { url, keysFile, keys: JSON.parse(readFileSync(keysFile, "utf8")), stop: () => child.kill("SIGKILL") };
}

/** Answers what `script` says, one entry a request, and keeps what it was sent in `seen`. */
export async function scriptedServer(script) {
  const seen = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const { method, headers } = request;
      seen.push({ at: performance.now(), method, key: headers["idempotency-key"], body: Buffer.concat(parts).toString() });
      const what = script.shift();
      if (what === "reset") return request.socket.destroy();
      if (what === "slow") return setTimeout(() => request.socket.destroy(), 1500).unref();
      const [status, extra, body] = what === "half" ? [200, {}, '{"data": {"snapshot": {"id":'] : what;
      const length = Buffer.byteLength(body) + (what === "half" ? 1000 : 0);
      response.writeHead(status, { ...extra, "Content-Type": "application/json", "Content-Length": length, Connection: "close" });
      response.write(body);
      if (what === "half") setTimeout(() => request.socket.destroy(), 20);
      else response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, seen, stop };
}

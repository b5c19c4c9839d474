// Events at the receiver, against the published library and a running server.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { ConfigurationError, IdentityOS, SignatureError, verifyWebhook } from "@identity-os/sdk";
import { Webhook } from "standardwebhooks";
import { realServer } from "./server.mjs";

const SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
const BODY = JSON.stringify({ id: "evt_1", type: "agent.paused", data: { reason: "ü" } });

function signed({ body = BODY, secrets = [SECRET], at = Math.floor(Date.now() / 1000) } = {}) {
  const signatures = secrets.map((secret) => new Webhook(secret).sign("msg_1", new Date(at * 1000), body));
  return { "Webhook-Id": "msg_1", "Webhook-Timestamp": String(at), "Webhook-Signature": signatures.join(" ") };
}

test("what the published library signs is verified, from headers of Node and of fetch", async () => {
  const event = JSON.parse(BODY);
  assert.deepEqual(await verifyWebhook(BODY, signed(), SECRET), event);
  assert.deepEqual(await verifyWebhook(new TextEncoder().encode(BODY), new Headers(signed()), SECRET), event);
  assert.deepEqual(await verifyWebhook(BODY, signed({ secrets: [OTHER, SECRET] }), SECRET), event);
  assert.deepEqual(await verifyWebhook(BODY, signed(), [OTHER, SECRET]), event);
});

test("anything else is refused", async () => {
  const now = Math.floor(Date.now() / 1000);
  const wrong = [
    [`${BODY} `, signed(), SECRET],
    [BODY, signed(), OTHER],
    [BODY, signed({ at: now - 3600 }), SECRET],
    [BODY, signed({ at: now + 3600 }), SECRET],
    [BODY, { ...signed(), "Webhook-Id": "msg_2" }, SECRET],
    [BODY, { ...signed(), "Webhook-Timestamp": "soon" }, SECRET],
    [BODY, { ...signed(), "Webhook-Signature": "v1," }, SECRET],
    [BODY, { ...signed(), "Webhook-Signature": "v1,!!!" }, SECRET],
    [BODY, { ...signed(), "Webhook-Signature": signed()["Webhook-Signature"].replace("v1,", "v2,") }, SECRET],
    [BODY, {}, SECRET],
  ];
  for (const [body, headers, secret] of wrong) await assert.rejects(verifyWebhook(body, headers, secret), SignatureError);
  for (const secret of ["", "whsec_", "whsec_!!"]) await assert.rejects(verifyWebhook(BODY, signed(), secret), ConfigurationError);
});

test("the client manages webhooks, and a receiver verifies what comes", async () => {
  const api = await realServer();
  const got = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      got.push([Buffer.concat(parts).toString(), request.headers]);
      response.writeHead(204).end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const client = new IdentityOS({ apiKey: api.keys.enterprise, baseUrl: api.url });
    const made = await client.webhooks.create({ url: `http://localhost:${server.address().port}/`, types: ["agent.paused"] });
    assert.deepEqual((await client.webhooks.list()).data.map((hook) => hook.id), [made.id]);
    assert.equal((await client.webhooks.get(made.id)).enabled, true);
    await client.webhooks.test(made.id);
    const one = await client.instances.create({ name: "Aria" });
    await client.engine.processBatch(one.id, Array(30).fill({ modeTarget: "STRESS_RESPONSE", signalStrength: 0.9 }));
    await until(() => got.length === 2);
    for (const [body, headers] of got) {
      assert.deepEqual(await verifyWebhook(body, headers, made.secret), new Webhook(made.secret).verify(body, headers));
    }
    assert.deepEqual(got.map(([body]) => JSON.parse(body).type).sort(), ["agent.paused", "webhook.test"]);
    const sent = await client.webhooks.deliveries(made.id, { limit: 10 });
    assert.equal(sent.data[0].responseStatus, 204);
    await client.webhooks.redeliver(made.id, sent.data[0].id);
    await until(() => got.length === 3);
    assert.notEqual((await client.webhooks.rotate(made.id)).secret, made.secret);
    assert.equal((await client.webhooks.update(made.id, { types: [], enabled: false })).enabled, false);
    assert.equal((await client.webhooks.delete(made.id)).deleted, true);
  } finally {
    server.close();
    api.stop();
  }
});

async function until(holds) {
  for (let i = 0; i < 300; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail("it did not happen");
}

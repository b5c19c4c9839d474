/** Who is told of events, and `verifyWebhook` for the receiver. */

import type { IdentityOS, PageOptions, WriteOptions } from "./client.js";
import { ConfigurationError, SignatureError } from "./errors.js";
import type { Deleted, Delivery, Page, Queued, Webhook, WebhookEvent, WebhookWithSecret } from "./models.js";
import { data, page } from "./reads.js";

const at = (webhookId: string, path = ""): string => `/webhooks/${encodeURIComponent(webhookId)}${path}`;

/** Seconds that a delivery's time may be away from now: a recorded one is not taken again later. */
const TOLERANCE = 300;

/** Create, list, get, update, delete webhooks; rotate their secrets, test them, see what was delivered. Needs a key of scope operator. */
export class Webhooks {
  readonly #client: IdentityOS;

  constructor(client: IdentityOS) {
    this.#client = client;
  }

  /** Make a webhook for events of these types, by default of all. Save its secret: it is shown once. */
  create(
    webhook: { url: string; types?: string[]; description?: string },
    { idempotencyKey }: WriteOptions = {},
  ): Promise<WebhookWithSecret> {
    const read = data<WebhookWithSecret>("id", "secret");
    return this.#client.send({ method: "POST", path: "/webhooks", body: webhook, idempotencyKey, read });
  }

  /** The account's webhooks, oldest first. An account has ten at most. */
  list(): Promise<Page<Webhook>> {
    return this.#client.send({ method: "GET", path: "/webhooks", query: { limit: 100 }, read: page<Webhook> });
  }

  /** One webhook. */
  get(webhookId: string): Promise<Webhook> {
    return this.#client.send({ method: "GET", path: at(webhookId), read: data<Webhook>("id", "url") });
  }

  /** Change it, or switch it off or on. `types: []`: all. */
  update(webhookId: string, change: { url?: string; types?: string[]; description?: string; enabled?: boolean }): Promise<Webhook> {
    return this.#client.send({ method: "PATCH", path: at(webhookId), body: change, read: data<Webhook>("id", "url") });
  }

  /** Delete it. What is under way to it is not sent. */
  delete(webhookId: string): Promise<Deleted> {
    return this.#client.send({ method: "DELETE", path: at(webhookId), read: data<Deleted>("id", "deleted") });
  }

  /** Give it a new secret. For a day both sign. */
  rotate(webhookId: string): Promise<WebhookWithSecret> {
    const read = data<WebhookWithSecret>("id", "secret");
    return this.#client.send({ method: "POST", path: at(webhookId, "/rotate"), body: {}, read });
  }

  /** Send `webhook.test` at once. */
  test(webhookId: string): Promise<Queued> {
    return this.#client.send({ method: "POST", path: at(webhookId, "/test"), body: {}, read: data<Queued>("id") });
  }

  /** One page of the last 100 deliveries, newest first. */
  deliveries(webhookId: string, query: PageOptions = {}): Promise<Page<Delivery>> {
    return this.#client.send({ method: "GET", path: at(webhookId, "/deliveries"), query: { ...query }, read: page<Delivery> });
  }

  /** Send one of the last deliveries again, with the same id. */
  redeliver(webhookId: string, deliveryId: string): Promise<Queued> {
    const path = at(webhookId, `/deliveries/${encodeURIComponent(deliveryId)}/redeliver`);
    return this.#client.send({ method: "POST", path, body: {}, read: data<Queued>("id") });
  }
}

type HeaderBag = { get(name: string): string | null } | { [name: string]: string | string[] | undefined };

/**
 * The event of a delivery. SignatureError when it is not from Identity OS, changed or old.
 *
 * `body`: as received, not parsed. `headers`: of Node or of fetch. `secret`: whsec_..., or several while one is rotated. Remember the header
 * webhook-id: the same event may come twice. Signatures are Standard Webhooks.
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: HeaderBag,
  secret: string | readonly string[],
  { tolerance = TOLERANCE }: { tolerance?: number } = {},
): Promise<WebhookEvent> {
  const [id, stamp, signatures] = ["id", "timestamp", "signature"].map((name) => header(headers, `webhook-${name}`));
  if (!id || !stamp || !signatures || !/^\d+$/.test(stamp)) {
    throw new SignatureError("no headers webhook-id, webhook-timestamp and webhook-signature");
  }
  if (Math.abs(Date.now() / 1000 - Number(stamp)) > tolerance) {
    throw new SignatureError(`sent more than ${tolerance} seconds ago, or in the future`);
  }
  const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const prefix = new TextEncoder().encode(`${id}.${stamp}.`);
  const signed = new Uint8Array(prefix.length + content.length);
  signed.set(prefix);
  signed.set(content, prefix.length);
  const given = signatures.split(" ").filter((each) => each.startsWith("v1,")).map((each) => decoded(each.slice(3)));
  let found = false;
  for (const each of typeof secret === "string" ? [secret] : secret) {
    const key = decoded(each.replace(/^whsec_/, ""));
    if (!key?.length) throw new ConfigurationError("the secret is not whsec_ and base64");
    const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    // Web Crypto compares in constant time.
    for (const signature of given) if (signature && (await crypto.subtle.verify("HMAC", hmac, signature, signed))) found = true;
  }
  if (!found) throw new SignatureError("the signature is not of this secret");
  return JSON.parse(new TextDecoder().decode(content)) as WebhookEvent;
}

function header(headers: HeaderBag, name: string): string | undefined {
  if (typeof headers.get === "function") return (headers as { get(name: string): string | null }).get(name) ?? undefined;
  const found = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return typeof found === "string" ? found : undefined;
}

function decoded(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

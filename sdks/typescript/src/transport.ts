/** Sends a call: retries, waits, errors. */

import { apiError, ConfigurationError, ConnectionFailedError, IdentityOSError, MalformedAnswerError, TimeoutFailedError } from "./errors.js";
import { camel, type KeyScope } from "./models.js";

/** The plan's limits and remaining amounts. `reset`: end of the current minute in epoch seconds. */
export interface RateLimit {
  limit: number | undefined;
  remaining: number | undefined;
  reset: number | undefined;
  monthlyLimit: number | undefined;
  monthlyRemaining: number | undefined;
}

/**
 * Metadata of a client's last response. `retries`: number of retries; `replayed`: a stored response was returned; `auditDigest`: of
 * the audit record that the request left, null if it left none.
 */
export interface LastResponse {
  status: number;
  requestId: string | null;
  rateLimit: RateLimit;
  retries: number;
  replayed: boolean;
  keyScope: KeyScope | null;
  auditDigest: string | null;
}

/** A digest that the API answered, under the names that `identity-os verify --anchors` reads. */
export interface Anchor {
  instance_id: string;
  digest: string;
  request_id: string | null;
  at: string;
}

/** Options of a client. Times in seconds. */
export interface ClientOptions {
  /** Default: the environment variable IDENTITY_OS_API_KEY. */
  apiKey?: string;
  /** With or without /v1. Default: IDENTITY_OS_BASE_URL, then https://api.identity-os.dev. */
  baseUrl?: string;
  /** Timeout of one attempt; 30. */
  timeout?: number;
  /** Most retries of a request; 4. */
  maxRetries?: number;
  /** A longer wait throws the error instead; 60. */
  longestWait?: number;
  /** Replaces the global fetch. */
  fetch?: typeof fetch;
  /** Called for every response with method, path, status and request id; never a key, a header or a body. */
  log?: (line: string) => void;
  /** Called for every audit record that a request left. Append each, as a line of JSON, to a file that no operator can rewrite. */
  auditLog?: (anchor: Anchor) => void;
}

/** One request. `read` converts the response, in camelCase, to the result. */
export interface Call<T> {
  method: string;
  path: string;
  body?: unknown;
  query?: { [name: string]: string | number | boolean | undefined };
  /** Of a POST; made anew for each call when there is none. */
  idempotencyKey?: string | undefined;
  read: (answer: any) => T;
}

type Settings = Required<ClientOptions>;

const RETRIED = new Set([409, 429, 500, 502, 503, 504]);

/** The options with defaults filled in. */
export function settings(given: ClientOptions): Settings {
  const environment = (globalThis as { process?: { env?: { [name: string]: string | undefined } } }).process?.env ?? {};
  // A key that was read from a file ends with the file's line break.
  const apiKey = (given.apiKey || environment.IDENTITY_OS_API_KEY)?.trim();
  if (!apiKey) throw new ConfigurationError("no API key: give apiKey, or set IDENTITY_OS_API_KEY");
  if (!/^[!-~]+$/.test(apiKey)) throw new ConfigurationError("the API key has a character that no key has: copy it again");
  const url = (given.baseUrl || environment.IDENTITY_OS_BASE_URL || "https://api.identity-os.dev").replace(/\/+$/, "");
  if (!/^https?:\/\//.test(url)) throw new ConfigurationError(`baseUrl ${url}: must start with https://`);
  return {
    apiKey,
    baseUrl: url.endsWith("/v1") ? url : `${url}/v1`,
    timeout: given.timeout ?? 30,
    maxRetries: given.maxRetries ?? 4,
    longestWait: given.longestWait ?? 60,
    fetch: given.fetch ?? ((input, init) => fetch(input, init)),
    log: given.log ?? (() => {}),
    auditLog: given.auditLog ?? (() => {}),
  };
}

/** Send a call with retries. All attempts of a POST have the same Idempotency-Key. */
export async function send<T>(call: Call<T>, options: Settings, onResponse: (about: LastResponse) => void): Promise<T> {
  const headers: { [name: string]: string } = { Authorization: `Bearer ${options.apiKey}`, Accept: "application/json" };
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (call.method === "POST") headers["Idempotency-Key"] = call.idempotencyKey ?? crypto.randomUUID();
  const asked = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
  const query = asked.length ? `?${new URLSearchParams(asked.map(([name, value]) => [name, String(value)]))}` : "";
  const what = `${call.method} ${call.path}`;
  let hadNoResponse = false;
  for (let retries = 0; ; retries++) {
    const last = retries === options.maxRetries;
    const answer = await exchange(options, options.baseUrl + call.path + query, { method: call.method, headers, body });
    if (answer instanceof IdentityOSError) {
      options.log(`${what}: ${answer.name}, sent ${retries + 1} times`);
      hadNoResponse = true;
      if (last) throw answer;
      await wait(backoff(retries));
      continue;
    }
    const { response, text } = answer;
    const about = aboutOf(response, retries);
    onResponse(about);
    options.log(`${what}: ${about.status}, request ${about.requestId}, sent ${retries + 1} times`);
    const document = parsed(text);
    if (response.ok && document) {
      let result: T;
      try {
        result = call.read(camel(document));
      } catch (error) {
        throw new MalformedAnswerError(`${what}: not the shape of this API`, { cause: error });
      }
      if (about.auditDigest) keepAnchor(call.path, result, about, options);
      return result;
    }
    if (response.status === 404 && call.method === "DELETE" && hadNoResponse) {
      // An earlier attempt without a response deleted it.
      return call.read({ data: { id: call.path.slice(call.path.lastIndexOf("/") + 1), deleted: true } });
    }
    if (!document || !("error" in document)) {
      if (last || !(RETRIED.has(response.status) || response.ok)) {
        throw new MalformedAnswerError(`${what}: ${response.status} without this API's JSON`);
      }
      hadNoResponse = true;
      await wait(backoff(retries));
      continue;
    }
    const after = retryAfter(response);
    const seconds = after === undefined ? backoff(retries) : after + Math.random() * 0.1;
    if (last || !RETRIED.has(response.status) || seconds > options.longestWait) {
      throw apiError(response.status, document, about.requestId);
    }
    hadNoResponse ||= response.status >= 500;
    await wait(seconds);
  }
}

/** Hand a digest to the caller's audit log. One that fails is logged: the request took effect. */
function keepAnchor(path: string, result: unknown, { auditDigest, requestId }: LastResponse, { auditLog, log }: Settings): void {
  const { instanceId, id } = result as { instanceId?: string; id?: string };
  const [, first, known] = path.split("/");
  const instance_id = decodeURIComponent((first === "instances" && known) || instanceId || id || "");
  try {
    auditLog({ instance_id, digest: auditDigest!, request_id: requestId, at: new Date().toISOString() });
  } catch (error) {
    log(`the digest ${auditDigest} of ${instance_id} was not kept: ${String(error)}`);
  }
}

async function exchange(
  options: Settings,
  url: string,
  init: { method: string; headers: { [name: string]: string }; body: string | undefined },
): Promise<{ response: Response; text: string } | ConnectionFailedError> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), options.timeout * 1000);
  try {
    const response = await options.fetch(url, { ...init, signal: stop.signal });
    return { response, text: await response.text() };
  } catch (error) {
    const kind = stop.signal.aborted ? TimeoutFailedError : ConnectionFailedError;
    return new kind(`${init.method} ${url}: no answer`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** 0.5 s, doubled with each retry, 8 s at most; with jitter between half of it and all of it. */
function backoff(retries: number): number {
  return (0.5 + Math.random() / 2) * Math.min(0.5 * 2 ** retries, 8);
}

function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

function retryAfter(response: Response): number | undefined {
  const text = response.headers.get("Retry-After");
  const seconds = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function parsed(text: string): { [name: string]: unknown } | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null && !Array.isArray(document)
      ? (document as { [name: string]: unknown })
      : undefined;
  } catch {
    return undefined;
  }
}

function aboutOf(response: Response, retries: number): LastResponse {
  const number = (name: string): number | undefined => {
    const text = response.headers.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  return {
    status: response.status,
    requestId: response.headers.get("X-Request-Id"),
    rateLimit: {
      limit: number("X-RateLimit-Limit"),
      remaining: number("X-RateLimit-Remaining"),
      reset: number("X-RateLimit-Reset"),
      monthlyLimit: number("X-Monthly-Limit"),
      monthlyRemaining: number("X-Monthly-Remaining"),
    },
    retries,
    replayed: response.headers.get("Idempotent-Replayed") === "true",
    keyScope: response.headers.get("X-Key-Scope") as KeyScope | null,
    auditDigest: response.headers.get("X-Audit-Digest"),
  };
}

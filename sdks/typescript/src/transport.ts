/** How a call is sent until it is answered: retries, waits, errors. */

import { apiError, ConfigurationError, ConnectionFailedError, IdentityOSError, MalformedAnswerError, TimeoutFailedError } from "./errors.js";
import { camel } from "./models.js";

/** What the plan allows and what is left. `reset`: epoch seconds at which the minute's requests begin anew. */
export interface RateLimit {
  limit: number | undefined;
  remaining: number | undefined;
  reset: number | undefined;
  monthlyLimit: number | undefined;
  monthlyRemaining: number | undefined;
}

/** About the last answer of a client. `retries`: how often it was sent again; `replayed`: it had been done before. */
export interface LastResponse {
  status: number;
  requestId: string | null;
  rateLimit: RateLimit;
  retries: number;
  replayed: boolean;
}

/** How a client behaves. Times in seconds. */
export interface ClientOptions {
  /** Default: IDENTITY_OS_API_KEY, where there is an environment. */
  apiKey?: string;
  /** With or without /v1. Default: IDENTITY_OS_BASE_URL, then https://api.identity-os.dev. */
  baseUrl?: string;
  /** For one sending; 30. */
  timeout?: number;
  /** How often a request is sent again at the most; 4. */
  maxRetries?: number;
  /** A wait longer than this throws instead; 60. */
  longestWait?: number;
  /** In place of the global fetch. */
  fetch?: typeof fetch;
  /** Told of every answer: method, path, status, request id, never a key, a header or a body. */
  log?: (line: string) => void;
}

/** One request. `read` makes the result of the answer, which is in camelCase. */
export interface Call<T> {
  method: string;
  path: string;
  body?: unknown;
  query?: { [name: string]: string | number | boolean | undefined };
  read: (answer: any) => T;
}

type Settings = Required<Omit<ClientOptions, "log">> & { log: (line: string) => void };

const RETRIED = new Set([409, 429, 500, 502, 503, 504]);

/** The options, completed. */
export function settings(given: ClientOptions): Settings {
  const environment = (globalThis as { process?: { env?: { [name: string]: string | undefined } } }).process?.env ?? {};
  const apiKey = given.apiKey || environment.IDENTITY_OS_API_KEY;
  if (!apiKey) throw new ConfigurationError("no API key: give apiKey, or set IDENTITY_OS_API_KEY");
  const url = (given.baseUrl || environment.IDENTITY_OS_BASE_URL || "https://api.identity-os.dev").replace(/\/+$/, "");
  if (!/^https?:\/\//.test(url)) throw new ConfigurationError(`baseUrl ${url}: begin with https://`);
  return {
    apiKey,
    baseUrl: url.endsWith("/v1") ? url : `${url}/v1`,
    timeout: given.timeout ?? 30,
    maxRetries: given.maxRetries ?? 4,
    longestWait: given.longestWait ?? 60,
    fetch: given.fetch ?? ((input, init) => fetch(input, init)),
    log: given.log ?? (() => {}),
  };
}

/** Send a call until it is answered. A POST has one Idempotency-Key over all its sendings. */
export async function send<T>(call: Call<T>, options: Settings, heard: (about: LastResponse) => void): Promise<T> {
  const headers: { [name: string]: string } = { Authorization: `Bearer ${options.apiKey}`, Accept: "application/json" };
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (call.method === "POST") headers["Idempotency-Key"] = crypto.randomUUID();
  const asked = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
  const query = asked.length ? `?${new URLSearchParams(asked.map(([name, value]) => [name, String(value)]))}` : "";
  const what = `${call.method} ${call.path}`;
  let unanswered = false;
  for (let retries = 0; ; retries++) {
    const last = retries === options.maxRetries;
    const answer = await exchange(options, options.baseUrl + call.path + query, { method: call.method, headers, body });
    if (answer instanceof IdentityOSError) {
      options.log(`${what}: ${answer.name}, sent ${retries + 1} times`);
      unanswered = true;
      if (last) throw answer;
      await wait(backoff(retries));
      continue;
    }
    const { response, text } = answer;
    const about = aboutOf(response, retries);
    heard(about);
    options.log(`${what}: ${about.status}, request ${about.requestId}, sent ${retries + 1} times`);
    const document = parsed(text);
    if (response.ok && document) {
      try {
        return call.read(camel(document));
      } catch (error) {
        throw new MalformedAnswerError(`${what}: not the shape of this API`, { cause: error });
      }
    }
    if (response.status === 404 && call.method === "DELETE" && unanswered) {
      // It was there when it was sent first: the sending that got no answer did it.
      return call.read({ data: { id: call.path.slice(call.path.lastIndexOf("/") + 1), deleted: true } });
    }
    if (!document || !("error" in document)) {
      if (last || !(RETRIED.has(response.status) || response.ok)) {
        throw new MalformedAnswerError(`${what}: ${response.status} without this API's JSON`);
      }
      unanswered = true;
      await wait(backoff(retries));
      continue;
    }
    const after = retryAfter(response);
    const seconds = after === undefined ? backoff(retries) : after + Math.random() * 0.1;
    if (last || !RETRIED.has(response.status) || seconds > options.longestWait) {
      throw apiError(response.status, document, about.requestId);
    }
    unanswered ||= response.status >= 500;
    await wait(seconds);
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

/** Half a second, doubled with each retry, 8 s at the most; anything between half of it and all of it. */
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
  };
}

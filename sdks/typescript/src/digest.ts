/** Values as text, and digests that stand for them. Web Crypto alone, which Node and secure pages have. */

/** SHA-256 as 64 hex digits. */
export async function sha256(content: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sixteen hex digits that stand for a value; equal values have equal ones, whatever the order of their fields.
 *
 * For plain JSON they are the Python SDK's, but for fractions and very large numbers, which the languages write differently.
 */
export async function digest(value: unknown): Promise<string> {
  let content: string;
  try {
    content = text(value);
  } catch {
    content = printed(value); // it holds itself, is nested too deeply, or fails to be read
  }
  return (await sha256(content)).slice(0, 16);
}

/** A value as JSON with sorted names, in the form that Python's json.dumps writes. What holds itself is a RangeError. */
export function text(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value !== "object") return JSON.stringify(String(value));
  const own = value as { toJSON?: unknown };
  if (typeof own.toJSON === "function") return text(own.toJSON());
  if (value instanceof Error) return text([value.name, value.message]);
  if (value instanceof Map || value instanceof Set) return text([...value]);
  if (value instanceof ArrayBuffer) return text(new Uint8Array(value));
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return text(Array.from(value as Uint8Array));
  if (Array.isArray(value)) return `[${value.map(text).join(", ")}]`;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  fields.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}: ${text(inner)}`).join(", ")}}`;
}

/** A value as text, whatever its own methods do: what cannot be printed is named by its type. */
export function printed(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    if (value instanceof Error) return String(value.message) || String(value.name);
    return (typeof value === "object" ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return `<${typeName(value)}>`;
  }
}

/** What was thrown, as text and class; nothing for what stands for a call that worked. */
export function failure(error: unknown): { error?: string; errorClass?: string } {
  if (error === undefined || error === null) return {};
  let errorClass: string;
  try {
    errorClass = error instanceof Error ? String(error.name) : "error";
  } catch {
    errorClass = typeName(error);
  }
  return { error: printed(error) || typeName(error), errorClass };
}

/** The name of a value's type. */
export function typeName(value: unknown): string {
  try {
    return (value as { constructor?: { name?: string } }).constructor?.name || typeof value;
  } catch {
    return typeof value;
  }
}

/** Rows of cells as columns. */
export function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

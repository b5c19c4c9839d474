// Writes the observer's table, which both SDKs share, into this package: as the file it is, and as a module, since not every
// runtime imports JSON. `npm run build` runs it.
import { readFileSync, writeFileSync } from "node:fs";

const table = readFileSync(new URL("../python/identity_os_sdk/observer.json", import.meta.url));
const head = "/** The observer's table. Written from observer.json by observer-table.mjs: change it there. */\n";
writeFileSync(new URL("observer.json", import.meta.url), table);
writeFileSync(
  new URL("src/observer-table.ts", import.meta.url),
  `${head}export const TABLE = ${table.toString().trim()} as const;\n`,
);

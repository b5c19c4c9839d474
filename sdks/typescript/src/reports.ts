/** Reports on their way to the engine: in order, one at a time, and under keys that follow from what they report. */

import { digest } from "./digest.js";
import type { Context, Observation } from "./models.js";
import type { Report } from "./observer.js";

/** Reports that wait for an engine that does not answer. */
export const MOST_WAITING = 1_000;

/** A report on its way. Urgent ones are awaited even where reports go out in the background. */
export interface Outgoing {
  readonly instanceId: string;
  readonly report: Report;
  readonly context: Context;
  /** Instance, run, call id and attempt; kind and call id. */
  readonly names: readonly [readonly unknown[], readonly unknown[]];
  readonly urgent: boolean;
}

/** The observation of a report. */
export function observation({ report, context }: Outgoing): Observation {
  const incident = report.severity === "incident" ? { severity: report.severity } : {};
  return { modeTarget: report.mode, signalStrength: report.strength, ...incident, context: { ...context } };
}

/** The Idempotency-Key of a report: the same call of the same run has the same one. */
export async function key({ names }: Outgoing): Promise<string> {
  return (await digest(names[0])) + (await digest(names[1]));
}

/** The reports that wait, first in, first out. */
export class Queue {
  readonly #waiting: Outgoing[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  get first(): Outgoing | undefined {
    return this.#waiting[0];
  }

  /** Put reports in line. A full line drops its oldest, and returns them: an engine that is away for so long has missed much. */
  add(reports: readonly Outgoing[]): Outgoing[] {
    this.#waiting.push(...reports);
    return this.#waiting.splice(0, Math.max(this.#waiting.length - MOST_WAITING, 0));
  }

  /** Take a report out, if it is the first. */
  drop(report: Outgoing): void {
    if (this.first === report) this.#waiting.shift();
  }
}

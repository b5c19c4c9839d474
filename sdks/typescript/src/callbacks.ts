/** Who wants to hear of what happens to an agent. What a callback throws is logged. */

import { printed } from "./digest.js";
import { ConfigurationError } from "./errors.js";
import { EVENTS, type GuardEvent } from "./verdicts.js";

/** What a callback is told. */
export type EventDetails = { readonly event: GuardEvent; readonly instanceId: string; readonly [name: string]: unknown };
export type EventCallback = (about: EventDetails) => unknown;

export class Callbacks {
  readonly #all: [GuardEvent, EventCallback][] = [];

  constructor(readonly log: (line: string) => void) {}

  /** Call back on an event; ConfigurationError for one that there is not. */
  add(event: GuardEvent, callback: EventCallback): void {
    if (!EVENTS.includes(event)) throw new ConfigurationError(`event "${String(event)}": one of ${EVENTS.join(", ")}`);
    this.#all.push([event, callback]);
  }

  tell(event: GuardEvent, instanceId: string, about: { [name: string]: unknown }): void {
    for (const [wanted, callback] of this.#all) {
      if (wanted === event) void this.#call(callback, { event, instanceId, ...about });
    }
  }

  async #call(callback: EventCallback, about: EventDetails): Promise<void> {
    try {
      await callback(about);
    } catch (error) {
      this.log(`a callback failed: ${printed(error)}`);
    }
  }
}

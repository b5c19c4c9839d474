/** How a response's body is read: what must be there, or the response is not one of this API. */

import type { Page } from "./models.js";

/** The response's data; it must be an object with these names. */
export function data<T>(...names: string[]): (answer: any) => T {
  return (answer) => {
    for (const name of names) if (!(name in answer.data)) throw new TypeError(`no ${name}`);
    return answer.data as T;
  };
}

/** A page of a list. */
export function page<Row>(answer: any): Page<Row> {
  if (!Array.isArray(answer.data) || typeof answer.pagination.total !== "number") throw new TypeError("not a page");
  return answer as Page<Row>;
}

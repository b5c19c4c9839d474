// What is nicer with scripts: copy buttons, and times in the reader's own zone. Everything works without this file.
"use strict";

function improve(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (/^\d+ \w+ \d{4}$/.test(time.textContent)) {
      time.textContent = moment.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
    }
    time.title = `${moment.toLocaleString()} (${time.title})`;
  }
}

improve(document);
document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) improve(event.detail.elt); });

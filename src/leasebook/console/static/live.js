// What comes while a page is open: the lines of a replica, and the answer of a model. Without this script a page shows
// the last lines, and a form the whole answer.
(() => {
  "use strict";
  const LINES_MAX = 2000;

  // An element that follows names its stream. The last lines stay in sight unless the reader has scrolled up.
  function follow(place) {
    const text = place.querySelector("code"), pane = text.parentElement, said = place.querySelector("[data-said]");
    let kept = text.textContent ? text.textContent.split("\n") : [], source = null;

    function show() {
      const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
      text.textContent = kept.join("\n");
      pane.hidden = !kept.length;
      said.hidden = Boolean(kept.length) && !said.dataset.why;
      if (atEnd) pane.scrollTop = pane.scrollHeight;
    }
    function begin() {
      source = new EventSource(place.dataset.lines);
      source.addEventListener("restart", () => { kept = []; delete said.dataset.why; said.textContent = said.dataset.said; show(); });
      source.addEventListener("lines", (event) => { kept = kept.concat(JSON.parse(event.data)).slice(-LINES_MAX); show(); });
      source.addEventListener("why", (event) => { said.dataset.why = "1"; said.textContent = JSON.parse(event.data); show(); });
      source.addEventListener("ended", end);
    }
    function end() { if (source) source.close(); source = null; }

    // Lines that nobody looks at are not followed: a stream costs the server a look a second.
    const details = place.closest("details");
    if (details) details.addEventListener("toggle", () => { if (details.open) { if (!source) begin(); } else end(); });
    if (!details || details.open) begin();
    window.addEventListener("pagehide", end);
    pane.scrollTop = pane.scrollHeight;
  }

  // A form whose answer is written as it comes: each line of the answer is JSON, with `text`, `error` or `done`.
  async function send(form) {
    const place = document.querySelector(form.dataset.stream), out = place.querySelector("[data-answer]");
    const note = place.querySelector("[data-note]"), bad = place.querySelector("[data-bad]");
    const ask = form.querySelector("button:not([type=button])"), stop = form.querySelector("[data-stop]");
    const control = new AbortController(), began = performance.now();
    stop.onclick = () => control.abort();
    place.hidden = false;
    out.textContent = note.textContent = bad.textContent = "";
    bad.hidden = true;
    place.setAttribute("aria-busy", "true");
    ask.disabled = true;
    stop.hidden = false;
    let first = 0;
    const take = {
      text(piece) { first = first || performance.now() - began; out.textContent += piece; },
      error(said) { bad.textContent = said; bad.hidden = false; },
      done(said) { note.textContent = first ? `${said} ${place.dataset.first.replace("{}", (first / 1000).toFixed(2))}` : said; },
    };
    const takeLine = (line) => { if (line) for (const [kind, value] of Object.entries(JSON.parse(line))) take[kind](value); };
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "hx-request": "true" }, signal: control.signal,
      });
      if (answer.headers.get("hx-redirect")) { location.assign(answer.headers.get("hx-redirect")); return; }
      if (!(answer.headers.get("content-type") || "").startsWith("application/x-ndjson")) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        take.error(page.body.textContent.trim());
        return;
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        lines.forEach(takeLine);
      }
    } catch (error) {
      if (error.name !== "AbortError") take.error(place.dataset.lost);
    } finally {
      place.removeAttribute("aria-busy");
      ask.disabled = false;
      stop.hidden = true;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-stream]");
    if (!form || !window.TextDecoderStream) return;
    event.preventDefault();
    send(form);
  });
  const begin = () => document.querySelectorAll("[data-lines]").forEach(follow);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();

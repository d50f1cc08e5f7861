// The script of the console. Every page works without it: it shows times in the reader's zone, counts down, and keeps
// the overview current.
(() => {
  "use strict";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const two = (n) => String(n).padStart(2, "0");
  const language = document.documentElement.lang;

  function written(date) {
    const seconds = date.getUTCSeconds() || date.getUTCMilliseconds() ? `:${two(date.getSeconds())}` : "";
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
      `${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
  }

  const city = (name) => name.split("/").pop().replaceAll("_", " ");

  // The account's time is in the page. Where the reader's clock shows another one, that comes first.
  function localize(root) {
    for (const time of root.querySelectorAll("time[data-zone]:not([data-done])")) {
      time.dataset.done = "1";
      const theirs = time.textContent, mine = written(new Date(time.dateTime));
      if (theirs.slice(0, 16) === mine.slice(0, 16)) continue;
      const beside = document.createElement("small");
      beside.textContent = `${theirs.slice(0, 10) === mine.slice(0, 10) ? theirs.slice(11) : theirs} ${city(time.dataset.zone)}`;
      time.replaceChildren(mine, " ", beside);
      time.title += ` (${zone}; ${theirs} ${time.dataset.zone})`;
    }
  }

  const words = language === "zh-CN"
    ? { due: "到时", d: " 天 ", h: " 小时 ", m: " 分" }
    : { due: "due", d: " d ", h: " h ", m: " min" };
  const ahead = Number(document.body.dataset.aheadMs || 0), stands = document.body.dataset.stands === "1";
  const loaded = Date.now();

  function count() {
    const now = (stands ? loaded : Date.now()) + ahead;
    for (const left of document.querySelectorAll("[data-left]")) {
      const ms = Date.parse(left.dataset.left) - now, minutes = Math.floor(ms / 60000);
      const days = Math.floor(minutes / 1440), hours = Math.floor((minutes % 1440) / 60);
      const text = ms < 0 ? words.due
        : days ? `${days}${words.d}${hours}${words.h}`
        : minutes >= 10 ? `${hours}${words.h}${minutes % 60}${words.m}`
        : `${two(minutes)}:${two(Math.floor((ms % 60000) / 1000))}`;
      if (left.textContent !== text.trim()) left.textContent = text.trim();
      const soon = ms < 3.6e6 ? "now" : ms < 2.16e7 ? "soon" : ms < 8.64e7 ? "day" : ms < 6.048e8 ? "week" : "later";
      if (left.className !== `left ${soon}`) left.className = `left ${soon}`;
    }
  }

  // One box selects all others of its form.
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-selects]");
    if (all) for (const box of document.querySelectorAll(all.dataset.selects)) box.checked = all.checked;
  });

  // The second click of a double click sends nothing: a browser would drop the first answer, and some come only once.
  const sent = new WeakMap();
  window.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (Date.now() - (sent.get(form) || 0) < 1500) event.preventDefault(); else sent.set(form, Date.now());
  });

  // A part that takes long comes after its page.
  async function load(place) {
    try {
      const answer = await fetch(place.dataset.load, { headers: { "hx-request": "true" } });
      if (answer.ok && !answer.headers.get("hx-redirect")) { place.innerHTML = await answer.text(); localize(place); }
    } catch { /* The link that is there leads to it. */ }
  }
  function loadAll(root) { root.querySelectorAll("[data-load]").forEach(load); }

  // A page that wants to stay current names the stream that says when it is not.
  function follow() {
    const live = document.querySelector("[data-live]");
    if (!live || !window.EventSource) return;
    const source = new EventSource(live.dataset.live);
    let busy = false, again = false;
    // One load at a time: what happens meanwhile is in the next one.
    async function refresh() {
      if (busy) { again = true; return; }
      busy = true;
      try {
        const answer = await fetch(live.dataset.part, { headers: { "hx-request": "true" } });
        if (answer.headers.get("hx-redirect")) { source.close(); location.reload(); return; }
        if (answer.ok) { live.innerHTML = await answer.text(); localize(live); count(); loadAll(live); }
      } catch { /* The stream connects again, and says what happened meanwhile. */ } finally { busy = false; }
      if (again) { again = false; refresh(); }
    }
    source.addEventListener("changed", () => {
      if (document.hidden) { live.dataset.stale = "1"; return; }
      refresh();
    });
    source.addEventListener("ended", () => { source.close(); location.reload(); });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && live.dataset.stale) { delete live.dataset.stale; refresh(); }
    });
    window.addEventListener("pagehide", () => source.close());
  }

  function begin() {
    loadAll(document);
    localize(document);
    count();
    setInterval(count, 1000);
    follow();
  }
  document.addEventListener("htmx:after:swap", () => { localize(document); count(); });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();

// Shows the lines of an action in progress as they arrive.
//
// What is put into the page was rendered and escaped by the server, like the rest
// of it. Without this script the page is complete, and can reload itself.
"use strict";
(() => {
  const most = 2000; // rows that are kept
  const pause = 5000; // milliseconds, after a response that is not a stream

  const log = document.getElementById("log");
  const rows = log.querySelector("tbody");
  const live = document.getElementById("live");
  const state = live.querySelector("span");
  const address = new URL(log.dataset.follow, location.href);
  address.username = address.password = ""; // the browser has them, and sends them
  let source = null;
  let retry = 0;

  function say(text, kind) {
    live.className = "live " + kind;
    if (state.textContent !== text) state.textContent = text;
  }

  // The log is laid out from its end: there, scrollTop is 0. Whoever is at the
  // end of it stays there, and whoever has scrolled to the foot of the page.
  function add(event) {
    const page = document.scrollingElement;
    const atFoot = page.scrollTop > 0 && page.scrollHeight - page.scrollTop - innerHeight < 64;
    const atEnd = log.scrollTop > -24;
    rows.insertAdjacentHTML("beforeend", event.data);
    for (let n = rows.childElementCount - most; n > 0; n--) {
      rows.firstElementChild.remove();
      document.getElementById("cut").hidden = false;
    }
    if (atEnd) log.scrollTop = 0;
    if (atFoot) page.scrollTop = page.scrollHeight;
    address.searchParams.set("after", event.lastEventId);
  }

  function open() {
    close();
    source = new EventSource(address);
    source.addEventListener("open", () => say("Following", "on"));
    source.addEventListener("lines", add);
    source.addEventListener("changes", () => { document.getElementById("more").hidden = false; });
    source.addEventListener("end", () => {
      close();
      say("Ended", "off");
      location.reload(); // which shows how
    });
    source.addEventListener("error", () => {
      say("Reconnecting…", "wait");
      if (source.readyState === EventSource.CLOSED) retry = setTimeout(ask, pause);
    });
  }

  function close() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  // Somebody who may no longer see it is told so by the page; any other error
  // will pass.
  async function ask() {
    const answer = await fetch(address, { method: "HEAD" }).catch(() => null);
    if (answer && answer.status >= 400 && answer.status < 500) location.reload();
    else if (!document.hidden) open();
  }

  // The address says what is shown, so that a reloaded page is the same.
  if (!new URLSearchParams(location.search).has("follow")) {
    history.replaceState(null, "", "?follow=1" + location.hash);
  }
  live.hidden = false;
  say("Connecting…", "wait");
  if (!document.hidden) open();
  // A browser has few connections per server; a hidden page needs none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else open();
  });
})();

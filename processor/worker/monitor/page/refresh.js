// Fetches the page again and replaces the main part of this one. Without an answer the
// old one stays, with a notice of its age.
(() => {
  const every = 2000, patience = 5000;
  const notice = document.getElementById("notice");
  let answered = new Date();

  const selecting = () => {
    const s = getSelection();
    return s && !s.isCollapsed;
  };

  async function refresh() {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(patience) });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = page.querySelector("main");
      if (!main) throw new Error("not the page");
      answered = new Date();
      notice.hidden = true;
      document.body.classList.remove("stale");
      if (selecting()) return; // do not disturb a selection
      document.querySelector("main").replaceWith(document.adoptNode(main));
      document.title = page.title;
    } catch {
      const text = "The worker does not answer. This was its status at " + answered.toLocaleTimeString() + ".";
      if (notice.textContent !== text) notice.textContent = text;
      notice.hidden = false;
      document.body.classList.add("stale");
    }
  }

  let timer;
  async function loop() {
    clearTimeout(timer);
    timer = undefined;
    if (document.hidden) return; // continues when the page is visible again
    await refresh();
    clearTimeout(timer);
    timer = setTimeout(loop, every);
  }
  document.addEventListener("visibilitychange", loop);
  timer = setTimeout(loop, every);
})();

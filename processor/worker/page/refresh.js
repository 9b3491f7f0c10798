// Asks for the page again and puts its main part in the place of this one's.
// Without an answer the old one stays, and says how old it is.
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
      if (!main) throw new Error("another page");
      answered = new Date();
      notice.hidden = true;
      document.body.classList.remove("stale");
      if (selecting()) return; // somebody copies from it
      document.querySelector("main").replaceWith(document.adoptNode(main));
      document.title = page.title;
    } catch {
      const text = "The worker does not answer. This is what it was at " + answered.toLocaleTimeString() + ".";
      if (notice.textContent !== text) notice.textContent = text;
      notice.hidden = false;
      document.body.classList.add("stale");
    }
  }

  let timer;
  async function loop() {
    clearTimeout(timer);
    timer = undefined;
    if (document.hidden) return; // and goes on when it is seen again
    await refresh();
    clearTimeout(timer);
    timer = setTimeout(loop, every);
  }
  document.addEventListener("visibilitychange", loop);
  timer = setTimeout(loop, every);
})();

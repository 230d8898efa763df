"use strict";
// The filter of the verdicts. Its state lives in the address, as in #verdicts&study=gan&verdict=refuted&q=mode, so that
// a filtered view can be linked. Without this script all rows are there and every link but those of the counts works.
(() => {
  const byId = (name) => document.getElementById(name);
  const fields = { study: byId("by-study"), verdict: byId("by-verdict"), q: byId("by-text"), order: byId("by-order") };
  const table = document.querySelector("#verdicts table.verdicts");
  const claims = [...table.tBodies].map((body, place) => ({
    body, place, study: body.dataset.study, verdict: body.dataset.verdict.replace(" ", "-"), root: body.dataset.root,
    n: Number(body.querySelector(".n").textContent) || 0,
    text: [".id", ".words", ".cited", ".published"].map((part) => body.querySelector(part).textContent).join(" ").toLowerCase(),
  }));
  const verdicts = [...fields.verdict.options].map((option) => option.value);

  const keep = (claim) =>
    (!fields.study.value || claim.study === fields.study.value) &&
    (!fields.verdict.value || claim.verdict === fields.verdict.value) &&
    fields.q.value.toLowerCase().split(/\s+/).every((word) => claim.text.includes(word));

  // A claim and its corrections stay together: what matches brings the others along, marked as such.
  const show = () => {
    const found = claims.filter(keep);
    const roots = new Set(found.map((claim) => claim.root));
    let beside = 0;
    for (const claim of claims) {
      const is_found = found.includes(claim);
      claim.body.hidden = !roots.has(claim.root);
      claim.body.classList.toggle("beside", !claim.body.hidden && !is_found);
      beside += !claim.body.hidden && !is_found;
    }
    byId("count").textContent = `${found.length} of ${claims.length} claims` +
      (beside ? `, and ${beside} beside them that they correct or that correct them` : "");
    table.classList.toggle("filtered", found.length < claims.length);
  };

  const sort = () => {
    const head = new Map();
    for (const claim of claims) if (!head.has(claim.root)) head.set(claim.root, claim);
    const rank = (claim) => fields.order.value === "n" ? -head.get(claim.root).n :
      fields.order.value === "verdict" ? verdicts.indexOf(head.get(claim.root).verdict) : 0;
    const order = [...claims].sort((a, b) =>
      rank(a) - rank(b) || head.get(a.root).place - head.get(b.root).place || a.place - b.place);
    table.append(...order.map((claim) => claim.body));
  };

  const write = () => {
    const parts = Object.entries(fields).filter(([, field]) => field.value)
      .map(([name, field]) => `${name}=${encodeURIComponent(field.value)}`);
    history.replaceState(null, "", `#${["verdicts", ...parts].join("&")}`);
  };

  const set = (values) => {
    for (const [name, field] of Object.entries(fields)) field.value = values.get(name) || "";
    for (const name of ["study", "verdict", "order"]) if (fields[name].selectedIndex < 0) fields[name].value = "";
    sort();
    show();
  };

  const follow = () => {
    const [place, ...parts] = location.hash.slice(1).split("&");
    const target = byId(decodeURIComponent(place));
    if (place === "verdicts") {
      set(new URLSearchParams(parts.join("&")));
      if (parts.length) document.querySelector(".filter").scrollIntoView();
    } else if (target) {
      if (target.hidden) set(new URLSearchParams());
      const details = target.matches("details") ? target : target.matches(".claim") ? target.querySelector("details") : null;
      if (details) details.open = true;
      target.scrollIntoView();
    }
  };

  for (const field of Object.values(fields)) {
    field.addEventListener("input", () => { sort(); show(); write(); });
  }
  byId("show-all").addEventListener("click", () => { set(new URLSearchParams()); write(); });
  document.querySelector(".filter").hidden = false;
  window.addEventListener("hashchange", follow);
  // A link to the place where one is already changes no hash, and still should lead there.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  set(new URLSearchParams());
  follow();

  // What is closed on the screen belongs on paper.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of closed) details.open = false; });
})();

// The page: its two tabs, who is asked, and the language.

import { predictHere } from "./predict.js";
import { request } from "./server.js";
import { teachHere, updateTeaching } from "./teach.js";
import { offerLanguages, say } from "./i18n.js";

const byId = (id) => document.getElementById(id);
const can = await (await request("GET", "/v1/networks")).json();
let take = null;

function fillNetworks(lesson) {
  const select = byId("network");
  select.replaceChildren(...can.networks.map(({ name }) => new Option(name, name)));
  if (lesson) {
    const option = new Option(say("taught"), lesson, true, true);
    option.dataset.words = "taught";
    select.append(option);
  }
  byId("choice").hidden = select.options.length < 2;
}

function offerTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]:not([hidden])")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  };
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
}

fillNetworks(null);
take = predictHere("", () => byId("network").value, can);
window.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length && !byId("predict").hidden) take(files);
});
if (can.lessons) {
  byId("tab-teach").hidden = false;
  teachHere(can, fillNetworks);
}
offerTabs();
offerLanguages(byId("language"), () => can.lessons && updateTeaching());
document.body.dataset.ready = "yes";

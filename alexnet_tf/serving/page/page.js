// The page: its two tabs, the network that predicts, and the language.

import { all, byId } from "./elements.js";
import { predictHere } from "./predict.js";
import { pause, request } from "./server.js";
import { offerLanguages, say } from "./i18n.js";

// Milliseconds until a server that does not respond is asked again.
const LOOK_AGAIN = 2000;

async function read(address) {
  for (;; await pause(LOOK_AGAIN)) {
    try {
      return await (await request("GET", address)).json();
    } catch (error) {
      if (error.status) throw error;
    }
  }
}

const can = await read("v1/networks");
const teach = can.lessons && await import("./teach.js");

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
  const tabs = all("[role=tab]");
  tabs[0].parentElement.hidden = false;
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    history.replaceState(null, "", `#${chosen.getAttribute("aria-controls")}`); // where a reload comes back to
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
  choose(tabs.find((tab) => location.hash === `#${tab.getAttribute("aria-controls")}`) ?? tabs[0]);
}

await offerLanguages(byId("language"), can.languages, (key) => read(`page/languages/${key}.json`),
  () => teach && teach.updateTeaching());
byId("alone").hidden = !can.alone;
fillNetworks(null);
const take = predictHere("", () => byId("network").value, can);
window.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length && !byId("predict").hidden) take(files);
});
if (teach) {
  teach.teachHere(can, fillNetworks);
  offerTabs();
}
document.body.dataset.ready = "yes";

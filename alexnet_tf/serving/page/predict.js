// A place to put pictures, and the predictions below it.

import { photograph } from "./camera.js";
import { announce, blank, byId, make, pressed, preview } from "./elements.js";
import { dropped, foldersOf, groups, isPicture, picked } from "./files.js";
import { form, request } from "./server.js";
import { percent, say } from "./i18n.js";

const MOST_SHOWN = 60;

/** Classify pictures put into the place whose elements' ids begin with `prefix`. `network` returns
 * the network's name; `can` says what else the server does. Returns the function that takes pictures;
 * its `again` classifies the latest ones once more.
 * @param {string} prefix
 * @param {() => string} network
 * @param {any} can */
export function predictHere(prefix, network, can) {
  const predictions = byId(`${prefix}predictions`);
  let latest = [];
  const take = async (given) => {
    const files = given.filter((file) => !foldersOf(file).length || isPicture(file));
    const cards = files.map(cardOf);
    predictions.prepend(...cards.map((card) => card.element));
    while (predictions.children.length > Math.max(MOST_SHOWN, files.length)) predictions.lastChild.remove();
    for await (const group of groups(cards, can)) await predict(latest = group, network(), can);
  };
  take.again = () => latest.length && predict(latest, network(), can);
  dropped(byId(`${prefix}drop`), take);
  picked(byId(`${prefix}files`), take, byId(`${prefix}pick`));
  const input = byId(`${prefix}shot`);
  picked(input, take);
  byId(`${prefix}photo`).addEventListener("click", async () => {
    const problems = byId(`${prefix}problems`);
    problems.textContent = "";
    await photograph(take, { input, live: liveBars(network) }).catch((error) => { problems.textContent = error.message; });
  });
  return take;
}

function cardOf(file) {
  const words = make("div", {}, make("p", { className: "soft", textContent: say("looking") }));
  const picture = make("figure", { className: "picture" }, preview(file, file.name));
  return { file, words, picture, element: make("article", { className: "card prediction" }, picture, words) };
}

const ask = async (network, files) =>
  (await request("POST", `v1/predict?network=${encodeURIComponent(network)}`, form(files))).json();

async function predict(cards, network, can) {
  const files = cards.map((card) => card.file);
  try {
    const { predictions, network: used } = await ask(network, files);
    cards.forEach((card, place) => show(card, predictions[place], used, can));
    const { label, probability, novelty, error } = predictions[0];
    announce(cards.length > 1 || error ? say("predicted", { n: predictions.filter((each) => !each.error).length })
      : `${files[0].name}: ${novelty > 1 ? say("unlike") : `${label}, ${percent(probability)}`}`);
    if (can.imagenet && can.imagenet !== network) {
      const beside = await ask(can.imagenet, files);
      cards.forEach((card, place) => showImagenet(card, beside.predictions[place]));
    }
  } catch (error) {
    for (const card of cards) if (!card.predicted) refuse(card, error.message);
  }
}

function show(card, found, network, can) {
  if (found.error) return refuse(card, say("unreadable", { reason: found.error }));
  card.predicted = true;
  const where = make("button", { textContent: say("where"), data: { words: "where" } });
  pressed(where, () => look(card, where, network));
  card.buttons = make("p", { className: "buttons" }, where);
  card.words.replaceChildren(
    make("p", { className: "file", dir: "auto", textContent: found.file }),
    found.novelty > 1 ? make("h2", { className: "wrong", textContent: say("unlike"), data: { words: "unlike" } })
      : make("h2", { dir: "auto", textContent: found.label }),
    bars(found.top),
    card.buttons,
  );
  card.buttons.hidden = can.alone; // only a server looks closer
  if (can.look_alikes) {
    const alike = make("button", { textContent: say("alike"), data: { words: "alike" } });
    pressed(alike, () => showAlike(card, alike));
    card.buttons.append(alike);
  }
}

function showImagenet(card, found) {
  if (found.error) return;
  const title = make("h3", { textContent: say("imagenet"), data: { words: "imagenet" } });
  card.buttons.before(title, bars(found.top));
}

function refuse(card, sentence) {
  announce(sentence);
  card.words.replaceChildren(
    make("p", { className: "file", dir: "auto", textContent: card.file.name }),
    make("h2", { className: "wrong", textContent: sentence }),
  );
}

function bars(top) {
  return make("ul", { className: "bars" }, ...top.map(({ label, probability }) => {
    const bar = make("i");
    requestAnimationFrame(() => { bar.style.width = `${100 * probability}%`; });
    const name = make("span", { className: "name" },
      make("bdi", { textContent: label }), make("span", { textContent: percent(probability) }));
    const track = make("span", { className: "track" }, bar);
    track.setAttribute("aria-hidden", "true");
    return make("li", {}, name, track);
  }));
}

// Return the function that predicts a picture of the camera and returns what is said of it, and its
// bars: the same list, as long as the classes are the same, so that the bars move.
function liveBars(network) {
  let [list, labels] = [null, ""];
  const unlike = make("p", { className: "unlike" });
  return async (picture) => {
    const { top, novelty } = (await ask(network(), [picture])).predictions[0];
    unlike.hidden = typeof novelty !== "number"; // of a network that has none
    unlike.textContent = novelty > 1 ? say("unlike") : "\u00a0"; // so that the bars stay where they are
    top.sort((one, other) => one.label.localeCompare(other.label));
    const best = Math.max(...top.map(({ probability }) => probability));
    const found = top.map(({ label }) => label).join("\n");
    if (!list || found !== labels) [list, labels] = [bars(top), found];
    top.forEach(({ probability }, place) => {
      const item = list.children[place];
      item.classList.toggle("best", probability === best);
      item.querySelector("span span").textContent = percent(probability);
      item.querySelector("i").style.width = `${100 * probability}%`;
    });
    return [unlike, list];
  };
}

// Draw where the network looks in place of the picture, or the picture again.
async function look(card, button, network) {
  if (card.heat) {
    card.heat.remove();
    card.heat = null;
    card.picture.firstChild.hidden = false;
    button.dataset.words = "where";
  } else {
    card.picture.classList.add("busy");
    button.textContent = say("where_busy");
    announce(button.textContent);
    try {
      const address = `v1/explain?network=${encodeURIComponent(network)}`;
      const drawn = await (await request("POST", address, form([card.file]))).blob();
      card.heat = preview(drawn, say("where"));
      card.picture.append(card.heat);
      card.picture.firstChild.hidden = true;
      button.dataset.words = "picture";
    } catch (error) {
      card.words.append(make("p", { className: "problems", role: "alert", textContent: error.message }));
    }
    card.picture.classList.remove("busy");
  }
  button.textContent = say(button.dataset.words);
}

async function showAlike(card, button) {
  try {
    const { similar } = await (await request("POST", "v1/similar", form([card.file]))).json();
    const items = similar.map(({ file, distance, picture }) => make("li", {},
      picture ? make("img", { src: picture, alt: "" }) : blank(),
      make("bdi", { textContent: `${file} · ${distance.toFixed(1)}` })));
    card.buttons.after(make("ul", { className: "alike" }, ...items));
    button.previousElementSibling.focus();
    button.remove();
  } catch (error) {
    card.words.append(make("p", { className: "problems", role: "alert", textContent: error.message }));
  }
}

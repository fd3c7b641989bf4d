// A place to put pictures, and the predictions below it.

import { photograph } from "./camera.js";
import { dropped, foldersOf, isPicture, make, picked, preview } from "./pictures.js";
import { form, request } from "./server.js";
import { percent, say } from "./i18n.js";

const byId = (id) => document.getElementById(id);
const MOST_SHOWN = 60;

// Classify pictures put into the place whose elements' ids begin with `prefix`. `network` returns the
// network's name; `can` says what else the server does. Returns the function that takes pictures; its
// `again` classifies the latest ones once more.
export function predictHere(prefix, network, can) {
  const predictions = byId(`${prefix}predictions`);
  let latest = [];
  const take = async (given) => {
    const files = given.filter((file) => !foldersOf(file).length || isPicture(file));
    const cards = files.map((file) => blank(file));
    predictions.prepend(...cards.map((card) => card.element));
    while (predictions.children.length > Math.max(MOST_SHOWN, files.length)) predictions.lastChild.remove();
    for (const group of groups(cards, can)) await predict(latest = group, network(), can);
  };
  take.again = () => latest.length && predict(latest, network(), can);
  dropped(byId(`${prefix}drop`), take);
  picked(byId(`${prefix}files`), take, byId(`${prefix}pick`));
  const shot = byId(`${prefix}shot`);
  picked(shot, take);
  byId(`${prefix}photo`).addEventListener("click", () => photograph(take, false, shot));
  return take;
}

// Cut things that have a `file` into groups that the server takes at once.
export function groups(things, can) {
  const found = [];
  let bytes = Infinity;
  for (const thing of things) {
    bytes += thing.file.size + 1000;
    if (bytes > can.most_bytes || found.at(-1).length === can.most_pictures) {
      found.push([]);
      bytes = thing.file.size + 1000;
    }
    found.at(-1).push(thing);
  }
  return found;
}

function blank(file) {
  const words = make("div", {}, make("p", { className: "soft", textContent: say("looking") }));
  const picture = make("figure", { className: "picture" }, preview(file, file.name));
  return { file, words, picture, element: make("article", { className: "card prediction" }, picture, words) };
}

async function predict(cards, network, can) {
  const files = form(cards.map((card) => card.file));
  const about = (name) => request("POST", `/v1/predict?network=${encodeURIComponent(name)}`, files);
  try {
    const { predictions, network: used } = await (await about(network)).json();
    cards.forEach((card, place) => show(card, predictions[place], used, can));
    if (can.imagenet && can.imagenet !== network) {
      const beside = await (await about(can.imagenet)).json();
      cards.forEach((card, place) => showImagenet(card, beside.predictions[place]));
    }
  } catch (error) {
    for (const card of cards) if (!card.predicted) refuse(card, error.message);
  }
}

function show(card, found, network, can) {
  if (found.error) return refuse(card, found.error);
  card.predicted = true;
  const where = make("button", { textContent: say("where"), data: { words: "where" } });
  where.addEventListener("click", () => look(card, where, network));
  card.buttons = make("p", { className: "buttons" }, where);
  card.words.replaceChildren(
    make("p", { className: "file", textContent: found.file }),
    make("h2", { textContent: found.label }),
    bars(found.top),
    card.buttons,
  );
  if (can.look_alikes) {
    const alike = make("button", { textContent: say("alike"), data: { words: "alike" } });
    alike.addEventListener("click", () => showAlike(card, alike));
    card.buttons.append(alike);
  }
}

function showImagenet(card, found) {
  if (found.error) return;
  const title = make("h3", { textContent: say("imagenet"), data: { words: "imagenet" } });
  card.buttons.before(title, bars(found.top));
}

function refuse(card, sentence) {
  card.words.replaceChildren(
    make("p", { className: "file", textContent: card.file.name }),
    make("h2", { className: "wrong", textContent: sentence }),
  );
}

function bars(top) {
  return make("ul", { className: "bars" }, ...top.map(({ label, probability }) => {
    const bar = make("i");
    requestAnimationFrame(() => { bar.style.width = `${100 * probability}%`; });
    const name = make("span", { className: "name" },
      make("span", { textContent: label }), make("span", { textContent: percent(probability) }));
    const track = make("span", { className: "track" }, bar);
    track.setAttribute("aria-hidden", "true");
    return make("li", {}, name, track);
  }));
}

// Draw where the network looks in place of the picture, or the picture again.
async function look(card, button, network) {
  if (card.heat) {
    card.heat.remove();
    card.heat = null;
    card.picture.firstChild.hidden = false;
    button.dataset.words = "where";
  } else {
    button.disabled = true;
    try {
      const address = `/v1/explain?network=${encodeURIComponent(network)}`;
      const drawn = await (await request("POST", address, form([card.file]))).blob();
      card.heat = preview(drawn, say("where"));
      card.picture.append(card.heat);
      card.picture.firstChild.hidden = true;
      button.dataset.words = "picture";
    } catch (error) {
      button.after(make("span", { className: "problems", textContent: error.message }));
    }
    button.disabled = false;
  }
  button.textContent = say(button.dataset.words);
}

async function showAlike(card, button) {
  button.disabled = true;
  try {
    const { similar } = await (await request("POST", "/v1/similar", form([card.file]))).json();
    const items = similar.map(({ file, distance, picture }) => make("li", {},
      picture ? make("img", { src: picture, alt: file }) : make("div", { className: "blank", textContent: "?" }),
      make("span", { textContent: `${file} · ${distance.toFixed(1)}` })));
    card.buttons.after(make("ul", { className: "alike" }, ...items));
    button.remove();
  } catch (error) {
    button.after(make("span", { className: "problems", textContent: error.message }));
  }
}

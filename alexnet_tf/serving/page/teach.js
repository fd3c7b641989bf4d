// A classifier of the reader's own: classes, their pictures, a training, and what came of it.

import { predictHere } from "./predict.js";
import { photograph } from "./camera.js";
import { dropped, foldersOf, isPicture, make, picked, prepared } from "./pictures.js";
import { form, request, useToken } from "./server.js";
import { percent, say } from "./i18n.js";

const byId = (id) => document.getElementById(id);
// Milliseconds between two requests about a training, and the most if the server does not respond.
const [LOOK_AGAIN, MOST_WAIT] = [300, 10000];
const NAMED = 3; // of the pictures that did not arrive
// Pixels: the widest curve, and from one line of text to the next.
const [MOST_WIDE, APART] = [640, 15];
const SVG = "http://www.w3.org/2000/svg";

let [can, state, sending, message, begun, changed] = [null, "collecting", 0, null, 0, () => {}];
// Whether pictures came or went since the latest training began; and what answers pictures.
let [stale, tried] = [false, null];
// The lesson and its beginning; and what ends all that is being done for it, when it is forgotten.
let [lesson, beginning, doing] = [null, null, new AbortController()];
const classes = [];

// Open the place to teach. `ready` is called with the name of a lesson that can be asked, or null.
export function teachHere(abilities, ready) {
  [can, changed] = [abilities, ready];
  byId("token-row").hidden = !can.needs_token;
  byId("token").addEventListener("input", () => useToken(byId("token").value));
  byId("more").addEventListener("click", () => addClass().name.focus());
  picked(byId("folder"), (files) => receive(null, files), byId("folders"));
  byId("train").addEventListener("click", train);
  byId("download").addEventListener("click", download);
  byId("forget").addEventListener("click", forget);
  tried = predictHere("try-", () => lesson?.name ?? "", { ...can, look_alikes: false, imagenet: null });
  addClass();
  addClass();
  const again = 1000 * can.lesson_limits.unused / 4;
  setInterval(() => lesson && request("GET", `/v1/lessons/${lesson.name}`).catch(() => {}), again);
}

// Say again how things are, in the language chosen.
export function updateTeaching() {
  const isHere = can.local && ["localhost", "[::1]"].includes(location.hostname.replace(/^127\..*/, "localhost"));
  byId("kept").textContent = say(isHere ? "here" : "there", location.host) + say("limits", can.lesson_limits);
  for (const each of classes) {
    each.name.placeholder = say("name");
    each.count.textContent = each.pictures ? say("count", each.pictures) : say("drop");
  }
  const isTraining = state === "training";
  byId("more").disabled = classes.length >= can.lesson_limits.classes;
  byId("train").disabled = !isComplete() || sending > 0 || isTraining;
  byId("status").textContent = message ? message()
    : sending ? say("sending", sending) : say(isComplete() ? "enough" : "need");
}

function addClass() {
  const each = {
    label: classes.length, pictures: 0,
    name: make("input", { type: "text", maxLength: 60, data: { label: "name" } }),
    count: make("p", { className: "count soft" }), thumbs: make("div", { className: "thumbs" }),
    problems: make("div", { className: "problems" }),
  };
  each.problems.setAttribute("role", "alert");
  each.name.setAttribute("aria-label", say("name"));
  const pick = make("button", { textContent: say("add"), data: { words: "add" } });
  const hold = make("button", { textContent: say("hold"), data: { words: "hold" } });
  const files = make("input", { type: "file", multiple: true, hidden: true, accept: "image/*" });
  const element = make("div", { className: "class" }, make("div", { className: "top" }, each.name),
    each.count, each.thumbs, each.problems, make("p", { className: "buttons" }, pick, hold, files));
  dropped(element, (chosen) => receive(each, chosen));
  picked(files, (chosen) => send(each, chosen), pick);
  hold.addEventListener("click", () =>
    photograph((chosen) => send(each, chosen), true).catch((error) => { each.problems.textContent = error.message; }));
  each.name.addEventListener("input", () => {
    message = null;
    begin().catch(() => {}); // what trains takes seconds to start; pictures say what is wrong
    updateTeaching();
  });
  classes.push(each);
  byId("classes").append(element);
  updateTeaching();
  return each;
}

// The server has names as they are seen: é is one sign, and blanks are one.
const nameOf = (each) => each.name.value.normalize("NFC").replace(/\s+/g, " ").trim();

// A class that has neither a name nor pictures is left out, but keeps its number.
const used = () => classes.filter((each) => each.pictures || nameOf(each));

function isComplete() {
  const names = used().map(nameOf);
  return names.length > 1 && names.every(Boolean) && new Set(names).size === names.length
    && used().every((each) => each.pictures > 1);
}

// Take what was dropped on a class, or picked for none: of several folders each is a class.
function receive(each, files) {
  const pictures = files.filter((file) => !foldersOf(file).length || isPicture(file));
  const level = new Set(files.map((file) => foldersOf(file)[0])).size > 1 ? 0 : 1;
  const folders = new Map();
  for (const file of pictures) {
    const found = foldersOf(file);
    const name = found[level] ?? found[0] ?? "";
    if (!folders.has(name)) folders.set(name, []);
    folders.get(name).push(file);
  }
  byId("problems").textContent = "";
  for (const [name, own] of folders) {
    const goesTo = (each && (!name || folders.size === 1) && each) || classOf(name);
    if (goesTo) {
      if (name && !nameOf(goesTo)) goesTo.name.value = name.slice(0, goesTo.name.maxLength);
      send(goesTo, own);
    } else problem({ problems: byId("problems") }, `${name}: ${say("full")}`);
  }
  const left = files.length - pictures.length;
  if (left) problem({ problems: byId("problems") }, say("left_out", left));
}

// Find the class of that name, or one that is nothing yet, or add one, if there can be more.
function classOf(name) {
  return classes.find((each) => nameOf(each) === name.normalize("NFC"))
    ?? classes.find((each) => !each.pictures && !nameOf(each) && !each.isSent)
    ?? (classes.length < can.lesson_limits.classes ? addClass() : null);
}

// Send pictures of a class to the server, which looks at them at once; those that do not arrive can
// be sent again.
async function send(each, chosen) {
  const { signal } = doing;
  const failed = [];
  let sentence = "";
  each.isSent = true;
  sending += chosen.length;
  message = null;
  updateTeaching();
  each.problems.textContent = "";
  for await (const group of groups(chosen)) {
    try {
      await begin();
      if (signal.aborted) return;
      const address = `/v1/lessons/${lesson.name}/pictures?label=${each.label}`;
      const { pictures } = await (await request("POST", address, form(group.map(({ file }) => file)), signal)).json();
      pictures.forEach((kept, place) => keep(each, group[place], kept, signal));
    } catch (error) {
      if (signal.aborted) return;
      failed.push(...group.map(({ original }) => original));
      sentence = error.message;
    }
    sending -= group.length;
    updateTeaching();
  }
  if (failed.length && !signal.aborted) offerAgain(each, failed, sentence);
  trainAgain();
}

// Train at once on the pictures there are now, where there is a classifier already; what it answers
// meanwhile is the network before.
function trainAgain() {
  stale = true;
  if (["ready", "failed"].includes(state) && lesson && !sending && isComplete()) train(true);
}

// Make pictures ready to be sent, one after the other, in groups that the server takes at once.
async function* groups(chosen) {
  let [group, bytes] = [[], 0];
  for (const original of chosen) {
    const { file, thumb } = await prepared(original);
    const size = file.size + 1000;
    if (group.length === can.most_pictures || (group.length && bytes + size > can.most_bytes)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push({ original, file, thumb });
    bytes += size;
  }
  if (group.length) yield group;
}

function begin() {
  const { signal } = doing;
  beginning ||= request("POST", "/v1/lessons").then((response) => response.json()).then((found) => {
    if (!signal.aborted) lesson = found;
    return found;
  });
  return beginning.catch((error) => {
    if (!signal.aborted) beginning = null;
    throw error;
  });
}

function keep(each, { original, thumb }, { number, error }, signal) {
  if (error) return problem(each, say("not_kept", original.name, error));
  const button = make("button", { data: { label: "drop_picture" } }, thumb);
  button.setAttribute("aria-label", say("drop_picture"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await request("DELETE", `/v1/lessons/${lesson.name}/pictures/${number}`, undefined, signal);
    } catch (failure) {
      if (signal.aborted) return;
      button.disabled = false;
      problem(each, failure.message);
      return;
    }
    button.remove();
    each.pictures--;
    updateTeaching();
    trainAgain();
  });
  each.thumbs.append(button);
  each.pictures++;
}

function problem(each, sentence, ...buttons) {
  each.problems.append(make("div", { textContent: sentence }, ...buttons));
}

function offerAgain(each, failed, sentence) {
  const names = failed.slice(0, NAMED).map(({ name }) => name).join(", ") + (failed.length > NAMED ? ", …" : "");
  const again = make("button", { textContent: say("again"), data: { words: "again" } });
  again.addEventListener("click", () => send(each, failed));
  problem(each, `${say("failed", failed.length, names)} ${sentence}`);
  each.problems.append(again);
}

async function train(again) {
  const { signal } = doing;
  [state, message, begun, stale] = ["training", () => say("training"), performance.now(), false];
  if (again !== true) byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  updateTeaching();
  const names = classes.map((each) => nameOf(each) || null);
  const address = `/v1/lessons/${lesson.name}`;
  try {
    await request("POST", `${address}/train`, JSON.stringify({ classes: names }), signal);
  } catch (error) {
    const now = !signal.aborted && await latest(address, signal);
    // Perhaps only the response was lost, and the training runs.
    if (now?.state !== "training") return over("failed", () => error.message, now?.network, signal);
  }
  return watch(address, signal);
}

const latest = (address, signal) =>
  request("GET", address, undefined, signal).then((found) => found.json()).catch(() => null);

// Follow a training until it or the session has ended, even if the server does not respond meanwhile.
async function watch(address, signal) {
  for (let wait = LOOK_AGAIN; ; await pause(wait)) {
    let now;
    try {
      now = await (await request("GET", address, undefined, signal)).json();
      wait = LOOK_AGAIN;
    } catch (error) {
      if ([401, 404].includes(error.status) || signal.aborted) return over("failed", () => error.message, null, signal);
      wait = Math.min(2 * wait, MOST_WAIT);
      message = () => error.message;
      updateTeaching();
      continue;
    }
    const { history, kept_back: of } = now;
    if (history.length) draw(history);
    if (now.state === "failed") return over("failed", () => now.error, now.network, signal);
    if (now.state === "ready") {
      const seconds = Math.round((performance.now() - begun) / 100) / 10;
      const right = Math.round(best(history).val_accuracy * of);
      const [low, high] = interval(right, of).map(percent);
      return over("ready", () => say("ready", right, of, low, high, seconds), now.network, signal);
    }
    const right = history.length && Math.round(history.at(-1).val_accuracy * of);
    message = () => (history.length ? say("epoch", history.length, right, of) : say("training"));
    updateTeaching();
  }
}

// Wait so many milliseconds, or until the reader is here again, or the network is.
const pause = (milliseconds) => new Promise((resolve) => {
  setTimeout(resolve, milliseconds);
  window.addEventListener("online", resolve, { once: true });
  document.addEventListener("visibilitychange", resolve, { once: true });
});

// Say how a training ended, and offer the `network` that there is now, of this one or of one before.
function over(end, sentence, network, signal) {
  if (signal.aborted) return;
  [state, message] = [end, sentence];
  byId("try").hidden = byId("download").hidden = !network;
  if (network) {
    changed(lesson.name);
    tried.again(); // the bars move
  }
  updateTeaching();
  if (stale) trainAgain();
}

// The share that is right of all pictures like `of`, of which `right` are: 95%, by Wilson (1927).
function interval(right, of) {
  const [z, share] = [1.96, right / of];
  const [middle, width] = [share + z * z / (2 * of), z * Math.sqrt(share * (1 - share) / of + (z / of) ** 2 / 4)];
  const rounded = (end) => Math.round(1e9 * end / (1 + z * z / of)) / 1e9;
  return [rounded(middle - width), rounded(middle + width)];
}

const best = (history) => history.reduce((one, other) => (other.val_loss < one.val_loss ? other : one));

// Draw the accuracy after each epoch, in cross-validation and of what was learned; a dot is on the
// epoch whose network is kept.
function draw(history) {
  byId("curve").hidden = false;
  const width = Math.min(byId("curve").clientWidth, MOST_WIDE);
  const [height, left, bottom, right] = [190, 44, 24, 104];
  const x = (epoch) => left + ((epoch - 1) / Math.max(history.length - 1, 1)) * (width - left - right);
  const y = (share) => 10 + (1 - share) * (height - bottom - 10);
  const svg = draw.element("svg", { width, height, role: "img", "aria-label": say("kept_back") });
  for (const share of [0, 0.5, 1]) {
    svg.append(draw.element("line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) }));
    svg.append(draw.element("text", { x: left - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
  }
  for (const [name, kind, words] of [["accuracy", "own", "own"], ["val_accuracy", "val", "validation"]]) {
    const points = history.map((epoch) => `${x(epoch.epoch)},${y(epoch[name])}`).join(" ");
    svg.append(draw.element("polyline", { class: kind, points }));
    const last = history.at(-1);
    const other = last[name === "accuracy" ? "val_accuracy" : "accuracy"];
    const lies = last[name] === other ? (name === "accuracy" ? 1 : -1) : Math.sign(other - last[name]);
    const aside = lies * Math.max(0, APART - Math.abs(y(last[name]) - y(other))) / 2;
    const place = { x: x(last.epoch) + 12, y: y(last[name]) + 4 + aside };
    svg.append(draw.element("text", { ...place, class: kind }, say(words)));
  }
  const { epoch, val_accuracy } = best(history);
  svg.append(draw.element("circle", { cx: x(epoch), cy: y(val_accuracy), r: 4.5 }));
  byId("curve").replaceChildren(svg);
}

draw.element = (tag, attributes, text = "") => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
};

// The request carries the token, which a link would not.
async function download() {
  const { signal } = doing;
  try {
    const blob = await (await request("GET", `/v1/lessons/${lesson.name}/run.zip`, undefined, signal)).blob();
    const link = make("a", { href: URL.createObjectURL(blob), download: "run.zip" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } catch (error) {
    over(state, () => error.message, true, signal);
  }
}

// End all that is being done, here and on the server, and begin with nothing.
function forget() {
  doing.abort();
  beginning?.then(({ name }) => request("DELETE", `/v1/lessons/${name}`)).catch(() => {});
  [lesson, beginning, doing] = [null, null, new AbortController()];
  [state, message, sending] = ["collecting", null, 0];
  classes.length = 0;
  for (const id of ["classes", "try-predictions", "problems"]) byId(id).replaceChildren();
  byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  changed(null);
  addClass();
  addClass();
}

// A classifier of the reader's own: classes, their pictures, a training, and what came of it.

import { answerHere, groups } from "./ask.js";
import { photograph } from "./camera.js";
import { dropped, make, picked, preview } from "./pictures.js";
import { ask, form, useToken } from "./server.js";
import { percent, say } from "./words.js";

const byId = (id) => document.getElementById(id);
const LOOK_AGAIN = 300; // milliseconds
// Pixels: the widest curve, and from one line of text to the next.
const [MOST_WIDE, APART] = [640, 15];
const SVG = "http://www.w3.org/2000/svg";

let [can, lesson, state, sending] = [null, null, "collecting", 0];
let [message, begun, changed] = [null, 0, () => {}];
const classes = [];

// Open the place to teach. `ready` is called with the name of a lesson that can be asked, or null.
export function teachHere(abilities, ready) {
  [can, changed] = [abilities, ready];
  byId("token-row").hidden = !can.needs_token;
  byId("token").addEventListener("input", () => useToken(byId("token").value));
  byId("more").addEventListener("click", () => addClass().name.focus());
  byId("train").addEventListener("click", train);
  byId("download").addEventListener("click", download);
  byId("forget").addEventListener("click", forget);
  answerHere("try-", () => lesson.name, { ...can, look_alikes: false, imagenet: null });
  addClass();
  addClass();
  const again = 1000 * can.lesson_limits.unused / 4;
  setInterval(() => lesson && ask("GET", `/v1/lessons/${lesson.name}`).catch(() => {}), again);
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
  const take = (chosen) => send(each, chosen);
  dropped(element, take);
  picked(files, take, pick);
  hold.addEventListener("click", () =>
    photograph(take, true).catch((error) => { each.problems.textContent = error.message; }));
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

// A class that has neither a name nor pictures is left out, but keeps its number.
const used = () => classes.filter((each) => each.pictures || each.name.value.trim());

function isComplete() {
  const names = used().map((each) => each.name.value.trim());
  return names.length > 1 && names.every(Boolean) && new Set(names).size === names.length
    && used().every((each) => each.pictures > 1);
}

// Send pictures of a class to the server, which looks at them at once.
async function send(each, chosen) {
  sending += chosen.length;
  message = null;
  updateTeaching();
  each.problems.textContent = "";
  try {
    await begin();
    for (const group of groups(chosen.map((file) => ({ file })), can)) {
      const files = group.map(({ file }) => file);
      const address = `/v1/lessons/${lesson.name}/pictures?label=${each.label}`;
      const { pictures } = await (await ask("POST", address, form(files))).json();
      pictures.forEach((kept, place) => keep(each, files[place], kept));
      sending -= files.length;
      chosen = chosen.slice(files.length);
      updateTeaching();
    }
  } catch (error) {
    sending -= chosen.length;
    problem(each, error.message);
  }
  updateTeaching();
}

let beginning = null;
function begin() {
  beginning ||= ask("POST", "/v1/lessons").then((answer) => answer.json()).then((found) => { lesson = found; });
  return beginning.catch((error) => { beginning = null; throw error; });
}

function keep(each, file, { number, error }) {
  if (error) return problem(each, say("not_kept", file.name, error));
  const thumb = make("button", { data: { label: "drop_picture" } }, preview(file, file.name));
  thumb.setAttribute("aria-label", say("drop_picture"));
  thumb.addEventListener("click", async () => {
    thumb.remove();
    each.pictures--;
    updateTeaching();
    await ask("DELETE", `/v1/lessons/${lesson.name}/pictures/${number}`);
  });
  each.thumbs.append(thumb);
  each.pictures++;
}

function problem(each, sentence) {
  each.problems.append(make("div", { textContent: sentence }));
}

async function train() {
  [state, message, begun] = ["training", () => say("training"), performance.now()];
  byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  updateTeaching();
  const names = classes.map((each) => each.name.value.trim() || null);
  try {
    await ask("POST", `/v1/lessons/${lesson.name}/train`, JSON.stringify({ classes: names }));
    await watch();
  } catch (error) {
    [state, message] = ["failed", () => error.message];
  }
  updateTeaching();
}

// Follow a training until it has ended.
async function watch() {
  for (;;) {
    const now = await (await ask("GET", `/v1/lessons/${lesson.name}`)).json();
    const { history } = now;
    if (history.length) draw(history);
    if (now.state === "failed") throw new Error(now.error);
    if (now.state === "ready") {
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      const right = percent(best(history).val_accuracy);
      [state, message] = ["ready", () => say("ready", right, seconds)];
      byId("try").hidden = byId("download").hidden = false;
      changed(lesson.name);
      return;
    }
    if (history.length) message = () => say("epoch", history.length, percent(history.at(-1).val_accuracy));
    updateTeaching();
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

const best = (history) => history.reduce((one, other) => (other.val_loss < one.val_loss ? other : one));

// Draw the accuracy after each round, of the pictures kept back and of those learned from; a dot is
// on the round whose network is kept.
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
  const blob = await (await ask("GET", `/v1/lessons/${lesson.name}/run.zip`)).blob();
  const link = make("a", { href: URL.createObjectURL(blob), download: "run.zip" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function forget() {
  if (lesson) await ask("DELETE", `/v1/lessons/${lesson.name}`).catch(() => {});
  [lesson, beginning, state, message] = [null, null, "collecting", null];
  classes.length = 0;
  byId("classes").replaceChildren();
  byId("try-answers").replaceChildren();
  byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  changed(null);
  addClass();
  addClass();
}

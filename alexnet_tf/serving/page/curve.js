// The accuracy after each epoch, as a plot and as a table behind it.

import { byId, make } from "./elements.js";
import { percent, say } from "./i18n.js";

// Pixels: the widest curve, and from one line of text to the next.
const [MOST_WIDE, APART] = [640, 15];
const SVG = "http://www.w3.org/2000/svg";
const LINES = [["accuracy", "own", "own"], ["val_accuracy", "val", "validation"]];

/** Draw the accuracy in training and in cross-validation; a dot is on the epoch whose network is kept.
 * @param {{epoch: number, accuracy: number, val_accuracy: number, val_loss: number}[]} history */
export function drawCurve(history) {
  const place = byId("curve");
  place.hidden = false;
  const width = Math.min(place.clientWidth, MOST_WIDE);
  const [height, left, bottom, right] = [190, 44, 24, 104];
  const x = (epoch) => left + ((epoch - 1) / Math.max(history.length - 1, 1)) * (width - left - right);
  const y = (share) => 10 + (1 - share) * (height - bottom - 10);
  const svg = element("svg", { width, height, "aria-hidden": "true" });
  for (const share of [0, 0.5, 1]) {
    svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: y(share), y2: y(share) }));
    svg.append(element("text", { x: left - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
  }
  for (const [name, kind, words] of LINES) {
    const points = history.map((epoch) => `${x(epoch.epoch)},${y(epoch[name])}`).join(" ");
    svg.append(element("polyline", { class: kind, points }));
    const last = history.at(-1);
    const other = last[name === "accuracy" ? "val_accuracy" : "accuracy"];
    const lies = last[name] === other ? (name === "accuracy" ? 1 : -1) : Math.sign(other - last[name]);
    const aside = lies * Math.max(0, APART - Math.abs(y(last[name]) - y(other))) / 2;
    svg.append(element("text", { x: x(last.epoch) + 12, y: y(last[name]) + 4 + aside, class: kind }, say(words)));
  }
  const { epoch, val_accuracy: share } = history.reduce((one, other) => (other.val_loss < one.val_loss ? other : one));
  svg.append(element("circle", { cx: x(epoch), cy: y(share), r: 4.5 }));
  place.replaceChildren(svg, table(history));
}

function table(history) {
  const head = make("tr", {}, make("td"), ...LINES.map(([, , words]) => make("th", { scope: "col", textContent: say(words) })));
  const rows = history.map((epoch) => make("tr", {}, make("th", { scope: "row", textContent: epoch.epoch }),
    ...LINES.map(([name]) => make("td", { textContent: percent(epoch[name]) }))));
  return make("table", { className: "unseen" }, make("caption", { textContent: say("curve") }), head, ...rows);
}

function element(tag, attributes, text = "") {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.textContent = text;
  return found;
}

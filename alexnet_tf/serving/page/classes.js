// The classes: each is a group with its name, its pictures and what was wrong with them.

import { photograph } from "./camera.js";
import { confirmed } from "./dialogs.js";
import { byId, make } from "./elements.js";
import { dropped, picked } from "./files.js";
import { say } from "./i18n.js";
import { ask, begin, keepNames, lessonName } from "./lesson.js";
import { addThumb, thumbsOf } from "./thumbs.js";

/** @type {any[]} */
export const classes = [];

/** Return the name of a class as the server has it: é is one sign, and blanks are one.
 * @param {any} each */
export const nameOf = (each) => each.name.value.normalize("NFC").replace(/\s+/g, " ").trim();

/** Return the name of a class, or what it is called without one.
 * @param {any} each */
export const calledOf = (each) => nameOf(each) || say("nameless", { n: each.label + 1 });

/** Return how many pictures a class has.
 * @param {any} each */
export const count = (each) => each.thumbs.children.length;

/** Add a class, with the lowest number that is free.
 * @param {any} handlers What to do with pictures that are chosen (send) and files that are dropped (receive), when
 *   something is to be said anew (changed), and when there are other pictures to train on (retrain).
 * @param {number} [label] */
export function addClass(handlers, label = freeLabel()) {
  const button = (words) => make("button", { textContent: say(words), data: { words } });
  const [id, pick, hold, away] = [`class-${label}`, button("add"), button("hold"), button("delete_class")];
  away.className = "plain";
  const files = make("input", { type: "file", multiple: true, hidden: true, accept: "image/*" });
  const each = {
    ...handlers, label, pick, away, buttons: [pick, hold, away], isSent: false,
    name: make("input", { type: "text", maxLength: 60, dir: "auto", data: { label: "name" } }),
    duplicate: make("p", { id: `${id}-duplicate`, className: "duplicate" }),
    count: make("p", { className: "count soft" }),
    problems: make("div", { className: "problems", role: "alert" }),
    problem: (sentence, ...others) => each.problems.append(make("div", { textContent: sentence }), ...others),
  };
  each.thumbs = thumbsOf(each);
  each.name.setAttribute("aria-label", say("name"));
  each.name.setAttribute("aria-describedby", each.duplicate.id);
  each.element = make("div", { className: "class", role: "group" }, each.name, each.duplicate, each.count, each.thumbs,
    each.problems, make("p", { className: "buttons" }, ...each.buttons, files));
  dropped(each.element, (chosen) => each.receive(each, chosen));
  picked(files, (chosen) => each.send(each, chosen), pick);
  hold.addEventListener("click", () => photograph((chosen) => each.send(each, chosen), { many: true, input: files })
    .catch((error) => each.problem(error.message)));
  away.addEventListener("click", () => deleteClass(each));
  each.name.addEventListener("input", () => {
    begin().then(keepClasses, () => {}); // what trains takes seconds to start; pictures say what is wrong
    each.changed();
  });
  classes.push(each);
  byId("classes").append(each.element);
  each.changed();
  return each;
}

function freeLabel() {
  const used = new Set(classes.map(({ label }) => label));
  return [...Array(classes.length + 1).keys()].find((label) => !used.has(label));
}

/** Keep the names of the classes for the time after a reload. */
export const keepClasses = () => lessonName() && keepNames(classes.map((each) => [each.label, nameOf(each)]));

/** Show the classes from before a reload: their names, and the numbers of their pictures.
 * @param {any} handlers
 * @param {[number, string][]} names
 * @param {{number: number, label: number}[]} pictures */
export function restoreClasses(handlers, names, pictures) {
  const labels = new Set([...names.map(([label]) => label), ...pictures.map(({ label }) => label)]);
  if (labels.size) clearClasses();
  const known = new Map([...labels].map((label) => [label, addClass(handlers, label)]));
  for (const [label, name] of names) known.get(label).name.value = name;
  for (const { number, label } of pictures) addThumb(known.get(label), number, null);
}

/** Delete all classes in the page. */
export function clearClasses() {
  classes.length = 0;
  byId("classes").replaceChildren();
}

// Delete a class, here and on the server.
async function deleteClass(each) {
  const question = say("delete_question", { n: count(each), name: calledOf(each) });
  if (count(each) && !await confirmed(question, say("delete"))) return;
  try {
    if (lessonName()) await ask("DELETE", `/pictures?label=${each.label}`);
  } catch (error) {
    return each.problem(error.message);
  }
  const place = classes.indexOf(each);
  classes.splice(place, 1);
  each.element.remove();
  (classes[place]?.name ?? byId("more")).focus();
  keepClasses();
  each.retrain();
}

/** Say again how each class is, in the language chosen. */
export function updateClasses() {
  const names = classes.map(nameOf);
  for (const each of classes) {
    const called = calledOf(each);
    const isDuplicate = Boolean(nameOf(each)) && names.filter((name) => name === nameOf(each)).length > 1;
    each.element.setAttribute("aria-label", called);
    each.name.placeholder = say("name");
    each.name.setAttribute("aria-invalid", String(isDuplicate));
    each.duplicate.textContent = isDuplicate ? say("duplicate") : "";
    each.thumbs.setAttribute("aria-label", `${say("count", { n: count(each) })}: ${called}`);
    each.count.textContent = count(each) ? say("count", { n: count(each) }) : say("drop");
    for (const button of each.buttons) button.setAttribute("aria-label", `${button.textContent}: ${called}`);
  }
}

// A class that has neither a name nor pictures is left out, but keeps its number.
const used = () => classes.filter((each) => count(each) || nameOf(each));

/** Tell whether the classes can be trained on. */
export function isComplete() {
  const names = used().map(nameOf);
  return names.length > 1 && names.every(Boolean) && new Set(names).size === names.length
    && used().every((each) => count(each) > 1);
}

/** Return the names of the classes by number, null for those without. */
export function namesByLabel() {
  const found = Array(Math.max(...classes.map(({ label }) => label)) + 1).fill(null);
  for (const each of classes) found[each.label] = nameOf(each) || null;
  return found;
}

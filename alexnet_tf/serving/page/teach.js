// A classifier of the reader's own: its classes, its training, and what came of it.

import {
  addClass, calledOf, classes, clearClasses, count, isComplete, keepClasses, nameOf, restoreClasses, updateClasses,
} from "./classes.js";
import { confirmed } from "./dialogs.js";
import { byId, download, make, pressed } from "./elements.js";
import { foldersOf, isPicture, picked, unpacked } from "./files.js";
import { say } from "./i18n.js";
import { ask, end, lessonName, lessonSignal, resume } from "./lesson.js";
import { predictHere } from "./predict.js";
import { useToken } from "./server.js";
import { ended, follow, train } from "./training.js";
import { upload } from "./upload.js";
import { zipped } from "./zip.js";

const EMPTY = 2; // classes in the beginning

// What the server can, what to call with the name of a network that predicts, and what takes pictures to predict.
let [can, offered, tried] = [null, null, null];
// The state, pictures on their way, and what is said; whether pictures changed since the training began.
let [state, sending, message, isStale] = ["collecting", 0, null, false];
let isDue = false;
const handlers = { send, receive, changed, retrain };

/** Open the place to teach. `ready` is called with the name of a session that can be asked, or null.
 * @param {any} abilities
 * @param {(name: string | null) => void} ready */
export function teachHere(abilities, ready) {
  [can, offered] = [abilities, ready];
  byId("token-row").hidden = !can.needs_token;
  byId("token").addEventListener("input", () => useToken(byId("token").value));
  byId("token").addEventListener("change", () => lessonName() || goOn());
  byId("more").addEventListener("click", () => addClass(handlers).name.focus());
  picked(byId("folder"), (files) => receive(null, files), byId("folders"));
  picked(byId("project"), (files) => receive(null, files), byId("open"));
  byId("train").addEventListener("click", () => state === "training" || trainNow(false));
  pressed(byId("save"), save);
  pressed(byId("download"), downloadRun);
  byId("forget").addEventListener("click", forget);
  tried = predictHere("try-", lessonName, { ...can, look_alikes: false, imagenet: null });
  addEmpty();
  goOn();
  const again = 1000 * can.lesson_limits.unused / 4;
  setInterval(() => lessonName() && ask("GET").catch(() => {}), again);
}

/** Say again how things are, in the language chosen. */
export function updateTeaching() {
  if (!can) return; // a language was chosen before the place to teach is open
  const isHere = can.local && ["localhost", "[::1]"].includes(location.hostname.replace(/^127\..*/, "localhost"));
  const { unused, lessons, classes: most, pictures, bytes } = can.lesson_limits;
  const limits = { minutes: unused / 60, lessons, classes: most, pictures, gigabytes: bytes / 2 ** 30 };
  byId("kept").textContent = `${say(isHere ? "here" : "there", { host: location.host })} ${say("limits", limits)}`;
  updateClasses();
  byId("more").disabled = classes.length >= most;
  byId("save").disabled = sending > 0 || !classes.some(count);
  byId("train").disabled = !isComplete() || sending > 0;
  byId("train").ariaDisabled = state === "training" ? "true" : null;
  byId("status").textContent = message ? message()
    : sending ? say("sending", { n: sending }) : say(isComplete() ? "enough" : "need");
}

// Show that classes changed, once for all pictures that come together.
function changed() {
  if (state !== "training") message = null;
  if (!isDue) queueMicrotask(() => {
    isDue = false;
    updateTeaching();
  });
  isDue = true;
}

// Show that pictures changed; train on them if there is a network already.
function retrain() {
  changed();
  isStale = true;
  trainAgain();
}

// Go on with what was there before the page was loaded again.
async function goOn() {
  byId("teach").inert = true; // what is named now would be another session's
  try {
    const kept = await resume(tell);
    message = null;
    byId("teach").inert = false;
    if (!kept) return;
    state = kept.found.state;
    restoreClasses(handlers, kept.names, kept.pictures);
    if (kept.found.state === "training") await watched(() => follow(tell));
    else if (kept.found.state !== "collecting") over(ended(kept.found));
  } catch (error) {
    byId("teach").inert = false;
    tell(() => error.message);
  }
}

function addEmpty() {
  while (classes.length < EMPTY) addClass(handlers);
}

async function send(each, chosen) {
  const signal = lessonSignal();
  sending += chosen.length;
  changed();
  await upload(each, chosen, can, (count) => {
    sending -= count;
    keepClasses();
    changed();
  });
  if (!signal.aborted) retrain();
}

// Take what was dropped on a class, or chosen for none: of several folders each is a class.
async function receive(each, given) {
  const problems = byId("teach-problems");
  problems.replaceChildren();
  const problem = (sentence) => problems.append(make("div", { textContent: sentence }));
  let files = given;
  try {
    files = await unpacked(given);
  } catch (error) {
    return problem(error.message);
  }
  const pictures = files.filter((file) => !foldersOf(file).length || isPicture(file));
  const level = new Set(files.map((file) => foldersOf(file)[0])).size > 1 ? 0 : 1;
  const folders = new Map();
  for (const file of pictures) {
    const found = foldersOf(file);
    const name = found[level] ?? found[0] ?? "";
    if (!folders.has(name)) folders.set(name, []);
    folders.get(name).push(file);
  }
  for (const [name, own] of folders) {
    const goesTo = (each && (!name || folders.size === 1) && each) || classOf(name);
    if (goesTo) {
      if (name && !nameOf(goesTo)) goesTo.name.value = name.slice(0, goesTo.name.maxLength);
      send(goesTo, own);
    } else problem(`${name}: ${say("full")}`);
  }
  const left = files.length - pictures.length;
  if (left) problem(say("left_out", { n: left }));
}

// Find the class of that name, or one that is nothing yet, or add one, if there can be more.
function classOf(name) {
  return classes.find((each) => nameOf(each) === name.normalize("NFC"))
    ?? classes.find((each) => !count(each) && !nameOf(each) && !each.isSent)
    ?? (classes.length < can.lesson_limits.classes ? addClass(handlers) : null);
}

// Train at once on the pictures there are now, if there is a network already; what it predicts
// meanwhile is by the network before.
function trainAgain() {
  if (isStale && ["ready", "failed"].includes(state) && lessonName() && !sending && isComplete()) trainNow(true);
}

async function trainNow(again) {
  if (!again) byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  isStale = false;
  keepClasses();
  await watched(() => train(tell));
}

async function watched(training) {
  const signal = lessonSignal();
  state = "training";
  const found = await training();
  if (!signal.aborted) over(found);
}

function tell(sentence) {
  message = sentence;
  updateTeaching();
}

// Say how a training ended, and offer the network that there is now, of this one or of one before.
function over({ failed, sentence, network }) {
  state = failed ? "failed" : "ready";
  byId("try").hidden = byId("download").hidden = !network;
  if (network) {
    offered(lessonName());
    tried.again(); // the bars move
  }
  tell(sentence);
  trainAgain();
}

// The request carries the token, which a link would not.
async function downloadRun() {
  try {
    download(await (await ask("GET", "/run.zip")).blob(), "run.zip");
  } catch (error) {
    tell(() => error.message);
  }
}

// Save the pictures as a zip with a folder for each class, which the page opens and the program trains on.
async function save() {
  /** @type {[string, Blob][]} */
  const entries = [];
  let left = classes.map(count).reduce((one, other) => one + other);
  try {
    for (const each of classes) {
      for (const { dataset: { number } } of each.thumbs.children) {
        tell(() => say("saving", { n: left }));
        entries.push([`${folderOf(calledOf(each))}/${number}.jpg`, await (await ask("GET", `/pictures/${number}`)).blob()]);
        left--;
      }
    }
    download(await zipped(entries), "project.zip");
    message = null;
  } catch (error) {
    message = () => error.message;
  }
  updateTeaching();
}

// What no file's name may have becomes the wide sign that looks like it.
const folderOf = (name) => name.replace(/[/\\:*?"<>|]|^\.|\.$/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0));

// Begin with nothing, here and on the server.
async function forget() {
  const pictures = classes.map(count).reduce((one, other) => one + other, 0);
  if (lessonName() && !await confirmed(say("forget_question", { n: pictures }), say("delete"))) return;
  const ending = end();
  [state, message, sending, isStale] = ["collecting", null, 0, false];
  clearClasses();
  for (const id of ["try-predictions", "teach-problems"]) byId(id).replaceChildren();
  byId("try").hidden = byId("download").hidden = byId("curve").hidden = true;
  offered(null);
  addEmpty();
  classes[0].name.focus();
  await ending.catch(() => tell(() => say("not_forgotten", { minutes: can.lesson_limits.unused / 60 })));
}

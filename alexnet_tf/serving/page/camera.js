// The camera: a picture at a press, or many while the button is held, and what is predicted meanwhile.

import { blobOf, drawn } from "./shrink.js";
import { byId, make } from "./elements.js";
import { say } from "./i18n.js";

// Milliseconds between two pictures, and between two predictions; pixels of a picture to predict.
const [BETWEEN, APART, SEEN] = [200, 100, 320];
const PROBLEMS = {
  NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing",
};
let [isOpening, facing] = [false, "environment"];

/** Open the camera until its dialog is closed. `take` gets each picture; with `many` the dialog stays
 * open. `live` is called with a small picture, again and again, and returns what to show of it.
 * Raises an Error with a sentence if there is no camera to use, after opening `input` instead.
 * @param {(files: File[]) => void} take
 * @param {{many?: boolean, live?: (picture: File) => Promise<Element[]>, input: HTMLInputElement}} options */
export async function photograph(take, { many = false, live, input }) {
  if (isOpening) return; // the browser asks the reader already
  isOpening = true;
  const [dialog, video, shutter] = [byId("camera"), byId("video"), byId("shutter")];
  try {
    video.srcObject = await opened();
  } catch (error) {
    input.click();
    throw new Error(problemOf(error));
  } finally {
    isOpening = false;
  }
  const over = new AbortController();
  const listening = { signal: over.signal };
  dialog.addEventListener("close", () => {
    over.abort();
    stop(video);
  }, { once: true });
  shutter.textContent = say(many ? "shutter_held" : "shutter");
  byId("taken").textContent = "";
  byId("live").replaceChildren();
  dialog.showModal();
  whenPressed(shutter, many, listening, shutterOf(video, (count, file) => {
    byId("taken").textContent = say("taken", { n: count });
    take([file]);
    if (!many) dialog.close();
  }));
  offerOther(video, listening);
  await video.play();
  if (live) watch(video, live, over.signal);
}

const problemOf = (error) =>
  say(`camera_${navigator.mediaDevices ? PROBLEMS[error.name] ?? "busy" : "insecure"}`);

const opened = () => navigator.mediaDevices.getUserMedia({ video: { facingMode: facing } });

function stop(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

// Return the function that takes a picture, if the camera shows one and the last is a moment ago.
function shutterOf(video, take) {
  let [count, latest] = [0, -BETWEEN];
  return async () => {
    if (!video.videoWidth || performance.now() - latest < BETWEEN * 0.9) return;
    latest = performance.now();
    const number = ++count;
    const content = await blobOf(drawn(video, 1));
    take(number, new File([content], `photo ${number}.jpg`, { type: content.type }));
  };
}

// A click takes a picture, by whatever means; if there may be `many`, a held button takes others.
function whenPressed(shutter, many, listening, shoot) {
  let timer = 0;
  const end = () => { clearInterval(timer); timer = 0; };
  shutter.addEventListener("click", shoot, listening);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) shutter.addEventListener(name, end, listening);
  listening.signal.addEventListener("abort", end);
  if (many) shutter.addEventListener("pointerdown", () => { timer ||= setInterval(shoot, BETWEEN); }, listening);
}

// Offer the camera on the other side, if there is one.
async function offerOther(video, listening) {
  const other = byId("switch");
  const devices = await navigator.mediaDevices.enumerateDevices();
  other.hidden = devices.filter(({ kind }) => kind === "videoinput").length < 2;
  other.addEventListener("click", async () => {
    facing = facing === "user" ? "environment" : "user";
    stop(video); // a phone opens one at a time
    try {
      video.srcObject = await opened();
      await video.play();
    } catch (error) {
      byId("taken").textContent = problemOf(error);
    }
  }, listening);
}

// Show what is predicted of what the camera sees; the next picture waits for the response.
async function watch(video, live, signal) {
  while (!signal.aborted) {
    const pause = new Promise((resolve) => setTimeout(resolve, APART));
    if (video.videoWidth && !document.hidden) {
      const content = await blobOf(drawn(video, Math.min(1, SEEN / Math.max(video.videoWidth, video.videoHeight))));
      const shown = await live(new File([content], "camera.jpg")).catch((error) =>
        [make("p", { className: "problems", textContent: error.message })]);
      byId("live").replaceChildren(...shown);
    }
    await pause;
  }
}

byId("close").addEventListener("click", () => byId("camera").close());

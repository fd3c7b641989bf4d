// The camera: one picture at a press, or many while the button is held.

import { say } from "./i18n.js";

const BETWEEN = 200; // milliseconds from one picture to the next
const byId = (id) => document.getElementById(id);

// Photograph into `take`, file after file, until the dialog is closed; with `many` while the button
// is held. Without a camera that the page may use, `input`, of a phone's own, takes one.
export async function photograph(take, many, input) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    if (input) input.click();
    else throw new Error(say("no_camera"));
    return;
  }
  const [dialog, video, shutter] = [byId("camera"), byId("video"), byId("shutter")];
  let [count, timer] = [0, 0];
  const shoot = async () => {
    const file = await frame(video, count + 1);
    byId("taken").textContent = say("taken", ++count);
    take([file]);
    if (!many) dialog.close();
  };
  const begin = (event) => {
    if (timer || event.repeat || (event.type === "keydown" && ![" ", "Enter"].includes(event.key))) return;
    event.preventDefault();
    shoot();
    if (many) timer = setInterval(shoot, BETWEEN);
  };
  const end = () => { clearInterval(timer); timer = 0; };
  const listeners = { pointerdown: begin, keydown: begin, pointerup: end, pointerleave: end, keyup: end, blur: end };
  for (const [name, listener] of Object.entries(listeners)) shutter.addEventListener(name, listener);
  dialog.addEventListener("close", () => {
    end();
    for (const [name, listener] of Object.entries(listeners)) shutter.removeEventListener(name, listener);
    for (const track of stream.getTracks()) track.stop();
  }, { once: true });
  shutter.textContent = say(many ? "shutter_held" : "shutter");
  byId("taken").textContent = "";
  video.srcObject = stream;
  dialog.showModal();
  await video.play();
}

async function frame(video, number) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return new File([blob], `photo ${number}.jpg`, { type: "image/jpeg" });
}

byId("close").addEventListener("click", () => byId("camera").close());

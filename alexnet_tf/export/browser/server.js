// What a page in one file asks instead of a server: the network in the file, by ONNX Runtime.

import { byId } from "./elements.js";
// @ts-expect-error: unpacked by `export`
import { InferenceSession, Tensor, env } from "./ort.wasm.bundle.min.mjs";
import { drawn } from "./shrink.js";

// Classes of a picture that are shown, as the server has them.
const SHOWN = 5;
const { responses, classes, least } = JSON.parse(byId("responses").textContent);

const network = opened();
network.catch(() => {}); // said of each picture
let turn = Promise.resolve();

/** Respond to a request of the page: for what is in the file, or for predictions of pictures.
 * @param {string} _method
 * @param {string} address
 * @param {File[]} [pictures] */
export async function request(_method, address, pictures) {
  if (!pictures) return { json: async () => responses[address] };
  const found = turn.then(async () => {
    const predictions = [];
    for (const picture of pictures) predictions.push(await predicted(picture));
    return { predictions, network: "" };
  });
  turn = /** @type {any} */ (found.catch(() => {})); // one picture at a time
  return { json: () => found };
}

/** Return pictures for a request.
 * @param {File[]} files */
export const form = (files) => files;

async function opened() {
  const [runtime, model] = await Promise.all(["runtime", "model"].map(unpacked));
  Object.assign(env.wasm, { numThreads: 1, wasmBinary: runtime });
  return InferenceSession.create(new Uint8Array(model));
}

// Return the bytes in an element, gzip in base64, and free its text.
async function unpacked(id) {
  const element = byId(id);
  const letters = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function predicted(file) {
  const session = await network;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return { file: file.name, error: "is no picture that this browser reads" };
  const { probabilities, novelty } = await session.run({ pixels: pixelsOf(bitmap) });
  const top = classes.map((label, place) => ({ label, probability: probabilities.data[place] }))
    .sort((one, other) => other.probability - one.probability).slice(0, SHOWN);
  return { file: file.name, ...top[0], top, novelty: novelty?.data[0] };
}

// Return a picture as uint8 RGB (1, H, W, 3); a large one at 1/2, 1/4 or 1/8 of its size as long as
// no side falls below `least` pixels, as the program decodes a JPEG.
function pixelsOf(bitmap) {
  let part = 1;
  while (part < 8 && Math.min(bitmap.width, bitmap.height) >= 2 * part * least) part *= 2;
  const canvas = drawn(bitmap, 1 / part);
  bitmap.close();
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  canvas.width = canvas.height = 0; // frees its memory, before garbage collection
  const pixels = new Uint8Array(3 * width * height);
  for (let place = 0; place < pixels.length; place++) pixels[place] = data[place + Math.floor(place / 3)];
  return new Tensor("uint8", pixels, [1, height, width, 3]);
}

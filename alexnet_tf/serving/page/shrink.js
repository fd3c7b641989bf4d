// Pictures made as small as training needs, and thumbnails.

import { blank, make, preview } from "./elements.js";

// Pixels of the longer and of the shorter side of what is sent, as far as there are so many, and of
// a thumbnail; JPEG's quality.
const [LONG, SHORT, THUMB, QUALITY] = [1024, 320, 160, 0.9];

let turn = Promise.resolve();

/** Return a picture as a smaller file, if the browser can make one, and a thumbnail; one after the
 * other, because a phone's photo takes 50 MB while it is drawn.
 * @param {File} file
 * @returns {Promise<{file: File, thumb: Element}>} */
export function prepared(file) {
  const own = turn.then(() => shrunk(file));
  turn = /** @type {any} */ (own);
  return own;
}

async function shrunk(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const sides = [bitmap.width, bitmap.height];
    const share = Math.max(LONG / Math.max(...sides), SHORT / Math.min(...sides));
    const thumb = await thumbOf(bitmap);
    const small = share < 1 ? await blobOf(drawn(bitmap, share)) : file;
    bitmap.close();
    return { file: small.size < file.size ? new File([small], file.name, { type: small.type }) : file, thumb };
  } catch {
    return { file, thumb: blank() };
  }
}

/** Return a thumbnail of a picture, or a sign in its place.
 * @param {Blob} picture */
export async function thumbnail(picture) {
  try {
    const bitmap = await createImageBitmap(picture);
    const thumb = await thumbOf(bitmap);
    bitmap.close();
    return thumb;
  } catch {
    return blank();
  }
}

// A small JPEG, which the browser decodes while it is seen; two thousand canvases take half a gigabyte.
const thumbOf = async (bitmap) =>
  preview(await blobOf(drawn(bitmap, THUMB / Math.max(bitmap.width, bitmap.height))), "");

/** Draw a picture, or what a video shows, at a share of its size, upright; what is transparent is white, as the
 * program has it.
 * @param {any} source
 * @param {number} share
 * @returns {HTMLCanvasElement} */
export function drawn(source, share) {
  const sides = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
  const [width, height] = sides.map((side) => Math.max(1, side * share));
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Return what a canvas shows as a JPEG, and free its memory: garbage collection would take a gigabyte first.
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>} */
export const blobOf = (canvas) => new Promise((resolve, reject) => {
  canvas.toBlob((blob) => {
    canvas.width = canvas.height = 0;
    if (blob) resolve(blob);
    else reject(new Error());
  }, "image/jpeg", QUALITY);
});

// Files that people drop or choose, also in folders and in zips.

import { unzipped } from "./zip.js";

// The folders of dropped files and of a zip's; those that a folder's input gives say it themselves.
const places = new WeakMap();

/** Return the folders that a file was in, from the one that was dropped or chosen.
 * @param {File} file
 * @returns {string[]} */
export const foldersOf = (file) =>
  (places.get(file) ?? file.webkitRelativePath).split("/").slice(0, -1).filter(Boolean);

/** Tell whether a file is probably a picture; the server says it of all that are sent.
 * @param {File} file */
export const isPicture = (file) => file.type.startsWith("image/")
  || /\.(avif|bmp|gif|hei[cf]|jpe?g|png|tiff?|webp)$/i.test(file.name);

const isZip = (file) => /\.zip$/i.test(file.name);

/** Return files, and in the place of each zip the files in it.
 * @param {File[]} files
 * @returns {Promise<File[]>} */
export async function unpacked(files) {
  const found = [];
  for (const file of files) {
    if (!isZip(file)) found.push(file);
    else for (const [path, inner] of await unzipped(file)) {
      places.set(inner, path);
      found.push(inner);
    }
  }
  return found;
}

// Find the files in what was dropped, also in folders.
async function filesIn(entries) {
  const files = [];
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((resolve) => { entry.file(resolve, () => resolve(null)); });
      if (file) files.push(file) && places.set(file, entry.fullPath);
      continue;
    }
    const reader = entry.createReader(); // which lists some at a time
    for (let found = [null]; found.length;) {
      found = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
      files.push(...await filesIn(found));
    }
  }
  return files;
}

/** Yield groups of items, each with its file, that the server takes at once.
 * @param {Iterable<any> | AsyncIterable<any>} items
 * @param {{most_pictures: number, most_bytes: number}} can */
export async function* groups(items, can) {
  let [group, bytes] = [[], 0];
  for await (const item of items) {
    const size = item.file.size + 1000;
    if (group.length === can.most_pictures || (group.length && bytes + size > can.most_bytes)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(item);
    bytes += size;
  }
  if (group.length) yield group;
}

/** Call `take` with the files that are dropped on an element, also in folders.
 * @param {HTMLElement} element
 * @param {(files: File[]) => void} take */
export function dropped(element, take) {
  let depth = 0;
  const over = (change) => element.classList.toggle("over", (depth = Math.max(0, depth + change)) > 0);
  element.addEventListener("dragenter", () => over(1));
  element.addEventListener("dragleave", () => over(-1));
  element.addEventListener("drop", async (event) => {
    over(-depth);
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const hasFolder = entries.some((entry) => entry.isDirectory);
    const files = hasFolder ? await filesIn(entries) : [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

/** Call `take` with the files that are chosen in an input, which a button may open.
 * @param {HTMLInputElement} input
 * @param {(files: File[]) => void} take
 * @param {HTMLElement} [button] */
export function picked(input, take, button) {
  button?.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) take([...input.files]);
    input.value = "";
  });
}

// What is dropped beside the places for it does not leave the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

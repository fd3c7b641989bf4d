// Pictures that people drop, paste, pick or photograph; and elements that show them.

// Make an element with properties and children.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { data, ...others } = properties;
  Object.assign(element, others);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

// Show a picture of the reader's own; a sign in its place where the browser cannot.
export function preview(file, alt) {
  const image = make("img", { alt, src: URL.createObjectURL(file) });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  image.addEventListener("error", () => image.replaceWith(blank()), { once: true });
  return image;
}

// Pixels of the longer and of the shorter side of what is sent to be learned from, as far as there
// are so many, and of a thumbnail; JPEG's quality.
const [LONG, SHORT, THUMB, QUALITY] = [1024, 320, 160, 0.9];

// Return a picture as a smaller file, where the browser can make one, and a thumbnail; one after the
// other, for a phone's photo takes 50 MB while it is drawn.
export function prepared(file) {
  turn = turn.then(() => shrunk(file));
  return turn;
}

let turn = Promise.resolve();

async function shrunk(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const sides = [bitmap.width, bitmap.height];
    const share = Math.max(LONG / Math.max(...sides), SHORT / Math.min(...sides));
    const thumb = drawn(bitmap, THUMB / Math.max(...sides));
    const small = share < 1 ? await blobOf(drawn(bitmap, share)) : file;
    bitmap.close();
    return { file: small.size < file.size ? new File([small], file.name, { type: small.type }) : file, thumb };
  } catch {
    return { file, thumb: blank() };
  }
}

// Draw a picture at a share of its size, upright; what is transparent is white, as the program has it.
function drawn(bitmap, share) {
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, side * share));
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const blobOf = (canvas) => new Promise((resolve, reject) => {
  canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error())), "image/jpeg", QUALITY);
});

const blank = () => make("div", { className: "blank", textContent: "?" });

// Where dropped files lie, as what a folder's input picks says itself.
const places = new WeakMap();

// Return the folders that a file was in, from the one that was dropped or picked.
export const foldersOf = (file) =>
  (places.get(file) ?? file.webkitRelativePath).split("/").slice(0, -1).filter(Boolean);

// Tell whether a file is probably a picture; the server says it of all that are sent.
export const isPicture = (file) => file.type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(file.name);

// Find the files in what was dropped, those in folders too.
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

// Call `take` with the files that are dropped on an element, in folders too.
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

// Call `take` with the files that are picked in an input, which a button may open.
export function picked(input, take, button) {
  button?.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) take([...input.files]);
    input.value = "";
  });
}

// What is dropped beside the places for it does not leave the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

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
  image.addEventListener("error", () => image.replaceWith(make("div", { className: "blank", textContent: "?" })),
    { once: true });
  return image;
}

// Call `take` with the files that are dropped on an element.
export function dropped(element, take) {
  let depth = 0;
  const over = (change) => element.classList.toggle("over", (depth = Math.max(0, depth + change)) > 0);
  element.addEventListener("dragenter", () => over(1));
  element.addEventListener("dragleave", () => over(-1));
  element.addEventListener("drop", (event) => {
    over(-depth);
    event.preventDefault();
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
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

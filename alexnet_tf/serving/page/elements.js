// Elements of the page.

/** Return the element of that id.
 * @param {string} id
 * @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Return the elements that a selector finds.
 * @param {string} selector
 * @returns {HTMLElement[]} */
export const all = (selector) => [...document.querySelectorAll(/** @type {any} */ (selector))];

/** Make an element with properties, data attributes and children.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string)} children
 * @returns {any} */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { data, ...others } = properties;
  Object.assign(element, others);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** Return the sign in the place of a picture that the browser cannot show. */
export const blank = () => make("div", { className: "blank", textContent: "?" });

/** Show a picture of the reader's own, or a sign in its place.
 * @param {Blob} file
 * @param {string} alt */
export function preview(file, alt) {
  const image = make("img", { alt, src: URL.createObjectURL(file) });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  image.addEventListener("error", () => image.replaceWith(blank()), { once: true });
  return image;
}

/** Tell those who do not see the page one short sentence.
 * @param {string} sentence */
export function announce(sentence) {
  byId("announced").textContent = sentence;
}

/** Do some work at a press of a button, which does nothing more until then; it keeps the focus, which a
 * disabled one would lose.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} work */
export function pressed(button, work) {
  button.addEventListener("click", async () => {
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    await work().finally(() => { button.ariaDisabled = null; });
  });
}

/** Let the reader save a file.
 * @param {Blob} blob
 * @param {string} name */
export function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

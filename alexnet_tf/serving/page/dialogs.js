// Dialogs: a question, and a picture at full size.

import { blank, byId, preview } from "./elements.js";

/** Ask a question; return whether the answer is yes.
 * @param {string} question
 * @param {string} yes The words of the button that says so. */
export async function confirmed(question, yes) {
  byId("question-words").textContent = question;
  byId("yes").textContent = yes;
  return await opened("question") === "yes";
}

/** Show a picture, or a sign if there is none; return whether it is to be removed.
 * @param {Blob | null} picture
 * @param {string} name */
export async function enlarged(picture, name) {
  byId("enlarged-title").textContent = name;
  byId("enlarged-picture").replaceChildren(picture ? preview(picture, name) : blank());
  return await opened("enlarged") === "remove";
}

// The value of the button that closes a dialog; Escape closes it, too.
function opened(id) {
  const dialog = byId(id);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

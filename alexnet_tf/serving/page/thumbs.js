// The thumbnails of a class: a press enlarges one, and there or by the Delete key it is removed, until undone.

import { announce, blank, make, pressed } from "./elements.js";
import { enlarged } from "./dialogs.js";
import { say } from "./i18n.js";
import { ask, lessonSignal } from "./lesson.js";
import { form } from "./server.js";
import { thumbnail } from "./shrink.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

// Thumbnails that a reload left to be fetched, as soon as they are seen.
const unseen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    unseen.unobserve(target);
    fetched = fetched.then(() => pictureOf(target)).then(thumbnail).then((thumb) => target.replaceChildren(thumb))
      .catch(() => {});
  }
});
let fetched = Promise.resolve();

const pictureOf = async (button) => (await ask("GET", `/pictures/${button.dataset.number}`)).blob();

/** Return a place for the thumbnails of a class, which the Tab key reaches once.
 * @param {any} each The class. */
export function thumbsOf(each) {
  const thumbs = make("div", { className: "thumbs", role: "toolbar" });
  thumbs.addEventListener("keydown", (event) => {
    const buttons = [...thumbs.children];
    const place = buttons.indexOf(event.target);
    if (event.key === "Delete") remove(each, event.target);
    else if (event.key in STEPS) {
      event.preventDefault();
      focus(buttons[Math.min(buttons.length - 1, Math.max(0, place + STEPS[event.key]))]);
    }
  });
  return thumbs;
}

/** Show a picture that the server has, once; without `thumb` it is fetched when it is seen.
 * @param {any} each
 * @param {number} number
 * @param {Element | null} thumb
 * @param {Element | null} [before] The thumbnail that it comes before, if not last. */
export function addThumb(each, number, thumb, before = null) {
  if (thumbOf(each, number)) return; // the class has the same picture already
  const button = make("button", { tabIndex: each.thumbs.children.length ? -1 : 0, data: { number } }, thumb ?? blank());
  button.setAttribute("aria-label", say("thumb", { n: number }));
  if (!thumb) unseen.observe(button);
  button.addEventListener("click", async () => {
    const picture = await pictureOf(button).catch(() => null);
    if (await enlarged(picture, say("thumb", { n: number }))) remove(each, button);
  });
  each.thumbs.insertBefore(button, before);
  each.changed();
}

const thumbOf = (each, number) => each.thumbs.querySelector(`[data-number="${number}"]`);

function focus(button) {
  for (const other of button.parentElement.children) other.tabIndex = other === button ? 0 : -1;
  button.focus();
}

// Remove a picture as soon as the server says so, and offer to undo that.
async function remove(each, button) {
  if (button.disabled) return;
  const signal = lessonSignal();
  button.disabled = true;
  each.problems.replaceChildren();
  try {
    const picture = await pictureOf(button).catch((error) => {
      if (error.status !== 404) throw error;
      return null; // removed already, but the response was lost
    });
    await ask("DELETE", `/pictures/${button.dataset.number}`);
    const [thumb, next] = [button.firstChild, button.nextElementSibling];
    const neighbour = next ?? button.previousElementSibling;
    button.remove();
    if (neighbour) focus(neighbour);
    else each.pick.focus();
    if (picture) offerUndo(each, picture, thumb, next);
    each.retrain();
  } catch (error) {
    if (signal.aborted) return;
    button.disabled = false;
    each.problem(error.message);
  }
}

function offerUndo(each, picture, thumb, next) {
  const undo = make("button", { textContent: say("undo") });
  pressed(undo, async () => {
    try {
      const file = new File([picture], "picture");
      const added = await ask("POST", `/pictures?label=${each.label}`, form([file]));
      const { number, error } = (await added.json()).pictures[0];
      if (error) throw new Error(error);
      addThumb(each, number, thumb, next?.isConnected ? next : null);
      each.problems.replaceChildren();
      focus(thumbOf(each, number));
      each.retrain();
    } catch (error) {
      each.problem(error.message);
    }
  });
  each.problem(say("removed"), undo);
  announce(say("removed"));
}

// A training on the server, followed until it has ended.

import { namesByLabel } from "./classes.js";
import { drawCurve } from "./curve.js";
import { percent, say } from "./i18n.js";
import { ask, lessonSignal } from "./lesson.js";
import { pause } from "./server.js";

// Milliseconds between two requests about a training, and the most if the server does not respond.
const [LOOK_AGAIN, MOST_WAIT] = [300, 10000];

/** Train on the pictures that the server has. `say` is called with a sentence while it goes on; returns
 * how it ended: a sentence, whether it failed, and whether there is a network.
 * @param {(sentence: () => string) => void} tell */
export async function train(tell) {
  const [signal, begun] = [lessonSignal(), performance.now()];
  tell(() => say("busy"));
  try {
    await ask("POST", "/train", JSON.stringify({ classes: namesByLabel() }));
  } catch (error) {
    const now = signal.aborted ? null : await ask("GET").then((found) => found.json()).catch(() => null);
    // Perhaps only the response was lost, and the training runs.
    if (now?.state !== "training") return { failed: true, sentence: () => error.message, network: now?.network };
  }
  return follow(tell, begun);
}

/** Follow a training that goes on, even if the server does not respond meanwhile.
 * @param {(sentence: () => string) => void} tell
 * @param {number | null} [begun] The time at which it began, if that is known. */
export async function follow(tell, begun = null) {
  const signal = lessonSignal();
  for (let wait = LOOK_AGAIN; ; await pause(wait)) {
    let now;
    try {
      now = await (await ask("GET")).json();
      wait = LOOK_AGAIN;
    } catch (error) {
      if ([401, 404].includes(error.status) || signal.aborted)
        return { failed: true, sentence: () => error.message, network: null };
      wait = Math.min(2 * wait, MOST_WAIT);
      tell(() => error.message);
      continue;
    }
    if (now.state !== "training") return ended(now, begun);
    const { history, kept_back: of } = now;
    if (history.length) drawCurve(history);
    const right = history.length && Math.round(history.at(-1).val_accuracy * of);
    tell(() => (history.length ? say("epoch", { n: history.length, right, of }) : say("busy")));
  }
}

/** Return how a training ended that has ended.
 * @param {any} now
 * @param {number | null} [begun] */
export function ended({ state, error, history, kept_back: of, network }, begun = null) {
  if (history.length) drawCurve(history);
  if (state === "failed") return { failed: true, sentence: () => say("training_failed", { reason: error }), network };
  const seconds = begun !== null && Math.round((performance.now() - begun) / 100) / 10;
  const best = history.reduce((one, other) => (other.val_loss < one.val_loss ? other : one));
  const right = Math.round(best.val_accuracy * of);
  const sentence = () => {
    const [low, high] = interval(right, of).map(percent);
    return `${seconds ? say("took", { n: seconds }) : ""} ${say("ready", { right, of, low, high })}`.trim();
  };
  return { failed: false, sentence, network };
}

// The 95% interval of a share of which `right` of `of` were observed, by Wilson (1927).
function interval(right, of) {
  const [z, share] = [1.96, right / of];
  const [middle, width] = [share + z * z / (2 * of), z * Math.sqrt(share * (1 - share) / of + (z / of) ** 2 / 4)];
  const rounded = (end) => Math.round(1e9 * end / (1 + z * z / of)) / 1e9;
  return [rounded(middle - width), rounded(middle + width)];
}

// Pictures sent to the server, in groups; those that do not arrive can be sent again.

import { make } from "./elements.js";
import { groups } from "./files.js";
import { say } from "./i18n.js";
import { ask, begin, lessonSignal } from "./lesson.js";
import { form, sentence } from "./server.js";
import { prepared } from "./shrink.js";
import { addThumb } from "./thumbs.js";

const NAMED = 3; // of the pictures that did not arrive

/** Send pictures of a class to the server, which looks at them at once.
 * @param {any} each
 * @param {File[]} chosen
 * @param {any} can
 * @param {(count: number) => void} sent Called with how many fewer are on their way. */
export async function upload(each, chosen, can, sent) {
  const signal = lessonSignal();
  const failed = [];
  let reason = "";
  each.isSent = each.away.disabled = true;
  each.problems.replaceChildren();
  for await (const group of groups(ready(chosen), can)) {
    try {
      await begin();
      if (signal.aborted) return;
      const added = await ask("POST", `/pictures?label=${each.label}`, form(group.map(({ file }) => file)));
      const { pictures } = await added.json();
      pictures.forEach((kept, place) => keep(each, group[place], kept));
    } catch (error) {
      if (signal.aborted) return;
      failed.push(...group.map(({ original }) => original));
      reason = error.message;
    }
    sent(group.length);
  }
  each.away.disabled = false;
  if (failed.length) offerAgain(each, failed, reason);
}

// Make pictures ready to be sent, one after the other.
async function* ready(chosen) {
  for (const original of chosen) yield { original, ...await prepared(original) };
}

function keep(each, { original, thumb }, { number, error, code }) {
  if (!error) return addThumb(each, number, thumb);
  const reason = code ? sentence(error, code) : say("unreadable", { reason: error });
  each.problem(`${original.name}: ${reason}`);
}

function offerAgain(each, failed, reason) {
  const names = failed.slice(0, NAMED).map(({ name }) => name).join(", ") + (failed.length > NAMED ? ", …" : "");
  const again = make("button", { textContent: say("again"), data: { words: "again" } });
  again.addEventListener("click", () => {
    each.pick.focus(); // this button goes
    each.send(each, failed);
  });
  each.problem(`${say("failed", { n: failed.length, names })} ${reason}`, again);
}

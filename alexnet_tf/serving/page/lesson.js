// The training session on the server: it begins with the first name or picture, survives a reload of
// the page, and ends when it is forgotten.

import { pause, request } from "./server.js";

// Where the session is kept, and milliseconds until the server is asked for it again.
const [KEPT, LOOK_AGAIN] = ["lesson", 2000];
// The session's name and its beginning, and what ends all requests about it when it is forgotten.
let [name, beginning, doing] = ["", null, new AbortController()];

/** Return the session's name, or "" if it has not begun. */
export const lessonName = () => name;

/** Return the signal that aborts when the session is forgotten. */
export const lessonSignal = () => doing.signal;

/** Begin a session, unless there is one.
 * @returns {Promise<void>} */
export function begin() {
  const { signal } = doing;
  beginning ||= request("POST", "v1/lessons").then((response) => response.json()).then((found) => {
    if (!signal.aborted) name = found.name;
    return found.name;
  });
  return beginning.catch((error) => {
    if (!signal.aborted) beginning = null;
    throw error;
  });
}

/** Send a request about the session.
 * @param {string} method
 * @param {string} [path]
 * @param {BodyInit} [body] */
export const ask = (method, path = "", body = undefined) =>
  request(method, `v1/lessons/${name}${path}`, body, doing.signal);

/** Keep the names of the classes by number, for the time after a reload.
 * @param {[number, string][]} names */
export function keepNames(names) {
  try { sessionStorage.setItem(KEPT, JSON.stringify({ name, names })); } catch { /* it ends with the page */ }
}

/** Go on with the session from before a reload, however long the server does not respond, which `tell` says;
 * return its state, the classes' names and the pictures, or null if there is none.
 * @param {(sentence: () => string) => void} tell
 * @returns {Promise<{found: any, names: [number, string][], pictures: {number: number, label: number}[]} | null>} */
export async function resume(tell) {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem(KEPT)); } catch { /* nothing can be kept here */ }
  if (!kept?.name) return null;
  name = kept.name;
  beginning = Promise.resolve(name);
  for (;; await pause(LOOK_AGAIN)) {
    try {
      const [found, { pictures }] = await Promise.all(["", "/pictures"].map(async (path) => (await ask("GET", path)).json()));
      return { found, pictures, names: kept.names };
    } catch (error) {
      if (error.status) {
        [name, beginning] = ["", null];
        if (error.status === 404) forget();
        throw error;
      }
      tell(() => error.message);
    }
  }
}

/** Begin with nothing: end all requests, and delete the session on the server.
 * @returns {Promise<void>} rejected if the server did not respond */
export async function end() {
  const begun = beginning;
  forget();
  const found = await begun?.catch(() => null);
  if (found) await request("DELETE", `v1/lessons/${found}`).catch((error) => { if (error.status !== 404) throw error; });
}

function forget() {
  doing.abort();
  [name, beginning, doing] = ["", null, new AbortController()];
  try { sessionStorage.removeItem(KEPT); } catch { /* nothing was kept */ }
}

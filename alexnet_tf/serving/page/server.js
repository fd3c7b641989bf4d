// Requests to the server; what it refuses is an Error with a sentence in the page's language.

import { say } from "./i18n.js";

// The most tries at a busy server, and at reading from one that does not respond; milliseconds between two.
const [TRIES, READS, BETWEEN] = [5, 3, 300];
let token = "";

/** Send the token with every request from now on.
 * @param {string} text */
export function useToken(text) {
  token = text;
}

/** Send a request and return the response, unless `signal` aborts; retry if the server is busy,
 * and a GET if there is no response. An Error has the response's `status`, or none if there was no response.
 * @param {string} method
 * @param {string} address
 * @param {BodyInit} [body]
 * @param {AbortSignal} [signal] */
export async function request(method, address, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tried = 1; ; tried++) {
    let response;
    try {
      response = await fetch(address, { method, body, headers, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      if (method !== "GET" || tried >= READS) throw new Error(say("offline"));
      await pause(BETWEEN);
      continue;
    }
    if (response.ok) return response;
    const { status } = response;
    if (![429, 503].includes(status) || tried === TRIES) {
      const { detail, code } = await response.json().catch(() => ({ detail: response.statusText }));
      throw Object.assign(new Error(sentence(detail, code ?? status)), { status });
    }
    await pause(1000 * Number(response.headers.get("Retry-After") || 1));
  }
}

/** Wait so many milliseconds, or until the reader is here again, or the network is.
 * @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => {
  setTimeout(resolve, milliseconds);
  window.addEventListener("online", resolve, { once: true });
  document.addEventListener("visibilitychange", resolve, { once: true });
});

/** Return the page's sentence for an error of the server, or else the server's own.
 * @param {unknown} detail
 * @param {string | number | null} code */
export function sentence(detail, code) {
  return say(`error_${code}`) ?? (typeof detail === "string" ? detail : JSON.stringify(detail));
}

/** Return pictures as a form.
 * @param {File[]} files */
export function form(files) {
  const data = new FormData();
  for (const file of files) data.append("pictures", file, file.name || "picture");
  return data;
}

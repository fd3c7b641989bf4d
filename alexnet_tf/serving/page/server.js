// Requests to the server; what it refuses is an Error with its sentence.

import { say } from "./words.js";

const TRIES = 5;
let token = "";

// Send the token with every request from now on.
export function useToken(text) {
  token = text;
}

// Ask, and return the response; a server that has too much to do is asked again.
export async function ask(method, address, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tried = 1; ; tried++) {
    let response;
    try {
      response = await fetch(address, { method, body, headers });
    } catch {
      throw new Error(say("offline"));
    }
    if (response.ok) return response;
    if (![429, 503].includes(response.status) || tried === TRIES) throw new Error(await sentence(response));
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") || 1)));
  }
}

// Return pictures as a form.
export function form(files) {
  const data = new FormData();
  for (const file of files) data.append("pictures", file, file.name || "picture");
  return data;
}

async function sentence(response) {
  try {
    const { detail } = await response.json();
    return typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return response.statusText;
  }
}

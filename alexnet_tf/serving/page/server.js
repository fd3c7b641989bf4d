// Requests to the server; what it refuses is an Error with its sentence.

import { say } from "./i18n.js";

const TRIES = 5;
let token = "";

// Send the token with every request from now on.
export function useToken(text) {
  token = text;
}

// Send a request and return the response, unless `signal` aborts; retry if the server is busy. An
// Error has the response's `status`, or none if there was no response.
export async function request(method, address, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tried = 1; ; tried++) {
    let response;
    try {
      response = await fetch(address, { method, body, headers, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Error(say("offline"));
    }
    if (response.ok) return response;
    const { status } = response;
    if (![429, 503].includes(status) || tried === TRIES)
      throw Object.assign(new Error(await sentence(response)), { status });
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

// What the page says: the sentences of languages/*.json, a file for each language.

import { all } from "./elements.js";

let [language, words, wanted, read] = ["en", {}, "", /** @type {any} */ (null)];

/** Return the sentence of a key, with `values` for the names in braces; `n` chooses the plural.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string | undefined} undefined if there is no such key */
export function say(key, values = {}) {
  const found = words[key];
  const text = typeof found === "object"
    ? found[new Intl.PluralRules(language).select(Number(values.n))] ?? found.other : found;
  return text?.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

const written = (value) => (typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value);

/** Return a share of 0 to 1 as people write it; 0% and 100% are exactly that.
 * @param {number} share */
export function percent(share) {
  const digits = share > 0.99 || share < 0.1 ? 1 : 0;
  const most = 10 ** (2 + digits);
  const rounded = Math.round(share * most) / most;
  const [shown, sign] = rounded === 0 && share > 0 ? [1 / most, "<"]
    : rounded === 1 && share < 1 ? [1 - 1 / most, ">"] : [rounded, ""];
  return sign + new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(shown);
}

/** Offer `languages`, speak the reader's, and call `changed` whenever another is chosen. `wordsOf`
 * returns the sentences of a language.
 * @param {HTMLSelectElement} select
 * @param {string[]} languages
 * @param {(language: string) => Promise<any>} wordsOf
 * @param {() => void} changed */
export async function offerLanguages(select, languages, wordsOf, changed) {
  read = wordsOf;
  const known = (name) => languages.find((key) => name?.toLowerCase().startsWith(key));
  await speak([kept(), ...navigator.languages].map(known).find(Boolean) ?? "en");
  for (const key of languages)
    select.append(new Option(new Intl.DisplayNames([key], { type: "language" }).of(key), key));
  select.value = language;
  select.addEventListener("change", async () => {
    keep(select.value);
    await speak(select.value);
    changed();
  });
}

async function speak(key) {
  wanted = key;
  const found = await read(key);
  if (wanted !== key) return; // another was chosen meanwhile
  words = found;
  language = key;
  Object.assign(document.documentElement, { lang: key, dir: direction(key) });
  document.title = say("title");
  for (const each of all("[data-words]")) each.textContent = say(each.dataset.words);
  for (const each of all("[data-label]")) each.setAttribute("aria-label", say(each.dataset.label));
}

// Which way a language is written, if the browser knows.
function direction(key) {
  const locale = /** @type {any} */ (new Intl.Locale(key));
  return locale.getTextInfo?.().direction ?? "ltr";
}

// A browser may forbid a page to keep anything.
function keep(key) {
  try { localStorage.setItem("language", key); } catch { /* it is asked for again */ }
}

function kept() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

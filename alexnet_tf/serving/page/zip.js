// Zip archives (PKWARE's APPNOTE 6.3), written without compression and read with or without it.

import { say } from "./i18n.js";

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50]; // signatures
const [UTF8, STORED, DEFLATED, JANUARY_1980] = [0x0800, 0, 8, 0x0021];
const LONGEST_END = 22 + 0xffff;

/** Return a zip of path → content.
 * @param {[string, Blob][]} entries
 * @returns {Promise<Blob>} */
export async function zipped(entries) {
  const [parts, directory] = [[], []];
  let offset = 0;
  for (const [path, content] of entries) {
    const name = new TextEncoder().encode(path);
    const sum = crc32(new Uint8Array(await content.arrayBuffer()));
    const about = [16, 20, 16, UTF8, 16, STORED, 16, 0, 16, JANUARY_1980, 32, sum, 32, content.size, 32, content.size,
      16, name.length, 16, 0];
    parts.push(bytes(32, LOCAL, ...about), name, content);
    directory.push(bytes(32, CENTRAL, 16, 20, ...about, 16, 0, 16, 0, 16, 0, 32, 0, 32, offset), name);
    offset += 30 + name.length + content.size;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = entries.length;
  directory.push(bytes(32, END, 16, 0, 16, 0, 16, count, 16, count, 32, size, 32, offset, 16, 0));
  return new Blob([...parts, ...directory], { type: "application/zip" });
}

/** Return the path and the content of each file in a zip; an Error with a sentence if it cannot be read.
 * @param {File} file
 * @returns {Promise<[string, File][]>} */
export async function unzipped(file) {
  try {
    /** @type {[string, File][]} */
    const found = [];
    for (const { path, method, size, offset } of await listed(file)) {
      const name = path.split("/").at(-1);
      if (!name || /(^|\/)(\.|__MACOSX)/.test(path)) continue; // a folder, or a system's own file
      const local = await view(file, offset, 30);
      const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
      const content = file.slice(start, start + size);
      if (local.getUint32(0, true) !== LOCAL || ![STORED, DEFLATED].includes(method)) throw new Error();
      found.push([path, new File([method === STORED ? content : await inflated(content)], name)]);
    }
    return found;
  } catch {
    throw new Error(say("bad_zip", { file: file.name }));
  }
}

// The entries of the central directory.
async function listed(file) {
  const from = Math.max(0, file.size - LONGEST_END);
  const tail = await view(file, from, file.size - from);
  let end = tail.byteLength - 22;
  while (tail.getUint32(end, true) !== END) end--; // a RangeError if there is none
  const directory = await view(file, tail.getUint32(end + 16, true), tail.getUint32(end + 12, true));
  const found = [];
  for (let at = 0, left = tail.getUint16(end + 10, true); left; left--) {
    if (directory.getUint32(at, true) !== CENTRAL) throw new Error();
    const [length, extra, comment] = [28, 30, 32].map((place) => directory.getUint16(at + place, true));
    found.push({
      path: new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, length)),
      method: directory.getUint16(at + 10, true),
      size: directory.getUint32(at + 20, true),
      offset: directory.getUint32(at + 42, true),
    });
    at += 46 + length + extra + comment;
  }
  return found;
}

const view = async (file, start, length) => new DataView(await file.slice(start, start + length).arrayBuffer());

const inflated = (content) =>
  new Response(content.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();

// Little-endian integers: their bits and values in turn.
function bytes(...fields) {
  const found = [];
  for (let place = 0; place < fields.length; place += 2)
    for (let bit = 0; bit < fields[place]; bit += 8) found.push((fields[place + 1] >>> bit) & 0xff);
  return new Uint8Array(found);
}

// CRC-32 (ISO 3309), a byte at a time.
const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(content) {
  let sum = ~0;
  for (const byte of content) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return ~sum >>> 0;
}

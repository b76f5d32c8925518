/** Addresses, sizes, times and colours as the page shows them. */

const CDN_HOSTS = new Set(["cdn.discordapp.com", "media.discordapp.net"]);
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
const SIZE_UNITS = ["bytes", "KB", "MB", "GB"];

/**
 * Return the address of a file on this very server, or null for files of other hosts.
 *
 * The bot is told Discord's own CDN host; the sandbox serves the same paths under /cdn.
 *
 * @param {string | undefined | null} address
 * @returns {string | null}
 */
export function localUrl(address) {
  if (!address || !URL.canParse(address, location.href)) return null;
  const url = new URL(address, location.href);
  if (url.protocol === "blob:") return url.href;
  if (CDN_HOSTS.has(url.hostname)) return `/cdn${url.pathname}${url.search}`;
  if (url.origin === location.origin) return url.pathname + url.search;
  const served = LOOPBACK.has(url.hostname) && url.pathname.startsWith("/cdn/");
  return served ? url.pathname + url.search : null;
}

/**
 * Return an address that is safe to put into a link, or null.
 *
 * @param {string | undefined | null} address
 * @returns {string | null}
 */
export function safeLink(address) {
  if (!address || !URL.canParse(address)) return null;
  const url = new URL(address);
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  return CDN_HOSTS.has(url.hostname) ? localUrl(address) : url.href;
}

/**
 * Return what identifies a picture: its path, since the signature in the query changes.
 *
 * @param {string | null} address
 * @returns {string}
 */
export function pictureKey(address) {
  return (address ?? "").split("?")[0];
}

/**
 * Return a file size in words.
 *
 * @param {number | undefined} bytes
 * @returns {string}
 */
export function fileSize(bytes) {
  if (bytes === undefined) return "";
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < SIZE_UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${SIZE_UNITS[unit]}`;
}

/**
 * Return the last part of an address as a file name.
 *
 * @param {string} address
 * @returns {string}
 */
export function fileNameOf(address) {
  const name = pictureKey(address).split("/").pop() ?? "";
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const TIME_STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const RELATIVE_UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/**
 * Return the distance of a moment from now in words: "in 12 seconds", "3 minutes ago".
 *
 * @param {Date} date
 * @returns {string}
 */
export function relativeTime(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, length] of RELATIVE_UNITS) {
    if (Math.abs(seconds) >= length) return words.format(Math.round(seconds / length), unit);
  }
  return words.format(seconds, "second");
}

/**
 * Return a moment in one of Discord's timestamp styles.
 *
 * @param {Date} date
 * @param {string} style
 * @returns {string}
 */
export function formatTime(date, style) {
  if (style === "R") return relativeTime(date);
  return new Intl.DateTimeFormat("en-GB", TIME_STYLES[style] ?? TIME_STYLES.f).format(date);
}

/**
 * Return when a message was written: the time alone for today's messages.
 *
 * @param {Date} date
 * @returns {string}
 */
export function messageTime(date) {
  const today = date.toDateString() === new Date().toDateString();
  return today ? formatTime(date, "t") : `${formatTime(date, "d")} ${formatTime(date, "t")}`;
}

/**
 * Return a hue of a person's own, the same one every time.
 *
 * @param {string} id
 * @returns {number}
 */
export function hueOf(id) {
  // Neighbouring ids land a golden angle apart, so that people who joined together differ most.
  const last = Number(id.slice(-7).replace(/\D/g, "0"));
  return Math.round((last * 137.508 + 20) % 360);
}

/**
 * Return a colour number of Discord's as CSS, or null for none.
 *
 * @param {number | null | undefined} colour
 * @returns {string | null}
 */
export function cssColour(colour) {
  if (colour === null || colour === undefined) return null;
  return `#${colour.toString(16).padStart(6, "0")}`;
}

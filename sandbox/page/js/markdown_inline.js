/** The inline half of Discord's markdown: styles, links, mentions, timestamps, spoilers. */

import { emit, h } from "./dom.js";
import { formatTime, safeLink } from "./format.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {(match: RegExpExecArray, store: Store) => Node} Draw */

const SPECIAL = /[\\`*_~|[<h@]/g;

/**
 * Draw a link, or its text alone when the address is not safe.
 *
 * @param {string} address
 * @param {Node[]} children
 * @param {string} [title]
 * @returns {Node}
 */
function link(address, children, title) {
  const href = safeLink(address);
  if (!href) return h("span", {}, ...children);
  return h(
    "a",
    { href, title: title ?? href, target: "_blank", rel: "noreferrer noopener" },
    ...children,
  );
}

/**
 * Draw hidden text that a click or a key uncovers.
 *
 * @param {Node[]} children
 * @returns {HTMLElement}
 */
function spoiler(children) {
  const cover = h(
    "span",
    {
      class: "spoiler",
      role: "button",
      tabindex: "0",
      "aria-label": "Spoiler, press to reveal",
    },
    ...children,
  );
  const reveal = () => {
    cover.classList.add("shown");
    for (const name of ["role", "tabindex", "aria-label"]) cover.removeAttribute(name);
  };
  cover.addEventListener("click", reveal);
  cover.addEventListener("keydown", (event) => event.key === "Enter" && reveal());
  return cover;
}

/**
 * Draw a moment as a `<time>`; relative ones are kept up to date by main.js.
 *
 * @param {string} seconds
 * @param {string} style
 * @returns {HTMLElement}
 */
function timestamp(seconds, style) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return h("span", {}, "Invalid date");
  return h(
    "time",
    {
      class: "timestamp",
      datetime: date.toISOString(),
      title: formatTime(date, "F"),
      data: style === "R" ? { relative: seconds } : {},
    },
    formatTime(date, style),
  );
}

/**
 * Draw a slash command that a click puts into the message box.
 *
 * @param {string} name
 * @returns {HTMLElement}
 */
function commandMention(name) {
  const button = h("button", { class: "mention mention-command", type: "button" }, `/${name}`);
  button.addEventListener("click", () => emit(button, "command", { name }));
  return button;
}

/** @param {string} text */
const mention = (text) => h("span", { class: "mention" }, text);

/** @param {string} tag @returns {Draw} */
const styled = (tag) => (match, store) => h(tag, {}, ...inline(match[1], store));

/** @type {[RegExp, Draw][]} */
const RULES = [
  [/\\([^\p{L}\p{N}\s])/uy, (match) => document.createTextNode(match[1])],
  [/(`+)([^]*?[^`])\1(?!`)/y, (match) => h("code", {}, match[2].trim() || match[2])],
  [/\|\|([^]+?)\|\|/y, (match, store) => spoiler(inline(match[1], store))],
  [/\*\*((?:\\.|[^])+?)\*\*(?!\*)/y, styled("strong")],
  [/__((?:\\.|[^])+?)__(?!_)/y, styled("u")],
  [/~~([^]+?)~~/y, styled("s")],
  [/\*(?!\s)((?:\\.|\*\*|[^*\\])+?)(?<!\s)\*(?!\*)/y, styled("em")],
  [/(?<![\p{L}\p{N}])_((?:\\.|__|[^_\\])+?)_(?![\p{L}\p{N}])/uy, styled("em")],
  [
    /\[((?:\\.|[^[\]\\])+)\]\(<?(https?:\/\/[^\s)>]+)>?(?:\s+"([^"]*)")?\)/y,
    (match, store) => link(match[2], inline(match[1], store), match[3]),
  ],
  [/<(https?:\/\/[^>\s]+)>/y, (match) => link(match[1], [document.createTextNode(match[1])])],
  [
    /https?:\/\/[^\s<]+[^\s<.,:;"'\])!?]/y,
    (match) => link(match[0], [document.createTextNode(match[0])]),
  ],
  [/<@!?(\d+)>/y, (match, store) => mention(`@${store.userName(match[1])}`)],
  [/<@&(\d+)>/y, (match, store) => mention(`@${store.roleName(match[1])}`)],
  [/<#(\d+)>/y, (match, store) => mention(`#${store.channelName(match[1])}`)],
  [/<\/([^:>]+):(\d+)>/y, (match) => commandMention(match[1])],
  [/<t:(-?\d+)(?::([tTdDfFR]))?>/y, (match) => timestamp(match[1], match[2] ?? "f")],
  [/<a?:(\w+):\d+>/y, (match) => h("span", { class: "emoji-name" }, `:${match[1]}:`)],
  [/@(?:everyone|here)\b/y, (match) => mention(match[0])],
];

/**
 * Match one rule at a position of the text.
 *
 * @param {string} text
 * @param {number} position
 * @returns {{match: RegExpExecArray, draw: Draw} | null}
 */
function ruleAt(text, position) {
  for (const [pattern, draw] of RULES) {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match) return { match, draw };
  }
  return null;
}

/**
 * Turn one run of text into nodes.
 *
 * @param {string} text
 * @param {Store} store knows the names behind mentions
 * @returns {Node[]}
 */
export function inline(text, store) {
  /** @type {Node[]} */
  const nodes = [];
  let plainFrom = 0;
  let position = 0;
  const flush = (/** @type {number} */ until) => {
    if (until > plainFrom) nodes.push(document.createTextNode(text.slice(plainFrom, until)));
  };
  for (;;) {
    SPECIAL.lastIndex = position;
    const special = SPECIAL.exec(text);
    if (!special) break;
    const found = ruleAt(text, special.index);
    position = special.index + (found ? found.match[0].length : 1);
    if (!found) continue;
    flush(special.index);
    nodes.push(found.draw(found.match, store));
    plainFrom = position;
  }
  flush(text.length);
  return nodes;
}

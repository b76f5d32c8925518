/** The block half of Discord's markdown: code, quotes, headers, subtext, lists, paragraphs. */

import { h } from "./dom.js";
import { inline } from "./markdown_inline.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {{lines: string[], at: number, store: Store, out: Node[]}} Cursor */

const FENCE = /```(?:([\w+#.-]+)\n)?\n?([^]+?)\n?```\n?/g;
const HEADER = /^(#{1,3}) +(.+?)(?: +#+)?$/;
const SUBTEXT = /^-# +(.+)$/;
const QUOTE = /^> ?(?!>)(.*)$/;
const ITEM = /^( *)([-*]|\d{1,9}\.) +(.+)$/;

/**
 * Take a header or a line of subtext.
 *
 * @param {Cursor} cursor
 * @returns {boolean}
 */
function takeHeading(cursor) {
  const line = cursor.lines[cursor.at];
  const header = HEADER.exec(line);
  const small = SUBTEXT.exec(line);
  if (!header && !small) return false;
  const properties = header
    ? { class: `heading-${header[1].length}`, role: "heading", "aria-level": header[1].length + 2 }
    : { class: "subtext" };
  cursor.out.push(h("div", properties, ...inline((header?.[2] ?? small?.[1]) || "", cursor.store)));
  cursor.at += 1;
  return true;
}

/**
 * Take a quote: lines that start with `> `, or all the rest after `>>> `.
 *
 * @param {Cursor} cursor
 * @returns {boolean}
 */
function takeQuote(cursor) {
  const line = cursor.lines[cursor.at];
  /** @type {string[]} */
  const quoted = [];
  if (line.startsWith(">>> ")) {
    quoted.push(line.slice(4), ...cursor.lines.slice(cursor.at + 1));
    cursor.at = cursor.lines.length;
  } else {
    for (; cursor.at < cursor.lines.length; cursor.at += 1) {
      const match = QUOTE.exec(cursor.lines[cursor.at]);
      if (!match) break;
      quoted.push(match[1]);
    }
  }
  if (!quoted.length) return false;
  cursor.out.push(h("blockquote", {}, ...textBlocks(quoted.join("\n"), cursor.store)));
  return true;
}

/**
 * Take a list; items that are indented deeper form a list inside the item before them.
 *
 * @param {Cursor} cursor
 * @param {number} [depth]
 * @returns {HTMLElement | null}
 */
function takeList(cursor, depth = 0) {
  /** @type {HTMLElement | null} */
  let list = null;
  for (let match = itemAt(cursor); match && match[1].length >= depth; match = itemAt(cursor)) {
    if (list && match[1].length >= depth + 2) {
      list.lastElementChild?.append(takeList(cursor, match[1].length) ?? "");
      continue;
    }
    const ordered = /\d/.test(match[2]);
    list ??= h(ordered ? "ol" : "ul", ordered ? { start: match[2].slice(0, -1) } : {});
    list.append(h("li", {}, ...inline(match[3], cursor.store)));
    cursor.at += 1;
  }
  return list;
}

/**
 * @param {Cursor} cursor
 * @returns {RegExpExecArray | null}
 */
function itemAt(cursor) {
  return cursor.at < cursor.lines.length ? ITEM.exec(cursor.lines[cursor.at]) : null;
}

/**
 * Tell whether a line starts anything but a paragraph.
 *
 * @param {string} line
 * @returns {boolean}
 */
function startsBlock(line) {
  return [HEADER, SUBTEXT, QUOTE, ITEM].some((each) => each.test(line)) || line.startsWith(">>> ");
}

/**
 * Take lines until another block starts, as one paragraph that keeps its line breaks.
 *
 * @param {Cursor} cursor
 */
function takeParagraph(cursor) {
  const from = cursor.at;
  cursor.at += 1;
  while (cursor.at < cursor.lines.length && !startsBlock(cursor.lines[cursor.at])) cursor.at += 1;
  const text = cursor.lines.slice(from, cursor.at).join("\n");
  if (text.trim()) cursor.out.push(h("p", {}, ...inline(text, cursor.store)));
}

/**
 * Turn text without code blocks into block nodes.
 *
 * @param {string} text
 * @param {Store} store
 * @returns {Node[]}
 */
function textBlocks(text, store) {
  /** @type {Cursor} */
  const cursor = { lines: text.split("\n"), at: 0, store, out: [] };
  while (cursor.at < cursor.lines.length) {
    if (takeHeading(cursor) || takeQuote(cursor)) continue;
    const list = takeList(cursor);
    if (list) cursor.out.push(list);
    else takeParagraph(cursor);
  }
  return cursor.out;
}

/**
 * Turn markdown as Discord writes it into a node.
 *
 * @param {string} text
 * @param {Store} store knows the names behind mentions
 * @returns {HTMLElement}
 */
export function markdown(text, store) {
  const root = h("div", { class: "markdown" });
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    root.append(...textBlocks(text.slice(from, match.index), store));
    root.append(
      h(
        "pre",
        { tabindex: "0", data: match[1] ? { language: match[1] } : {} },
        h("code", {}, match[2]),
      ),
    );
    from = match.index + match[0].length;
  }
  root.append(...textBlocks(text.slice(from), store));
  return root;
}

/** Embeds: the framed cards under a message. */

import { h, printed } from "./dom.js";
import { cssColour, fileNameOf, formatTime, localUrl, pictureKey, safeLink } from "./format.js";
import { markdown } from "./markdown.js";
import { inline } from "./markdown_inline.js";
import { pictureButton } from "./media.js";

/** @typedef {import("./store.js").Store} Store */

/**
 * Return the address of an embed's picture, looking up `attachment://` names.
 *
 * @param {any} picture
 * @param {any[]} attachments
 * @returns {string | null}
 */
function addressOf(picture, attachments) {
  const address = picture?.url;
  if (!address?.startsWith("attachment://")) return address ?? null;
  return attachments.find((each) => each.filename === fileNameOf(address))?.url ?? null;
}

/**
 * Return the attachments that no embed shows already.
 *
 * @param {any[]} attachments
 * @param {any[]} embeds
 * @returns {any[]}
 */
export function attachmentsBeside(attachments, embeds) {
  const shown = new Set(
    embeds
      .flatMap((embed) => [embed.image, embed.thumbnail])
      .map((each) => addressOf(each, attachments))
      .filter(Boolean)
      .map((address) => pictureKey(localUrl(address))),
  );
  return attachments.filter((each) => !shown.has(pictureKey(localUrl(each.url))));
}

/**
 * @param {any} picture
 * @param {any[]} attachments
 * @param {string} className
 * @returns {HTMLElement | null}
 */
function embedPicture(picture, attachments, className) {
  const url = addressOf(picture, attachments);
  if (!url) return null;
  const { width, height } = picture;
  return h(
    "div",
    { class: className },
    pictureButton({ url, width, height, name: fileNameOf(url) }),
  );
}

/**
 * @param {string} text
 * @param {string | undefined} url
 * @param {Store} store
 * @returns {HTMLElement}
 */
function maybeLink(text, url, store) {
  const href = safeLink(url);
  const words = inline(text, store);
  if (!href) return h("span", {}, ...words);
  return h("a", { href, target: "_blank", rel: "noreferrer noopener" }, ...words);
}

/**
 * @param {any} field
 * @param {Store} store
 * @returns {HTMLElement}
 */
function embedField(field, store) {
  return h(
    "div",
    { class: field.inline ? "embed-field inline" : "embed-field" },
    h("div", { class: "embed-field-name" }, ...inline(field.name, store)),
    markdown(field.value, store),
  );
}

/**
 * @param {any} embed
 * @returns {HTMLElement | null}
 */
function embedFoot(embed) {
  const words = [embed.footer?.text, embed.timestamp && formatTime(new Date(embed.timestamp), "f")];
  const text = words.filter(Boolean).join(" · ");
  return text ? h("div", { class: "embed-foot" }, text) : null;
}

/**
 * Draw one embed.
 *
 * @param {any} embed
 * @param {any[]} attachments of the same message
 * @param {Store} store
 * @returns {HTMLElement}
 */
function embedCard(embed, attachments, store) {
  const { author, title, description, fields = [] } = embed;
  const words = h(
    "div",
    { class: "embed-words" },
    author && h("div", { class: "embed-author" }, maybeLink(author.name, author.url, store)),
    title && h("div", { class: "embed-title" }, maybeLink(title, embed.url, store)),
    description && markdown(description, store),
    fields.length > 0 &&
      h(
        "div",
        { class: "embed-fields" },
        ...fields.map((/** @type {any} */ field) => embedField(field, store)),
      ),
  );
  const card = h(
    "article",
    { class: "embed" },
    h(
      "div",
      { class: "embed-top" },
      words,
      embedPicture(embed.thumbnail, attachments, "embed-thumbnail"),
    ),
    embedPicture(embed.image, attachments, "embed-image"),
    embedFoot(embed),
  );
  card.style.setProperty("--accent-line", cssColour(embed.color) ?? "var(--line-strong)");
  return card;
}

/**
 * Draw all embeds of a message.
 *
 * @param {any[]} embeds
 * @param {any[]} attachments
 * @param {Store} store
 * @returns {HTMLElement[]}
 */
export function embedBlocks(embeds, attachments, store) {
  return embeds.map((embed) => printed(embedCard(embed, attachments, store), [embed, attachments]));
}

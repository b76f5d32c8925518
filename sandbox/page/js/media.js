/** Pictures, galleries, videos and files inside messages. */

import { emit, h, printed } from "./dom.js";
import { fileNameOf, fileSize, localUrl, pictureKey } from "./format.js";
import { icon } from "./icons.js";

/**
 * @typedef {object} Media
 * @property {string} url
 * @property {string} [name]
 * @property {number} [size]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string | null} [contentType]
 * @property {string | null} [alt]
 * @property {boolean} [spoiler]
 */

// What browsers draw: a phone's HEIC or a TIFF is an image too, but shown as a file.
const PICTURE_TYPE = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)\b/;
const PICTURE_NAME = /\.(png|jpe?g|gif|webp|avif|bmp|svg)$/i;
const WIDEST_PX = 560;
const HIGHEST_PX = 400;
const VIDEO_NAME = /\.(mp4|webm|mov)$/i;
const UNKNOWN_TYPES = new Set(["application/octet-stream", "binary/octet-stream"]);
const SPOILER_NAME = /^SPOILER_/;

/**
 * Return an attachment of a message as media.
 *
 * @param {any} attachment
 * @returns {Media}
 */
export function mediaOfAttachment(attachment) {
  return {
    url: attachment.url,
    name: attachment.filename,
    size: attachment.size,
    width: attachment.width,
    height: attachment.height,
    contentType: attachment.content_type,
    alt: attachment.description,
    spoiler: SPOILER_NAME.test(attachment.filename ?? ""),
  };
}

/**
 * Tell what a file is shown as, by its declared type or its name.
 *
 * @param {Media} media
 * @returns {"picture" | "video" | "file"}
 */
export function kindOf(media) {
  const name = media.name ?? fileNameOf(media.url);
  const type = UNKNOWN_TYPES.has(media.contentType ?? "") ? "" : (media.contentType ?? "");
  if (PICTURE_TYPE.test(type) || (!type && PICTURE_NAME.test(name))) return "picture";
  if (type.startsWith("video/") || (!type && VIDEO_NAME.test(name))) return "video";
  return "file";
}

/**
 * Draw the image itself; its place is reserved when its size is known.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
export function pictureElement(media) {
  const address = localUrl(media.url);
  const picture = h("img", {
    src: address,
    alt: media.alt ?? media.name ?? "Picture",
    width: media.width,
    height: media.height,
    decoding: "async",
    draggable: "true",
    data: { key: pictureKey(address) },
  });
  picture.addEventListener("error", () => picture.closest(".picture")?.classList.add("broken"));
  return picture;
}

/**
 * Cover a spoiler until it is pressed; the first press uncovers, the next one opens.
 *
 * @param {HTMLElement} button
 */
function coverSpoiler(button) {
  button.classList.add("covered");
  button.append(h("span", { class: "cover-label" }, "Spoiler"));
  button.addEventListener("click", (event) => {
    if (!button.classList.contains("covered")) return;
    event.stopImmediatePropagation();
    button.classList.remove("covered");
  });
}

/**
 * Keep the room that a picture will fill, so that nothing jumps when it arrives.
 *
 * @param {HTMLElement} button
 * @param {number} width
 * @param {number} height
 */
function reserve(button, width, height) {
  const fit = Math.min(width, WIDEST_PX, (HIGHEST_PX * width) / height);
  button.classList.add("sized");
  button.style.setProperty("--ratio", `${width} / ${height}`);
  button.style.setProperty("--fit", `${Math.max(fit, 48)}px`);
}

/**
 * Draw a picture as a button that opens it large.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
export function pictureButton(media) {
  if (!localUrl(media.url)) return outsidePicture(media);
  const label = media.alt ?? media.name ?? "Picture";
  const button = h(
    "button",
    {
      class: "picture",
      type: "button",
      "aria-label": `Open ${label}`,
      title: media.alt ?? "",
    },
    pictureElement(media),
    h("span", { class: "broken-note" }, `${label} could not be shown`),
  );
  if (media.width && media.height) reserve(button, media.width, media.height);
  if (media.spoiler) coverSpoiler(button);
  button.addEventListener("click", () => emit(button, "lightbox", { media }));
  return button;
}

/**
 * Draw a link in place of a picture of another host: the page loads nothing from outside.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
function outsidePicture(media) {
  return h(
    "a",
    { class: "file-card", href: media.url, target: "_blank", rel: "noreferrer noopener" },
    h("span", { class: "file-icon" }, icon("external")),
    h(
      "span",
      { class: "file-words" },
      h("span", { class: "file-name" }, media.alt ?? "A picture elsewhere"),
      h("span", { class: "file-size" }, new URL(media.url, location.href).hostname),
    ),
  );
}

/**
 * Draw a file with its size and a download link.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
export function fileCard(media) {
  const name = media.name ?? fileNameOf(media.url);
  return h(
    "a",
    {
      class: "file-card",
      href: localUrl(media.url),
      download: name,
      "aria-label": `Download ${name}`,
    },
    h("span", { class: "file-icon" }, icon("file")),
    h(
      "span",
      { class: "file-words" },
      h("span", { class: "file-name" }, name),
      h("span", { class: "file-size" }, fileSize(media.size)),
    ),
    h("span", { class: "file-get" }, icon("download")),
  );
}

/**
 * Draw a video with its controls.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
function videoPlayer(media) {
  return h("video", {
    class: "video",
    src: localUrl(media.url),
    controls: true,
    preload: "metadata",
    playsinline: true,
    "aria-label": media.alt ?? media.name ?? "Video",
  });
}

/**
 * Draw one piece of media in the way that its kind asks for.
 *
 * @param {Media} media
 * @returns {HTMLElement}
 */
function mediaElement(media) {
  const kind = kindOf(media);
  if (kind === "picture") return pictureButton(media);
  return kind === "video" ? videoPlayer(media) : fileCard(media);
}

/**
 * Draw one to ten pieces of media as a mosaic.
 *
 * @param {Media[]} items
 * @returns {HTMLElement}
 */
export function gallery(items) {
  const count = Math.min(items.length, 10);
  return h("div", { class: `gallery gallery-${count}` }, ...items.slice(0, 10).map(mediaElement));
}

/**
 * Draw the attachments of a message: pictures together, files below them.
 *
 * @param {any[]} attachments
 * @returns {HTMLElement[]}
 */
export function attachmentBlocks(attachments) {
  const media = attachments.map(mediaOfAttachment);
  const seen = media.filter((each) => kindOf(each) !== "file");
  const files = media.filter((each) => kindOf(each) === "file");
  const blocks = files.map((each) =>
    printed(h("div", { class: "file-row" }, fileCard(each)), each),
  );
  if (seen.length) blocks.unshift(printed(gallery(seen), seen));
  return blocks;
}

/** Files on their way into a message: from drops and pastes, from pictures of the page, staged. */

import { h } from "./dom.js";
import { fileNameOf, fileSize, localUrl } from "./format.js";
import { icon } from "./icons.js";

/** How a picture of the page itself travels in a drag. */
export const PICTURE_DRAG = "application/x-sandbox-picture";
const MAX_FILES = 10;

/**
 * Fetch a picture that the sandbox serves, as a file.
 *
 * @param {string} address
 * @param {string} [name]
 * @returns {Promise<File>}
 */
export async function fileFrom(address, name = fileNameOf(address)) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${name} could not be read.`);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}

/**
 * Let a picture of the page be dragged into the message box.
 *
 * @param {DragEvent} event
 */
export function startPictureDrag(event) {
  const picture = /** @type {HTMLElement} */ (event.target);
  if (!(picture instanceof HTMLImageElement) || !event.dataTransfer) return;
  const url = localUrl(picture.src);
  if (!url) return;
  const name = picture.dataset.name ?? fileNameOf(url);
  event.dataTransfer.setData(PICTURE_DRAG, JSON.stringify({ url, name }));
  event.dataTransfer.effectAllowed = "copy";
}

/**
 * Tell whether a drag carries something that can be attached.
 *
 * @param {DragEvent} event
 * @returns {boolean}
 */
export function carriesFiles(event) {
  const types = event.dataTransfer?.types ?? [];
  return types.includes("Files") || types.includes(PICTURE_DRAG);
}

/**
 * Return the files of a drop.
 *
 * @param {DragEvent} event
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(event) {
  const own = event.dataTransfer?.getData(PICTURE_DRAG);
  if (!own) return [...(event.dataTransfer?.files ?? [])];
  const { url, name } = JSON.parse(own);
  return [await fileFrom(url, name)];
}

/** Files that wait in the message box until the message is sent or a command takes them. */
export class Staging {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {File[]} */
    this.files = [];
    /** @type {string[]} */
    this.previews = [];
    this.element = h("ul", { class: "staged", "aria-label": "Attached files", hidden: true });
  }

  /** @param {File[]} files @returns {boolean} whether all of them found room */
  add(files) {
    this.files = [...this.files, ...files];
    const fits = this.files.length <= MAX_FILES;
    this.files = this.files.slice(0, MAX_FILES);
    this.draw();
    return fits;
  }

  /** @returns {File[]} the files, which are no longer staged then */
  takeAll() {
    const { files } = this;
    this.files = [];
    this.draw();
    return files;
  }

  /** Draw the files as small cards. */
  draw() {
    this.previews.forEach((each) => URL.revokeObjectURL(each));
    this.previews = [];
    this.element.replaceChildren(...this.files.map((file) => this.card(file)));
    this.element.hidden = this.files.length === 0;
    this.onChange();
  }

  /** @param {File} file @returns {HTMLElement} */
  card(file) {
    const remove = h(
      "button",
      { class: "icon-button", type: "button", "aria-label": `Remove ${file.name}` },
      icon("close"),
    );
    remove.addEventListener("click", () => {
      this.files = this.files.filter((each) => each !== file);
      this.draw();
    });
    return h(
      "li",
      { class: "staged-card" },
      this.preview(file),
      h(
        "span",
        { class: "staged-words" },
        h("span", { class: "file-name" }, file.name),
        h("span", { class: "file-size" }, fileSize(file.size)),
      ),
      remove,
    );
  }

  /** @param {File} file @returns {HTMLElement} */
  preview(file) {
    const fallback = h("span", { class: "staged-icon" }, icon("file"));
    if (!file.type.startsWith("image/")) return fallback;
    const address = URL.createObjectURL(file);
    this.previews.push(address);
    const picture = h("img", { class: "staged-thumb", src: address, alt: "" });
    // A phone's HEIC calls itself an image, but browsers cannot draw it.
    picture.addEventListener("error", () => picture.replaceWith(fallback));
    return picture;
  }
}

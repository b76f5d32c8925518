/** A picture large, over everything; arrows go to the other pictures of the message. */

import { emit, h } from "./dom.js";
import { fileNameOf, localUrl } from "./format.js";
import { icon } from "./icons.js";

/** @typedef {import("./media.js").Media} Media */

/**
 * @param {HTMLElement} button that was pressed
 * @returns {HTMLElement[]} the pictures of its message, in their order
 */
function siblings(button) {
  const scope = button.closest(".message") ?? button.parentElement;
  return /** @type {HTMLElement[]} */ ([...(scope?.querySelectorAll("button.picture") ?? [])]);
}

/**
 * @param {string} label
 * @param {string} name
 * @param {() => void} act
 * @returns {HTMLElement}
 */
function control(label, name, act) {
  const button = h(
    "button",
    { class: `icon-button lightbox-${name}`, type: "button", "aria-label": label },
    icon(name),
  );
  button.addEventListener("click", act);
  return button;
}

/**
 * Open the picture that a button in a message shows.
 *
 * @param {HTMLElement} button
 * @param {Media} media
 */
export function openLightbox(button, media) {
  const address = localUrl(media.url) ?? "";
  const name = media.name ?? fileNameOf(media.url);
  const others = siblings(button);
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { class: "lightbox", "aria-label": name })
  );
  const go = (/** @type {number} */ step) => {
    const next = others[(others.indexOf(button) + step + others.length) % others.length];
    dialog.close();
    next.click();
  };
  const save = h(
    "a",
    { class: "text-button", href: address, download: name },
    icon("download"),
    "Download",
  );
  const original = h(
    "a",
    { class: "text-button", href: address, target: "_blank", rel: "noopener" },
    icon("external"),
    "Original",
  );
  const use = h("button", { class: "text-button", type: "button" }, icon("image"), "Attach");
  use.addEventListener("click", () => {
    dialog.close();
    emit(document.body, "attach", { url: address, name });
  });
  dialog.append(
    h("div", { class: "lightbox-stage" }, h("img", { src: address, alt: media.alt ?? name })),
    h(
      "div",
      { class: "lightbox-foot" },
      h("span", { class: "lightbox-name" }, media.alt ?? name),
      use,
      save,
      original,
    ),
    control("Close", "close", () => dialog.close()),
    ...(others.length > 1
      ? [
          control("Previous picture", "left", () => go(-1)),
          control("Next picture", "right", () => go(1)),
        ]
      : []),
  );
  dialog.addEventListener("click", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target === dialog || target.classList.contains("lightbox-stage")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (others.length > 1 && event.key === "ArrowLeft") go(-1);
    if (others.length > 1 && event.key === "ArrowRight") go(1);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (button.isConnected) button.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  save.focus();
}

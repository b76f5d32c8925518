/** The tray of sample pictures: a click or a drag attaches one. */

import { emit, h } from "./dom.js";
import { localUrl } from "./format.js";
import { icon } from "./icons.js";

const HIDDEN = "sandbox-tray-hidden";

/**
 * @typedef {{name: string, url: string}} Sample
 */

/**
 * Return a sample's name in words: no extension, no dashes.
 *
 * @param {string} name
 * @returns {string}
 */
function titleOf(name) {
  return name.replace(/\.[^.]+$/, "").replace(/[-_]+/g, " ");
}

/**
 * @param {Sample} sample
 * @returns {HTMLElement}
 */
function sampleButton(sample) {
  const title = titleOf(sample.name);
  const button = h(
    "button",
    {
      class: "sample",
      type: "button",
      title: `Attach ${title}`,
      "aria-label": `Attach sample ${title}`,
    },
    h("img", {
      src: localUrl(sample.url),
      alt: "",
      draggable: "true",
      loading: "lazy",
      data: { name: sample.name },
    }),
  );
  button.addEventListener("click", () =>
    emit(button, "attach", { url: localUrl(sample.url), name: sample.name }),
  );
  return button;
}

/**
 * Build the tray and the button that shows and hides it; both stay hidden without samples.
 *
 * @param {Sample[]} samples
 * @returns {{tray: HTMLElement, toggle: HTMLElement}}
 */
export function sampleTray(samples) {
  const toggle = h(
    "button",
    {
      class: "icon-button",
      type: "button",
      "aria-label": "Sample pictures",
      "aria-controls": "tray",
      title: "Sample pictures",
    },
    icon("image"),
  );
  const tray = h(
    "div",
    { class: "tray", id: "tray", role: "group", "aria-label": "Sample pictures" },
    h("span", { class: "tray-label" }, "Sample pictures", h("small", {}, "press or drag one in")),
    h("div", { class: "tray-row" }, ...samples.map(sampleButton)),
  );
  const show = (/** @type {boolean} */ shown) => {
    tray.hidden = !shown || samples.length === 0;
    toggle.setAttribute("aria-expanded", String(!tray.hidden));
  };
  toggle.hidden = samples.length === 0;
  toggle.addEventListener("click", () => {
    sessionStorage.setItem(HIDDEN, tray.hidden ? "" : "1");
    show(tray.hidden);
  });
  show(!sessionStorage.getItem(HIDDEN));
  return { tray, toggle };
}

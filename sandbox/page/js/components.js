/** Message components: rows of buttons and selects, and Components V2. */

import { emit, h, printed } from "./dom.js";
import { cssColour, fileNameOf, fileSize, safeLink } from "./format.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { fileCard, gallery, pictureButton } from "./media.js";
import { selectControl } from "./selects.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Message} Message */
/** @typedef {{store: Store, message: Message}} Scene what drawing a component needs to know */
/** @typedef {(component: any, scene: Scene) => HTMLElement} Draw */

/** Component types, by the names of Discord's documentation. */
export const TYPE = {
  ACTION_ROW: 1,
  BUTTON: 2,
  STRING_SELECT: 3,
  TEXT_INPUT: 4,
  USER_SELECT: 5,
  ROLE_SELECT: 6,
  MENTIONABLE_SELECT: 7,
  CHANNEL_SELECT: 8,
  SECTION: 9,
  TEXT_DISPLAY: 10,
  THUMBNAIL: 11,
  MEDIA_GALLERY: 12,
  FILE: 13,
  SEPARATOR: 14,
  CONTAINER: 17,
  LABEL: 18,
  FILE_UPLOAD: 19,
  RADIO_GROUP: 21,
  CHECKBOX_GROUP: 22,
  CHECKBOX: 23,
};

const BUTTON_STYLES = ["", "primary", "secondary", "success", "danger", "link", "premium"];

/**
 * Return the words of an emoji: its character, or the name of a custom one.
 *
 * @param {any} emoji
 * @returns {HTMLElement | null}
 */
function emojiOf(emoji) {
  if (!emoji?.name) return null;
  return h("span", { class: "emoji" }, emoji.id ? `:${emoji.name}:` : emoji.name);
}

/** @type {Draw} */
function linkButton(component) {
  const label = component.label ?? component.url;
  return h(
    "a",
    {
      class: "button button-link",
      href: safeLink(component.url),
      target: "_blank",
      rel: "noreferrer noopener",
      "aria-disabled": component.disabled,
    },
    emojiOf(component.emoji),
    h("span", {}, label),
    icon("external"),
  );
}

/** @type {Draw} */
function button(component, { message }) {
  if (component.style === 5) return linkButton(component, /** @type {any} */ (null));
  const control = h(
    "button",
    {
      class: `button button-${BUTTON_STYLES[component.style] ?? "secondary"}`,
      type: "button",
      disabled: component.disabled,
      data: { customId: component.custom_id ?? "" },
      "aria-label": component.label ? null : (component.emoji?.name ?? "Button"),
    },
    emojiOf(component.emoji),
    component.label && h("span", {}, component.label),
  );
  control.addEventListener("click", () => {
    emit(control, "press", { message, customId: component.custom_id, values: [], control });
  });
  return control;
}

/** @type {Draw} */
function select(component, { store, message }) {
  return selectControl(component, store, {
    onPick: (control, values) => {
      emit(control, "press", { message, customId: component.custom_id, values, control });
    },
  });
}

/** @type {Draw} */
function actionRow(component, scene) {
  return h("div", { class: "action-row" }, ...children(component.components, scene));
}

/** @type {Draw} */
function section(component, scene) {
  return h(
    "div",
    { class: "section" },
    h("div", { class: "section-words" }, ...children(component.components, scene)),
    h("div", { class: "section-side" }, ...children([component.accessory], scene)),
  );
}

/** @type {Draw} */
function textDisplay(component, { store }) {
  return markdown(component.content, store);
}

/**
 * Return a media item of Components V2 as media, with what its attachment tells in addition.
 *
 * @param {any} item
 * @param {Message} message
 * @returns {import("./media.js").Media}
 */
function mediaOfItem(item, message) {
  const media = item.media ?? item.file ?? item;
  const name = fileNameOf(media.url);
  const attachment = (message.attachments ?? []).find(
    (/** @type {any} */ each) => each.id === media.attachment_id || each.filename === name,
  );
  const resolved = media.url.startsWith("attachment://")
    ? (attachment?.url ?? media.url)
    : media.url;
  return {
    url: resolved,
    name: item.name ?? attachment?.filename ?? name,
    size: item.size ?? attachment?.size,
    width: media.width ?? attachment?.width,
    height: media.height ?? attachment?.height,
    contentType: media.content_type ?? attachment?.content_type,
    alt: item.description ?? attachment?.description,
    spoiler: item.spoiler,
  };
}

/** @type {Draw} */
function thumbnail(component, { message }) {
  return h("div", { class: "thumbnail" }, pictureButton(mediaOfItem(component, message)));
}

/** @type {Draw} */
function mediaGallery(component, { message }) {
  return gallery(component.items.map((/** @type {any} */ item) => mediaOfItem(item, message)));
}

/** @type {Draw} */
function file(component, { message }) {
  const media = mediaOfItem(component, message);
  if (!component.spoiler) return h("div", { class: "file-row" }, fileCard(media));
  return h(
    "details",
    { class: "file-row" },
    h("summary", {}, `Spoiler: a file of ${fileSize(media.size)}`),
    fileCard(media),
  );
}

/** @type {Draw} */
function separator(component) {
  const space = component.spacing === 2 ? "wide" : "narrow";
  return h("div", {
    class: `separator separator-${space}`,
    role: "separator",
    data: component.divider === false ? {} : { divider: "1" },
  });
}

/** @type {Draw} */
function container(component, scene) {
  const box = h(
    "div",
    { class: component.spoiler ? "container covered" : "container" },
    ...children(component.components, scene),
  );
  const colour = cssColour(component.accent_color);
  if (colour) {
    box.classList.add("accented");
    box.style.setProperty("--accent-line", colour);
  }
  if (component.spoiler)
    box.addEventListener("click", () => box.classList.remove("covered"), { once: true });
  return box;
}

/** @type {Record<number, Draw>} */
const DRAW = {
  [TYPE.ACTION_ROW]: actionRow,
  [TYPE.BUTTON]: button,
  [TYPE.STRING_SELECT]: select,
  [TYPE.USER_SELECT]: select,
  [TYPE.ROLE_SELECT]: select,
  [TYPE.MENTIONABLE_SELECT]: select,
  [TYPE.CHANNEL_SELECT]: select,
  [TYPE.SECTION]: section,
  [TYPE.TEXT_DISPLAY]: textDisplay,
  [TYPE.THUMBNAIL]: thumbnail,
  [TYPE.MEDIA_GALLERY]: mediaGallery,
  [TYPE.FILE]: file,
  [TYPE.SEPARATOR]: separator,
  [TYPE.CONTAINER]: container,
};

/** Kinds whose children are patched one by one when a message is edited. */
const HOLDERS = new Set([TYPE.CONTAINER, TYPE.ACTION_ROW]);

/**
 * Draw a list of components; an unknown one is named, never dropped in silence.
 *
 * @param {any[]} components
 * @param {Scene} scene
 * @returns {HTMLElement[]}
 */
export function children(components, scene) {
  return (components ?? []).filter(Boolean).map((component) => {
    const draw = DRAW[component.type];
    if (!draw) return h("p", { class: "subtext" }, `(component of type ${component.type})`);
    const holder = HOLDERS.has(component.type) ? `holder-${component.type}` : undefined;
    return printed(draw(component, scene), component, holder);
  });
}

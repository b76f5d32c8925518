/** One message as nodes: who, when, what, and the notes under it. */

import { emit, h, patchChildren, printed } from "./dom.js";
import { children } from "./components.js";
import { attachmentsBeside, embedBlocks } from "./embeds.js";
import { formatTime, messageTime } from "./format.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { attachmentBlocks } from "./media.js";
import { avatar } from "./people.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Message} Message */

const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7;
const COMPONENTS_V2 = 1 << 15;
const CONTEXT_REPLY = 23;
const TOGETHER_MS = 7 * 60 * 1000;
const PLAIN_TYPES = new Set([undefined, 0]);

/** @param {Message} message @returns {boolean} whether only one member sees it */
export const isEphemeral = (message) =>
  Boolean((message.flags ?? 0) & EPHEMERAL || message.ephemeral_for);

/** @param {Message} message @returns {boolean} whether the app has yet to answer */
export const isThinking = (message) => Boolean((message.flags ?? 0) & LOADING);

/** @param {Message} message @param {Store} store @returns {string} the author's name */
export function authorName({ author }, store) {
  return store.apps.get(author?.id)?.name ?? author?.global_name ?? author?.username ?? "Someone";
}

/** @param {Message} message @param {Store} store @returns {{id: string, name: string, bot: boolean}} */
function authorOf(message, store) {
  return {
    id: message.author?.id ?? "0",
    name: authorName(message, store),
    bot: Boolean(message.author?.bot),
  };
}

/**
 * Tell whether a message follows the one before it so closely that it needs no new heading.
 *
 * @param {Message} message
 * @param {Message | undefined} before
 * @returns {boolean}
 */
export function continues(message, before) {
  if (!before || before.author?.id !== message.author?.id) return false;
  if (!PLAIN_TYPES.has(message.type) || message.interaction_metadata || isEphemeral(message))
    return false;
  if (isEphemeral(before)) return false;
  const gap = Date.parse(message.timestamp) - Date.parse(before.timestamp);
  return gap < TOGETHER_MS;
}

/**
 * Draw the line over a message that says what it answers.
 *
 * @param {Message} message
 * @param {Store} store
 * @returns {HTMLElement | null}
 */
function trigger(message, store) {
  const about = message.interaction_metadata;
  const name = message.command;
  if (about?.user && name) {
    const who = {
      id: about.user.id,
      name: about.user.global_name ?? store.userName(about.user.id),
    };
    const command = message.type === CONTEXT_REPLY ? name : `/${name}`;
    return h(
      "div",
      { class: "trigger" },
      avatar(who, "tiny"),
      h("span", { class: "trigger-who" }, who.name),
      " used ",
      h("span", { class: "trigger-command" }, command),
    );
  }
  const replied = message.referenced_message;
  if (!replied) return null;
  return h(
    "div",
    { class: "trigger" },
    avatar(authorOf(replied, store), "tiny"),
    h("span", { class: "trigger-who" }, authorName(replied, store)),
    h("span", { class: "trigger-text" }, replied.content || "a message"),
  );
}

/**
 * @param {Message} message
 * @param {Store} store
 * @returns {HTMLElement}
 */
function heading(message, store) {
  const author = authorOf(message, store);
  const written = new Date(message.timestamp);
  const name = h("button", { class: "author", type: "button" }, author.name);
  name.addEventListener("click", () => emit(name, "person-menu", { person: author, anchor: name }));
  name.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
    emit(name, "person-menu", { person: author, anchor: name });
  });
  return h(
    "div",
    { class: "message-head" },
    name,
    author.bot && h("span", { class: "tag tag-app" }, "app"),
    h(
      "time",
      { class: "when", datetime: message.timestamp, title: formatTime(written, "F") },
      messageTime(written),
    ),
  );
}

/** @returns {HTMLElement} */
function thinking() {
  return h(
    "div",
    { class: "thinking" },
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    "thinking…",
  );
}

/**
 * @param {Message} message
 * @param {Store} store
 * @returns {HTMLElement | null}
 */
function words(message, store) {
  if (!message.content) return null;
  const text = markdown(message.content, store);
  if (message.edited_timestamp && !message.author?.bot) {
    (text.lastElementChild ?? text).append(h("span", { class: "edited" }, " (edited)"));
  }
  return printed(text, [message.content, message.edited_timestamp && !message.author?.bot]);
}

/**
 * Draw the parts of a message's body, each marked with its data.
 *
 * @param {Message} message
 * @param {Store} store
 * @returns {HTMLElement[]}
 */
function bodyBlocks(message, store) {
  const { attachments = [], embeds = [], components = [] } = message;
  if (isThinking(message) && !message.content && !components.length) {
    return [printed(thinking(), "thinking")];
  }
  const parts = children(components, { store, message });
  if ((message.flags ?? 0) & COMPONENTS_V2) return parts;
  const beside = attachmentBlocks(attachmentsBeside(attachments, embeds));
  return [
    words(message, store),
    ...beside,
    ...embedBlocks(embeds, attachments, store),
    ...parts,
  ].filter((each) => each !== null);
}

/**
 * @param {Message} message
 * @returns {HTMLElement | null}
 */
function ephemeralFoot(message) {
  if (!isEphemeral(message)) return null;
  const dismiss = h("button", { class: "text-button", type: "button" }, "Dismiss message");
  dismiss.addEventListener("click", () => emit(dismiss, "dismiss", { message }));
  return h("div", { class: "ephemeral-foot" }, icon("eye"), "Only you can see this · ", dismiss);
}

/**
 * Name a message for screen readers: who wrote it and when.
 *
 * @param {Message} message
 * @param {Store} store
 * @returns {string}
 */
function labelOf(message, store) {
  const note = isEphemeral(message) ? ", only you can see this" : "";
  return `${authorName(message, store)}, ${messageTime(new Date(message.timestamp))}${note}`;
}

/**
 * Draw a message for the first time.
 *
 * @param {Message} message
 * @param {Store} store
 * @returns {HTMLElement}
 */
export function messageElement(message, store) {
  const more = h(
    "button",
    {
      class: "icon-button message-more",
      type: "button",
      "aria-label": "More",
      "aria-haspopup": "menu",
    },
    icon("more"),
  );
  more.addEventListener("click", () =>
    emit(more, "message-menu", { id: message.id, anchor: more }),
  );
  const item = h(
    "li",
    { class: "message", tabindex: "-1", id: `message-${message.id}`, data: { id: message.id } },
    h(
      "div",
      { class: "message-side" },
      avatar(authorOf(message, store)),
      h(
        "time",
        { class: "side-time", "aria-hidden": "true" },
        formatTime(new Date(message.timestamp), "t"),
      ),
    ),
    h(
      "div",
      { class: "message-main" },
      h("div", { class: "message-top" }),
      h("div", { class: "message-body" }),
      h("div", { class: "message-foot" }),
    ),
    h("div", { class: "message-tools" }, more),
  );
  updateMessage(item, message, store);
  return item;
}

/**
 * Bring a drawn message up to date; what did not change stays in place, focus and scroll included.
 *
 * @param {HTMLElement} item
 * @param {Message} message
 * @param {Store} store
 */
export function updateMessage(item, message, store) {
  const [top, body, foot] = ["top", "body", "foot"].map(
    (part) =>
      /** @type {HTMLElement} */ (item.querySelector(`:scope > .message-main > .message-${part}`)),
  );
  const above = trigger(message, store);
  const head = printed(heading(message, store), [message.author, message.timestamp]);
  patchChildren(top, above ? [printed(above, "trigger"), head] : [head]);
  patchChildren(body, bodyBlocks(message, store));
  const failure = /** @type {HTMLElement | null} */ (foot.querySelector(".failure"));
  const notes = [failure, ephemeralFoot(message)].filter((each) => each !== null);
  foot.replaceChildren(...notes);
  item.classList.toggle("ephemeral", isEphemeral(message));
  item.setAttribute("aria-label", labelOf(message, store));
}

/**
 * Show under a message that a press on it failed, or take that note away.
 *
 * @param {HTMLElement} item
 * @param {string | null} text
 */
export function setFailure(item, text) {
  const foot = item.querySelector(":scope > .message-main > .message-foot");
  foot?.querySelector(".failure")?.remove();
  if (text) foot?.prepend(h("p", { class: "failure", role: "alert" }, icon("warning"), text));
}

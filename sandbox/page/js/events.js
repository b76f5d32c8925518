/** What happens in the channel, as the sandbox tells it, brought onto the screen. */

import { byId } from "./dom.js";
import { openModal } from "./modal.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./log.js").Log} Log */
/**
 * @typedef {object} Stage
 * @property {Store} store
 * @property {Log} log
 * @property {() => Promise<void>} loadCommands
 * @property {(modal: any, values: Record<string, any>) => Promise<void>} submitModal
 */

const TYPING_MS = 10_000;

/** @type {Map<string, number>} names of those who type, with the timer that forgets them */
const typing = new Map();

/** Show who types. */
function drawTyping() {
  const names = [...typing.keys()];
  byId("typing").textContent = names.length
    ? `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…`
    : "";
}

/** @param {string} name */
function stopTyping(name) {
  window.clearTimeout(typing.get(name));
  typing.delete(name);
  drawTyping();
}

/** Forget who types: the place has changed. */
export function clearTyping() {
  for (const name of [...typing.keys()]) stopTyping(name);
}

/** @param {any} message @param {Stage} stage */
function onMessage(message, { store, log }) {
  if (message.channel_id !== store.channelId) {
    if (message.author?.id !== store.memberId) store.unread.add(message.channel_id);
    store.changed("channels");
    return;
  }
  const before = store.messages.find((each) => each.id === message.id);
  const isNew = store.take(message);
  const now = store.messages.find((each) => each.id === message.id);
  if (!now) return;
  log.put(now);
  stopTyping(store.userName(now.author?.id));
  const answered = (before?.flags ?? 0) & 128 && !((now.flags ?? 0) & 128);
  if (isNew || answered) log.speak(now);
}

/** @param {any} data @param {Stage} stage */
function onTyping(data, { store }) {
  const id = data.user_id ?? data.user?.id;
  if (data.channel_id !== store.channelId || id === store.memberId) return;
  const name = store.userName(id);
  stopTyping(name);
  typing.set(
    name,
    window.setTimeout(() => stopTyping(name), TYPING_MS),
  );
  drawTyping();
}

/** @type {Record<string, (data: any, stage: Stage) => void>} */
const HANDLERS = {
  MESSAGE_CREATE: onMessage,
  MESSAGE_UPDATE: onMessage,
  MESSAGE_DELETE: (data, { store, log }) => {
    store.forget(data.id);
    log.remove(data.id);
  },
  MODAL: (data, { store, submitModal }) =>
    openModal(data, store, (values) => submitModal(data, values)),
  COMMANDS_UPDATE: (_, { loadCommands }) => loadCommands(),
  TYPING: onTyping,
};

/**
 * Bring one event onto the screen. A failed interaction needs nothing here: the request that
 * made it gets the failure as its answer, and knows where to show it.
 *
 * @param {{type: string, data: any}} event
 * @param {Stage} stage
 */
export function handleEvent(event, stage) {
  HANDLERS[event.type]?.(event.data, stage);
}

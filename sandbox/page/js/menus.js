/** What the menus of a message and of a person offer. */

import { announce, emit } from "./dom.js";
import { fileNameOf, localUrl } from "./format.js";
import { openMenu } from "./menu.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Person} Person */
/** @typedef {import("./menu.js").MenuItem} MenuItem */
/** @typedef {(kind: "user" | "message", name: string, targetId: string) => void} Invoke */

const USER_COMMAND = 2;
const MESSAGE_COMMAND = 3;

/**
 * @param {Store} store
 * @param {number} type
 * @param {(name: string) => void} act
 * @returns {({title: string} | MenuItem)[]}
 */
function appEntries(store, type, act) {
  const commands = store.commands.filter((each) => each.type === type);
  if (!commands.length) return [];
  return [
    { title: "Apps" },
    ...commands.map((each) => ({
      label: each.name_localized ?? each.name,
      icon: "apps",
      act: () => act(each.name),
    })),
  ];
}

/**
 * Return the pictures that a message shows.
 *
 * @param {string} id
 * @returns {HTMLImageElement[]}
 */
function picturesOf(id) {
  const found = document.querySelectorAll(`#message-${CSS.escape(id)} .message-body .picture img`);
  return /** @type {HTMLImageElement[]} */ ([...found]);
}

/**
 * Open the menu of a message.
 *
 * @param {Store} store
 * @param {{id: string, anchor: HTMLElement | DOMRect}} place
 * @param {{invoke: Invoke, remove: (id: string) => void}} actions
 */
export function openMessageMenu(store, { id, anchor }, { invoke, remove }) {
  const message = store.messages.find((each) => each.id === id);
  if (!message) return;
  const entries = appEntries(store, MESSAGE_COMMAND, (name) => invoke("message", name, id));
  entries.push({ title: "Message" });
  picturesOf(id)
    .slice(0, 1)
    .forEach((picture) => {
      const url = localUrl(picture.src);
      entries.push({
        label: "Attach this picture",
        icon: "image",
        act: () => emit(document.body, "attach", { url, name: fileNameOf(url ?? "") }),
      });
    });
  if (message.content) {
    entries.push({ label: "Copy text", icon: "copy", act: () => copy(message.content) });
  }
  entries.push({ label: "Copy message id", icon: "copy", act: () => copy(message.id) });
  if (message.author?.id === store.memberId || store.me.admin) {
    entries.push({ label: "Delete message", icon: "close", act: () => remove(id) });
  }
  openMenu("Message", entries, anchor);
}

/** @param {string} text */
async function copy(text) {
  await navigator.clipboard.writeText(text);
  announce("Copied");
}

/**
 * Open the menu of a person.
 *
 * @param {Store} store
 * @param {{person: Person, anchor: HTMLElement}} place
 * @param {{invoke: Invoke}} actions
 */
export function openPersonMenu(store, { person, anchor }, { invoke }) {
  const entries = appEntries(store, USER_COMMAND, (name) => invoke("user", name, person.id));
  const member = store.members.find((each) => each.id === person.id);
  entries.push({ title: person.name });
  entries.push({
    label: "Mention",
    icon: "at",
    act: () => emit(anchor, "mention", { id: person.id }),
  });
  if (member && member.id !== store.memberId) {
    entries.push({
      label: `Act as ${member.name}`,
      icon: "people",
      act: () => store.moveTo({ memberId: member.id }),
    });
  }
  openMenu(person.name, entries, anchor);
}

/** Avatars, the switcher between members, the list of people, the list of channels. */

import { byId, emit, h } from "./dom.js";
import { hueOf } from "./format.js";
import { icon } from "./icons.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Person} Person */

const DIRECT = 1;

/**
 * Draw somebody's round picture: the first letter on a colour of their own.
 *
 * @param {{id: string, name: string, bot?: boolean}} person
 * @param {string} [size] "small" or "tiny"; the usual size without it
 * @returns {HTMLElement}
 */
export function avatar(person, size) {
  const classes = ["avatar", person.bot && "avatar-app", size && `avatar-${size}`];
  const letter = [...person.name.trim()][0]?.toUpperCase() ?? "?";
  return h(
    "span",
    {
      class: classes.filter(Boolean).join(" "),
      "aria-hidden": "true",
      style: { "--hue": hueOf(person.id) },
    },
    letter,
  );
}

/**
 * Draw the three ways to act: a radio group, moved through with the arrow keys.
 *
 * @param {Store} store
 */
export function drawSwitcher(store) {
  const group = byId("switcher");
  const focused = group.contains(document.activeElement);
  group.replaceChildren(
    h("span", { class: "switcher-title" }, "You are"),
    ...store.members.map((member) => switchButton(member, store)),
  );
  if (focused)
    /** @type {HTMLElement | null} */ (group.querySelector("[aria-checked=true]"))?.focus();
}

/**
 * @param {Person} member
 * @param {Store} store
 * @returns {HTMLElement}
 */
function switchButton(member, store) {
  const chosen = member.id === store.memberId;
  const role = member.admin ? "admin" : "member";
  const button = h(
    "button",
    {
      class: "switch",
      type: "button",
      role: "radio",
      "aria-checked": String(chosen),
      tabindex: chosen ? "0" : "-1",
      "aria-label": `Act as ${member.name}, ${role}`,
      title: `Act as ${member.name} (${role})`,
      data: { member: member.id },
    },
    avatar(member, "tiny"),
    h("span", { class: "switch-name" }, member.name),
    member.admin && icon("star"),
  );
  button.addEventListener("click", () => store.moveTo({ memberId: member.id }));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const count = store.members.length;
    store.moveTo({
      memberId: store.members[(store.members.indexOf(member) + step + count) % count].id,
    });
  });
  return button;
}

/**
 * Draw the choice of the acting member's language, each by its own name.
 *
 * @param {Store} store
 */
export function drawLanguage(store) {
  const select = /** @type {HTMLSelectElement} */ (byId("language"));
  const locales = /** @type {string[]} */ (store.details.locales ?? []);
  byId("language-title").textContent = `${store.me.name}'s language`;
  select.replaceChildren(
    ...locales.map((locale) =>
      h("option", { value: locale }, new Intl.DisplayNames(locale, { type: "language" }).of(locale)),
    ),
  );
  select.value = store.me.locale ?? "en-US";
  select.onchange = () => emit(select, "language", { locale: select.value });
}

/** @param {{type?: number}} channel @returns {string} the icon of its kind */
const signOf = (channel) => (channel?.type === DIRECT ? "at" : "hash");

/**
 * Draw the channels, with a dot at those that hold something new.
 *
 * @param {Store} store
 */
export function drawChannels(store) {
  byId("channels").replaceChildren(
    ...store.channels.map((channel) => {
      const here = channel.id === store.channelId;
      const unread = store.unread.has(channel.id);
      const button = h(
        "button",
        {
          class: "channel",
          type: "button",
          "aria-current": here ? "page" : null,
          data: { channel: channel.id },
        },
        icon(signOf(channel)),
        h("span", { class: "channel-label" }, channel.name),
        unread && h("span", { class: "unread", role: "img", "aria-label": "new messages" }),
      );
      button.addEventListener("click", () => emit(button, "channel", { id: channel.id }));
      return h("li", {}, button);
    }),
  );
  byId("channel-name").replaceChildren(
    icon(signOf(store.channel)),
    h("span", {}, store.channel?.name ?? ""),
  );
}

/**
 * @param {Person} person
 * @param {string} memberId of the member who acts
 * @returns {HTMLElement}
 */
function personRow(person, memberId) {
  const row = h(
    "button",
    {
      class: "person",
      type: "button",
      data: { person: person.id },
      "aria-haspopup": "menu",
    },
    avatar(person, "small"),
    h("span", { class: "person-name" }, person.name),
    person.id === memberId && h("span", { class: "person-you" }, "you"),
    person.admin && h("span", { class: "tag" }, "admin"),
    person.bot && h("span", { class: "tag tag-app" }, "app"),
  );
  row.addEventListener("click", () => emit(row, "person-menu", { person, anchor: row }));
  row.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    emit(row, "person-menu", { person, anchor: row });
  });
  return h("li", {}, row);
}

/**
 * Draw the people of the guild: members and apps.
 *
 * @param {Store} store
 */
export function drawPeople(store) {
  const apps = [...store.apps.values()];
  const group = (/** @type {string} */ title, /** @type {Person[]} */ people) => [
    h("h2", { class: "side-title" }, `${title} — ${people.length}`),
    h("ul", { class: "person-list" }, ...people.map((each) => personRow(each, store.memberId))),
  ];
  byId("people").replaceChildren(
    ...group("Members", store.members),
    ...(apps.length ? group("Apps", apps) : []),
  );
}

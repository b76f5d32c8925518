/** Select menus of all kinds, in messages and in modals. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openListbox } from "./listbox.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./listbox.js").Choice} Choice */

const USER = 5;
const ROLE = 6;
const MENTIONABLE = 7;
const CHANNEL = 8;

/**
 * Return what a select offers.
 *
 * @param {any} component
 * @param {Store} store
 * @returns {Choice[]}
 */
function choicesOf(component, store) {
  const users = store.people.map((each) => ({
    label: each.name,
    value: each.id,
    description: each.bot ? "App" : "",
  }));
  const roles = store.roles.map((each) => ({ label: `@${each.name}`, value: each.id }));
  if (component.type === USER) return users;
  if (component.type === ROLE) return roles;
  if (component.type === MENTIONABLE) return [...users, ...roles];
  if (component.type === CHANNEL) {
    return store.channels.map((each) => ({ label: `#${each.name}`, value: each.id }));
  }
  return component.options ?? [];
}

/**
 * Return what is selected before the member touches the select.
 *
 * @param {any} component
 * @returns {string[]}
 */
function defaultsOf(component) {
  const named = (component.default_values ?? []).map((/** @type {any} */ each) => String(each.id));
  const marked = (component.options ?? [])
    .filter((/** @type {any} */ each) => each.default)
    .map((/** @type {any} */ each) => each.value);
  return [...named, ...marked];
}

/**
 * Draw a select.
 *
 * @param {any} component
 * @param {Store} store
 * @param {{onPick: (control: HTMLElement, values: string[]) => void}} listeners
 * @returns {HTMLElement}
 */
export function selectControl(component, store, { onPick }) {
  const choices = choicesOf(component, store);
  const placeholder = component.placeholder ?? "Make a selection";
  let selected = defaultsOf(component);
  const words = h("span", { class: "select-words" });
  const control = h(
    "button",
    {
      class: "select",
      type: "button",
      disabled: component.disabled,
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      data: { customId: component.custom_id ?? "" },
    },
    words,
    icon("chevron"),
  );
  const show = () => {
    const labels = choices
      .filter((each) => selected.includes(each.value))
      .map((each) => each.label);
    words.textContent = labels.join(", ") || placeholder;
    words.classList.toggle("placeholder", labels.length === 0);
    control.setAttribute("aria-label", [placeholder, ...labels].join(", "));
  };
  control.addEventListener("click", () =>
    openListbox(control, {
      choices,
      selected,
      least: component.min_values ?? 1,
      most: component.max_values ?? 1,
      onDone: (values) => {
        selected = values;
        show();
        onPick(control, values);
      },
    }),
  );
  show();
  return control;
}

/** Menus: of a message, of a person. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { float, placeAt } from "./listbox.js";

/**
 * @typedef {{title: string}} MenuTitle
 * @typedef {{label: string, icon?: string, act: () => void}} MenuItem
 */

/**
 * @param {MenuItem} item
 * @param {() => void} close
 * @returns {HTMLElement}
 */
function menuItem(item, close) {
  const button = h(
    "button",
    { class: "menu-item", type: "button", role: "menuitem", tabindex: "-1" },
    item.icon && icon(item.icon),
    h("span", {}, item.label),
  );
  button.addEventListener("click", () => {
    close();
    item.act();
  });
  return button;
}

/**
 * Move through the items with the arrow keys.
 *
 * @param {HTMLElement} menu
 * @param {KeyboardEvent} event
 */
function menuKey(menu, event) {
  const items = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll(".menu-item")]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, number>} */
  const targets = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key === "Tab") menu.hidePopover();
  if (targets[event.key] === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  items[(targets[event.key] + items.length) % items.length]?.focus();
}

/**
 * Open a menu.
 *
 * @param {string} label for screen readers
 * @param {(MenuTitle | MenuItem)[]} entries
 * @param {HTMLElement | DOMRect} anchor
 */
export function openMenu(label, entries, anchor) {
  const near = anchor instanceof DOMRect ? document.body : anchor;
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const menu = h("div", { class: "menu", role: "menu", "aria-label": label });
  const close = () => menu.hidePopover();
  menu.append(
    ...entries.map((entry) =>
      "title" in entry ? h("div", { class: "menu-title" }, entry.title) : menuItem(entry, close),
    ),
  );
  menu.addEventListener("keydown", (event) => menuKey(menu, event));
  const onClose = () => {
    if (!document.activeElement || document.activeElement === document.body) before?.focus();
  };
  float(menu, near, { onClose });
  placeAt(menu, anchor instanceof DOMRect ? anchor : anchor.getBoundingClientRect());
  /** @type {HTMLElement | null} */ (menu.querySelector(".menu-item"))?.focus();
}

/** A list of choices that floats at its control: for selects in messages and forms. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @typedef {{label: string, value: string, description?: string, emoji?: any}} Choice
 * @typedef {object} ListboxSettings
 * @property {Choice[]} choices
 * @property {string[]} selected
 * @property {number} least
 * @property {number} most
 * @property {(values: string[]) => void} onDone called once when the list closes with a change
 */

let lastId = 0;

/**
 * Place a floating element at its anchor: below it, or above where there is more room.
 *
 * @param {HTMLElement} floating
 * @param {DOMRect} anchor
 */
export function placeAt(floating, anchor) {
  const margin = 8;
  const below = window.innerHeight - anchor.bottom - margin;
  const above = anchor.top - margin;
  const upward = below < Math.min(floating.scrollHeight, 240) && above > below;
  floating.style.maxHeight = `${Math.max(120, Math.min(360, upward ? above : below))}px`;
  const width = floating.offsetWidth;
  const left = Math.max(margin, Math.min(anchor.left, window.innerWidth - width - margin));
  floating.style.left = `${left}px`;
  if (upward) floating.style.bottom = `${window.innerHeight - anchor.top + 4}px`;
  else floating.style.top = `${anchor.bottom + 4}px`;
}

/**
 * Show an element above everything until a press elsewhere or Escape; it is removed then.
 *
 * The browser's own light dismissal would close a menu as the finger of a long press is lifted.
 *
 * @param {HTMLElement} floating
 * @param {HTMLElement} near lies in the dialog, if any, that must hold the element
 * @param {{onClose?: () => void, toggler?: HTMLElement}} [settings] a press on the toggler only closes
 */
export function float(floating, near, { onClose, toggler } = {}) {
  const leaving = new AbortController();
  const listening = { capture: true, signal: leaving.signal };
  floating.setAttribute("popover", "manual");
  (near.closest("dialog") ?? document.body).append(floating);
  floating.showPopover();
  floating.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    leaving.abort();
    floating.remove();
    onClose?.();
  });
  document.addEventListener(
    "pointerdown",
    (event) => {
      const target = /** @type {Node} */ (event.target);
      if (floating.contains(target)) return;
      floating.hidePopover();
      if (toggler?.contains(target)) {
        toggler.addEventListener("click", (click) => click.stopImmediatePropagation(), {
          capture: true,
          once: true,
        });
      }
    },
    listening,
  );
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      floating.hidePopover();
    },
    listening,
  );
}

/** One open list: keys, the marked choice, and the selection. */
class Listbox {
  /**
   * @param {HTMLElement} anchor
   * @param {ListboxSettings} settings
   */
  constructor(anchor, settings) {
    this.anchor = anchor;
    this.settings = settings;
    this.multiple = settings.most > 1;
    this.selected = new Set(settings.selected);
    this.active = Math.max(
      0,
      settings.choices.findIndex((each) => this.selected.has(each.value)),
    );
    lastId += 1;
    this.id = `listbox-${lastId}`;
    this.items = settings.choices.map((choice, index) => this.item(choice, index));
    this.list = h(
      "div",
      {
        class: "listbox",
        role: "listbox",
        tabindex: "0",
        id: this.id,
        "aria-label": anchor.getAttribute("aria-label") ?? "Choices",
        "aria-multiselectable": this.multiple,
      },
      ...this.items,
    );
    if (!this.items.length)
      this.list.append(h("p", { class: "listbox-empty" }, "Nothing to choose"));
  }

  /** Show the list and take the keys. */
  open() {
    const before = [...this.selected].join("\n");
    this.list.addEventListener("keydown", (event) => this.key(event));
    const onClose = () => {
      this.anchor.setAttribute("aria-expanded", "false");
      if (!this.anchor.ownerDocument.activeElement?.matches("input, textarea, button"))
        this.anchor.focus();
      if ([...this.selected].join("\n") !== before) this.settings.onDone([...this.selected]);
    };
    float(this.list, this.anchor, { onClose, toggler: this.anchor });
    this.list.style.minWidth = `${Math.min(this.anchor.offsetWidth, window.innerWidth - 16)}px`;
    placeAt(this.list, this.anchor.getBoundingClientRect());
    this.anchor.setAttribute("aria-expanded", "true");
    this.list.focus();
    this.mark(this.active);
  }

  /**
   * @param {Choice} choice
   * @param {number} index
   * @returns {HTMLElement}
   */
  item(choice, index) {
    const chosen = this.selected.has(choice.value);
    const item = h(
      "div",
      {
        class: "listbox-item",
        role: "option",
        id: `${this.id}-${index}`,
        "aria-selected": String(chosen),
      },
      choice.emoji?.name && h("span", { class: "emoji" }, choice.emoji.name),
      h(
        "span",
        { class: "listbox-words" },
        h("span", {}, choice.label),
        choice.description && h("span", { class: "listbox-about" }, choice.description),
      ),
      h("span", { class: "listbox-check" }, icon("check")),
    );
    item.addEventListener("click", () => this.pick(index));
    item.addEventListener("pointermove", () => this.mark(index, false));
    return item;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const last = this.items.length - 1;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowDown: () => this.mark(Math.min(this.active + 1, last)),
      ArrowUp: () => this.mark(Math.max(this.active - 1, 0)),
      Home: () => this.mark(0),
      End: () => this.mark(last),
      Enter: () => this.pick(this.active),
      " ": () => this.pick(this.active),
      Tab: () => this.close(),
    };
    if (actions[event.key]) {
      event.preventDefault();
      event.stopPropagation();
      actions[event.key]();
    } else if (event.key.length === 1) {
      this.find(event.key.toLowerCase());
    }
  }

  /** @param {string} letter mark the next choice that starts with it */
  find(letter) {
    const { choices } = this.settings;
    for (let step = 1; step <= choices.length; step += 1) {
      const index = (this.active + step) % choices.length;
      if (choices[index].label.toLowerCase().startsWith(letter)) {
        this.mark(index);
        return;
      }
    }
  }

  /**
   * @param {number} index
   * @param {boolean} [scroll]
   */
  mark(index, scroll = true) {
    this.items[this.active]?.classList.remove("active");
    this.active = index;
    const item = this.items[index];
    if (!item) return;
    item.classList.add("active");
    if (scroll) item.scrollIntoView({ block: "nearest" });
    this.list.setAttribute("aria-activedescendant", item.id);
  }

  /** @param {number} index choose it: a single choice closes the list, others toggle */
  pick(index) {
    const choice = this.settings.choices[index];
    if (!choice) return;
    if (!this.multiple) {
      const again = this.selected.has(choice.value) && this.settings.least === 0;
      this.selected = new Set(again ? [] : [choice.value]);
      this.close();
      return;
    }
    if (this.selected.has(choice.value)) this.selected.delete(choice.value);
    else if (this.selected.size < this.settings.most) this.selected.add(choice.value);
    this.items[index].setAttribute("aria-selected", String(this.selected.has(choice.value)));
  }

  /** Close the list and give the focus back. */
  close() {
    this.list.hidePopover();
    this.anchor.focus();
  }
}

/**
 * Open a list of choices at a control.
 *
 * @param {HTMLElement} anchor
 * @param {ListboxSettings} settings
 */
export function openListbox(anchor, settings) {
  new Listbox(anchor, settings).open();
}

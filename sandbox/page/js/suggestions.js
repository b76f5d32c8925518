/** The list over the message box: commands, options, choices. The text field keeps the focus. */

import { h } from "./dom.js";

/**
 * @typedef {{label: string, about?: string, tag?: string, pick: () => void}} Suggestion
 * @typedef {object} Offer
 * @property {string} title
 * @property {string} [about]
 * @property {Suggestion[]} items
 * @property {boolean} [eager] whether Enter takes the first suggestion without an arrow key before
 * @property {string} [empty] said when there is nothing to suggest
 */

/** The list; one for the page. */
export class Suggestions {
  constructor() {
    this.element = h("div", { class: "suggestions", hidden: true });
    this.list = h("div", {
      class: "suggestion-list",
      role: "listbox",
      id: "suggestions",
      "aria-label": "Suggestions",
    });
    /** @type {Suggestion[]} */
    this.items = [];
    this.active = -1;
    /** @type {HTMLElement | null} */
    this.field = null;
    // A press must not take the focus from the text field: picking works on the click.
    this.element.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** @returns {boolean} */
  get open() {
    return !this.element.hidden;
  }

  /**
   * Show an offer for a text field.
   *
   * @param {HTMLElement} field
   * @param {Offer} offer
   */
  show(field, offer) {
    if (this.field !== field) this.hide();
    this.field = field;
    this.items = offer.items;
    this.active = -1;
    const nothing = !offer.items.length && offer.empty;
    this.list.replaceChildren(...offer.items.map((item, index) => this.row(item, index)));
    this.element.replaceChildren(
      h(
        "div",
        { class: "suggestion-head" },
        h("strong", {}, offer.title),
        offer.about && h("span", {}, offer.about),
      ),
      this.list,
      ...(nothing ? [h("p", { class: "suggestion-empty" }, offer.empty)] : []),
    );
    this.element.hidden = false;
    field.setAttribute("aria-controls", "suggestions");
    field.setAttribute("aria-expanded", "true");
    if (offer.eager && offer.items.length) this.mark(0);
  }

  /** Take the list away. */
  hide() {
    this.element.hidden = true;
    this.items = [];
    this.active = -1;
    this.field?.removeAttribute("aria-activedescendant");
    this.field?.setAttribute("aria-expanded", "false");
    this.field = null;
  }

  /**
   * @param {Suggestion} item
   * @param {number} index
   * @returns {HTMLElement}
   */
  row(item, index) {
    const row = h(
      "div",
      { class: "suggestion", role: "option", id: `suggestion-${index}`, "aria-selected": "false" },
      h(
        "span",
        { class: "suggestion-words" },
        h("span", { class: "suggestion-label" }, item.label),
        item.about && h("span", { class: "suggestion-about" }, item.about),
      ),
      item.tag && h("span", { class: "suggestion-tag" }, item.tag),
    );
    row.addEventListener("click", () => item.pick());
    row.addEventListener("pointermove", () => this.active !== index && this.mark(index, false));
    return row;
  }

  /**
   * @param {number} index
   * @param {boolean} [scroll]
   */
  mark(index, scroll = true) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = index;
    const row = this.list.children[index];
    row.setAttribute("aria-selected", "true");
    if (scroll) row.scrollIntoView({ block: "nearest" });
    this.field?.setAttribute("aria-activedescendant", row.id);
  }

  /**
   * Handle a key of the text field.
   *
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was meant for the list
   */
  key(event) {
    if (!this.open || event.isComposing) return false;
    const count = this.items.length;
    if (event.key === "Escape") {
      this.hide();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.mark(
        this.active < 0 ? (step > 0 ? 0 : count - 1) : (this.active + step + count) % count,
      );
    } else if (
      (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) &&
      this.active >= 0
    ) {
      this.items[this.active].pick();
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}

/** One option of a command that is being written: a chip with its name and its value. */

import { h } from "./dom.js";
import { fileSize } from "./format.js";
import { icon } from "./icons.js";
import { ATTACHMENT } from "./commands.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./commands.js").Option} Option */
/** @typedef {{name: string, value: any}} Choice */
/** @typedef {{value?: any, file?: File, complaint?: string}} Reading */

const [STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER] = [
  3, 4, 5, 6, 7, 8, 9, 10,
];
const YES_NO = [
  { name: "True", value: true },
  { name: "False", value: false },
];
let lastId = 0;

/**
 * Return the fixed choices of an option, or null when its text is free.
 *
 * @param {Option} option
 * @param {Store} store
 * @returns {Choice[] | null}
 */
export function fixedChoices(option, store) {
  const named = (/** @type {{id: string, name: string}[]} */ list, /** @type {string} */ sign) =>
    list.map((each) => ({ name: `${sign}${each.name}`, value: each.id }));
  if (option.choices?.length) return option.choices;
  if (option.type === BOOLEAN) return YES_NO;
  if (option.type === USER) return named(store.people, "@");
  if (option.type === CHANNEL) return named(store.channels, "#");
  if (option.type === ROLE) return named(store.roles, "@");
  if (option.type === MENTIONABLE) return [...named(store.people, "@"), ...named(store.roles, "@")];
  return null;
}

/**
 * Read a number, or say what is wrong with it.
 *
 * @param {Option} option
 * @param {string} text
 * @returns {Reading}
 */
function readNumber(option, text) {
  const value = Number(text.replace(",", "."));
  if (Number.isNaN(value)) return { complaint: `${option.label} must be a number.` };
  if (option.type === INTEGER && !Number.isInteger(value))
    return { complaint: `${option.label} must be a whole number.` };
  if (option.min_value !== undefined && value < option.min_value) {
    return { complaint: `${option.label} must be at least ${option.min_value}.` };
  }
  if (option.max_value !== undefined && value > option.max_value) {
    return { complaint: `${option.label} must be at most ${option.max_value}.` };
  }
  return { value };
}

/**
 * Read free text, or say what is wrong with it.
 *
 * @param {Option} option
 * @param {string} text
 * @returns {Reading}
 */
function readText(option, text) {
  const { min_length: least = 0, max_length: most = 6000 } = option;
  if (text.length < least)
    return { complaint: `${option.label} needs at least ${least} characters.` };
  if (text.length > most) return { complaint: `${option.label} takes at most ${most} characters.` };
  return { value: text };
}

/** An option that is written as text, with or without choices. */
export class TextOption {
  /**
   * @param {Option} option
   * @param {Store} store
   */
  constructor(option, store) {
    lastId += 1;
    this.option = option;
    this.choices = fixedChoices(option, store);
    /** @type {Choice | null} */
    this.picked = null;
    const numeric = option.type === INTEGER || option.type === NUMBER;
    this.input = /** @type {HTMLInputElement} */ (
      h("input", {
        class: "chip-input",
        type: "text",
        id: `option-${lastId}`,
        size: 4,
        autocomplete: "off",
        spellcheck: "false",
        inputmode: numeric ? "decimal" : null,
        role: "combobox",
        "aria-expanded": "false",
        "aria-autocomplete": "list",
        "aria-required": Boolean(option.required),
        data: { option: option.name },
      })
    );
    this.element = h(
      "span",
      { class: "chip", data: { option: option.name } },
      h("label", { class: "chip-name", for: this.input.id }, option.label),
      this.input,
    );
    this.input.addEventListener("input", () => {
      this.picked = null;
      this.resize();
    });
  }

  /** Make the field as wide as its text. */
  resize() {
    this.input.size = Math.max(4, this.input.value.length + 1);
    this.element.classList.remove("wrong");
  }

  /** @returns {boolean} */
  get empty() {
    return this.input.value === "";
  }

  /** @returns {HTMLElement} */
  get control() {
    return this.input;
  }

  /** @param {string} text */
  setText(text) {
    this.input.value = text;
    this.picked = null;
    this.resize();
  }

  /** @param {Choice} choice */
  setChoice(choice) {
    this.input.value = choice.name;
    this.picked = choice;
    this.resize();
  }

  /** @returns {Choice | null} the choice that was picked, or that the text names */
  choice() {
    if (this.picked) return this.picked;
    const text = this.input.value.trim().toLowerCase();
    const bare = (/** @type {string} */ name) => name.toLowerCase().replace(/^[@#]/, "");
    return (
      (this.choices ?? []).find((each) =>
        [each.name.toLowerCase(), bare(each.name), String(each.value).toLowerCase()].includes(text),
      ) ?? null
    );
  }

  /** @returns {Reading} */
  read() {
    const { option } = this;
    const text = this.input.value.trim();
    if (!text) return option.required ? { complaint: `${option.label} is required.` } : {};
    const choice = this.choice();
    if (choice) return { value: choice.value };
    if (this.choices) return { complaint: `${option.label} must be one of its choices.` };
    return option.type === STRING ? readText(option, text) : readNumber(option, text);
  }
}

/** An option that holds a file. */
export class FileOption {
  /** @param {Option} option */
  constructor(option) {
    lastId += 1;
    this.option = option;
    /** @type {File | null} */
    this.file = null;
    this.picker = /** @type {HTMLInputElement} */ (
      h("input", { type: "file", hidden: true, tabindex: "-1" })
    );
    this.button = h("button", {
      class: "chip-file",
      type: "button",
      id: `option-${lastId}`,
      data: { option: option.name },
    });
    this.element = h(
      "span",
      { class: "chip chip-attachment", data: { option: option.name } },
      h("label", { class: "chip-name", for: this.button.id }, option.label),
      this.button,
      this.picker,
    );
    this.button.addEventListener("click", () => this.picker.click());
    this.picker.addEventListener("change", () => {
      const file = this.picker.files?.[0];
      if (file) this.setFile(file);
      this.picker.value = "";
      this.element.dispatchEvent(new CustomEvent("filled", { bubbles: true }));
    });
    this.draw();
  }

  /** Show the file, or the invitation to choose one. */
  draw() {
    const { file } = this;
    this.element.classList.remove("wrong");
    if (this.preview) URL.revokeObjectURL(this.preview);
    this.preview = file?.type.startsWith("image/") ? URL.createObjectURL(file) : "";
    const mark = this.preview
      ? h("img", { class: "chip-thumb", src: this.preview, alt: "" })
      : icon(file ? "file" : "image");
    mark.addEventListener("error", () => mark.replaceWith(icon("file")));
    this.button.setAttribute(
      "aria-label",
      file
        ? `${this.option.label}: ${file.name}, ${fileSize(file.size)}. Press to change.`
        : `${this.option.label}: choose a file, drop one or paste one`,
    );
    this.button.replaceChildren(
      mark,
      h("span", { class: "chip-filename" }, file?.name ?? "choose, drop or paste"),
    );
  }

  /** @returns {boolean} */
  get empty() {
    return this.file === null;
  }

  /** @returns {HTMLElement} */
  get control() {
    return this.button;
  }

  /** @param {File | null} file */
  setFile(file) {
    this.file = file;
    this.draw();
  }

  /** @returns {Reading} */
  read() {
    if (this.file) return { file: this.file };
    return this.option.required
      ? { complaint: `${this.option.label} is required: choose, drop or paste a file.` }
      : {};
  }
}

/**
 * Build the chip of an option.
 *
 * @param {Option} option
 * @param {Store} store
 * @returns {TextOption | FileOption}
 */
export function optionField(option, store) {
  return option.type === ATTACHMENT ? new FileOption(option) : new TextOption(option, store);
}

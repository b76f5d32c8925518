/** A slash command while it is being written: its name, a chip for each option, room for more. */

import { h } from "./dom.js";
import { ATTACHMENT, limitsOf, readOptions } from "./commands.js";
import { FileOption, optionField, TextOption } from "./options.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./commands.js").Runnable} Runnable */
/** @typedef {import("./suggestions.js").Suggestions} Suggestions */
/**
 * @typedef {object} FormSettings
 * @property {Store} store
 * @property {Suggestions} suggestions
 * @property {() => void} onSubmit
 * @property {(text: string) => void} onCancel gets the text to go on with
 * @property {(focused: string, options: Record<string, any>) => Promise<{name: string, value: any}[]>} autocomplete
 */

const AUTOCOMPLETE_PAUSE_MS = 120;

/** The form; it takes the place of the message box until it is sent or cancelled. */
export class CommandForm {
  /**
   * @param {Runnable} runnable
   * @param {FormSettings} settings
   */
  constructor(runnable, settings) {
    this.runnable = runnable;
    this.settings = settings;
    /** @type {(TextOption | FileOption)[]} */
    this.fields = [];
    this.asked = 0;
    this.timer = 0;
    this.rest = /** @type {HTMLInputElement} */ (
      h("input", {
        class: "chip-rest",
        type: "text",
        size: 2,
        "aria-label": "More options",
        autocomplete: "off",
        spellcheck: "false",
        role: "combobox",
        "aria-expanded": "false",
      })
    );
    this.element = h(
      "div",
      { class: "command-form", role: "group", "aria-label": `Command /${runnable.name}` },
      h("span", { class: "command-name" }, `/${runnable.name}`),
      this.rest,
    );
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener(
      "click",
      (event) => event.target === this.element && this.rest.focus(),
    );
    this.element.addEventListener("filled", () => this.focusNext());
    this.rest.addEventListener("input", () => this.typedRest());
    this.rest.addEventListener("focus", () => this.offerOptions());
    runnable.options.filter((each) => each.required).forEach((each) => this.add(each.name));
  }

  /** @returns {import("./commands.js").Option[]} options that have no chip yet */
  get remaining() {
    return this.runnable.options.filter((each) => !this.field(each.name));
  }

  /** @param {string} name */
  field(name) {
    return this.fields.find((each) => each.option.name === name);
  }

  /**
   * Give an option its chip, unless it has one.
   *
   * @param {string} name
   * @returns {TextOption | FileOption | null}
   */
  add(name) {
    const option = this.runnable.options.find((each) => each.name === name);
    if (!option) return null;
    const present = this.field(name);
    if (present) return present;
    const field = optionField(option, this.settings.store);
    this.fields.push(field);
    this.element.insertBefore(field.element, this.rest);
    field.control.addEventListener("focus", () => this.offer(field));
    if (field instanceof TextOption) field.input.addEventListener("input", () => this.typed(field));
    return field;
  }

  /** @param {TextOption | FileOption} field */
  remove(field) {
    this.fields = this.fields.filter((each) => each !== field);
    field.element.remove();
    this.rest.focus();
  }

  /**
   * Take over `name:value` text. What names no option goes where typing would have put it: into
   * the first required option that is still empty, else into the trailing field.
   *
   * @param {string} text
   */
  apply(text) {
    const { before, values } = readOptions(text, this.runnable.options);
    const named = values.map(([name]) => name);
    const first = this.fields.find(
      (each) => each.empty && each.option.required && !named.includes(each.option.name),
    );
    const typed = before.trim();
    const target = typed && first instanceof TextOption ? first : null;
    this.rest.value = target ? "" : typed;
    target?.setText(typed);
    for (const [name, value] of values) {
      const field = this.add(name);
      if (field instanceof TextOption) field.setText(value);
    }
    const last = named.length ? this.field(named[named.length - 1]) : target;
    if (last) last.control.focus();
    else this.focusNext();
  }

  /**
   * Put files into the attachment options, adding optional ones for them.
   *
   * @param {File[]} files
   * @returns {File[]} files that found no place
   */
  takeFiles(files) {
    const left = files.filter((file) => !this.takeFile(file));
    if (left.length < files.length) this.focusNext();
    // What has the focus already does not get it anew, and would go on offering what is filled.
    if (document.activeElement === this.rest) this.offerOptions();
    return left;
  }

  /** @param {File} file @returns {boolean} */
  takeFile(file) {
    const options = this.runnable.options.filter((each) => each.type === ATTACHMENT);
    const focused = this.fields.find((each) => each.element.contains(document.activeElement));
    const free = options.find((each) => this.field(each.name)?.empty ?? true);
    const target = focused instanceof FileOption ? focused.option : (free ?? options[0]);
    const field = target && this.add(target.name);
    if (!(field instanceof FileOption)) return false;
    field.setFile(file);
    return true;
  }

  /** Move to the first required option that is empty, else to the trailing field. */
  focusNext() {
    const empty =
      this.fields.find((each) => each.empty && each.option.required) ??
      this.fields.find((each) => each.empty);
    (empty?.control ?? this.rest).focus();
  }

  /** Turn `name:` typed into the trailing field into a chip. */
  typedRest() {
    this.rest.size = Math.max(2, this.rest.value.length + 1);
    const { values } = readOptions(this.rest.value, this.runnable.options);
    if (values.length) this.apply(this.rest.value);
    this.rest.size = Math.max(2, this.rest.value.length + 1);
    if (document.activeElement === this.rest) this.offerOptions();
  }

  /**
   * React to text typed into a chip: another option's `name:` at its end starts that option.
   *
   * @param {TextOption} field
   */
  typed(field) {
    const { before, values } = readOptions(field.input.value, this.runnable.options);
    if (values.length) {
      const own = values.find(([name]) => name === field.option.name);
      field.setText(own ? own[1] : before.trim());
      const others = values.filter(([name]) => name !== field.option.name);
      if (others.length) this.apply(others.map(([name, value]) => `${name}:${value}`).join(" "));
    }
    if (document.activeElement === field.input) this.offer(field);
  }

  /** Offer the options that have no chip yet. */
  offerOptions() {
    const { suggestions } = this.settings;
    const typed = this.rest.value.trim().toLowerCase();
    const fitting = this.remaining.filter((each) =>
      [each.name, each.label].some((name) => name.startsWith(typed)),
    );
    if (!fitting.length) {
      suggestions.hide();
      return;
    }
    suggestions.show(this.rest, {
      title: "More options",
      about: "Enter sends",
      eager: typed !== "",
      items: fitting.map((option) => ({
        label: option.label,
        about: option.description,
        tag: limitsOf(option),
        pick: () => {
          this.rest.value = "";
          this.add(option.name)?.control.focus();
        },
      })),
    });
  }

  /** @param {TextOption | FileOption} field */
  offer(field) {
    const { option } = field;
    window.clearTimeout(this.timer);
    this.asked += 1;
    if (field instanceof FileOption || field.picked) {
      this.settings.suggestions.show(field.control, { ...this.about(field), items: [] });
    } else if (option.autocomplete) {
      this.settings.suggestions.show(field.control, {
        ...this.about(field),
        items: [],
        empty: "Looking…",
      });
      this.timer = window.setTimeout(() => this.askChoices(field), AUTOCOMPLETE_PAUSE_MS);
    } else {
      const typed = field.input.value.trim().toLowerCase();
      const exact = field.choice();
      const fitting = (field.choices ?? []).filter(
        (each) => exact || each.name.toLowerCase().includes(typed),
      );
      this.offerChoices(field, fitting, Boolean(field.choices && !exact));
    }
  }

  /** @param {TextOption | FileOption} field @returns {{title: string, about: string}} */
  about({ option }) {
    const words = [option.description, limitsOf(option), option.required ? "required" : ""];
    return { title: option.label, about: words.filter(Boolean).join(" · ") };
  }

  /**
   * @param {TextOption} field
   * @param {{name: string, value: any}[]} choices
   * @param {boolean} eager
   */
  offerChoices(field, choices, eager) {
    const limited = field.choices || field.option.autocomplete;
    this.settings.suggestions.show(field.input, {
      ...this.about(field),
      eager,
      empty: limited ? "No choice fits" : "",
      items: choices.map((choice) => ({
        label: choice.name,
        pick: () => {
          field.setChoice(choice);
          this.focusNext();
        },
      })),
    });
  }

  /** @param {TextOption} field whose choices the app is asked for */
  async askChoices(field) {
    const asked = this.asked;
    const texts = this.fields
      .filter((each) => each instanceof TextOption && !each.empty)
      .map((each) => [each.option.name, each.read().value]);
    const options = { ...Object.fromEntries(texts), [field.option.name]: field.input.value };
    const choices = await this.settings.autocomplete(field.option.name, options);
    if (asked !== this.asked || document.activeElement !== field.input) return;
    const typed = field.input.value.trim().toLowerCase();
    const exact = choices.some((each) => each.name.toLowerCase() === typed);
    this.offerChoices(field, choices, !exact && (typed !== "" || Boolean(field.option.required)));
  }

  /**
   * Read all options; the first one that is wrong is marked and focused.
   *
   * @returns {{options: Record<string, any>, files: Record<string, File>} | {complaint: string}}
   */
  read() {
    const stray = this.rest.value.trim();
    if (stray) return { complaint: `/${this.runnable.name} has no option “${stray}”.` };
    /** @type {{options: Record<string, any>, files: Record<string, File>}} */
    const result = { options: {}, files: {} };
    for (const field of this.fields) {
      const { value, file, complaint } = field.read();
      if (complaint) {
        field.control.focus();
        field.element.classList.add("wrong");
        return { complaint };
      }
      if (file) result.files[field.option.name] = file;
      else if (value !== undefined) result.options[field.option.name] = value;
    }
    return result;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.isComposing || this.settings.suggestions.key(event)) return;
    const field = this.fields.find((each) => each.control === target);
    if (event.key === "Enter" && !(field instanceof FileOption && field.empty)) {
      event.preventDefault();
      this.settings.onSubmit();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.settings.onCancel("");
    } else if (event.key === "Backspace" || event.key === "Delete") {
      this.erase(event, field);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.walk(event, target);
    } else if (
      field instanceof FileOption &&
      event.key.length === 1 &&
      event.key !== " " &&
      !event.ctrlKey &&
      !event.metaKey
    ) {
      // Typing goes on in the trailing field, so that `/name prompt:night` can be typed in one go.
      this.rest.focus();
    }
  }

  /**
   * Take back the chip before an empty field, or the whole command at its beginning.
   *
   * @param {KeyboardEvent} event
   * @param {TextOption | FileOption | undefined} field
   */
  erase(event, field) {
    if (field instanceof FileOption && !field.empty) {
      event.preventDefault();
      field.setFile(null);
      return;
    }
    if (event.key === "Delete" || (field ? !field.empty : this.rest.value)) return;
    event.preventDefault();
    if (field && !field.option.required) {
      this.remove(field);
      return;
    }
    const before = field
      ? this.fields[this.fields.indexOf(field) - 1]
      : this.fields[this.fields.length - 1];
    if (before) before.control.focus();
    else this.settings.onCancel(`/${this.runnable.name}`);
  }

  /**
   * Let the arrows leave a field at its ends.
   *
   * @param {KeyboardEvent} event
   * @param {HTMLElement} target
   */
  walk(event, target) {
    const controls = [...this.fields.map((each) => each.control), this.rest];
    const forward = event.key === "ArrowRight";
    if (target instanceof HTMLInputElement) {
      const edge = forward ? target.value.length : 0;
      if (target.selectionStart !== edge || target.selectionEnd !== edge) return;
    }
    const next = controls[controls.indexOf(target) + (forward ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

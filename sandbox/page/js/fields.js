/** The fields of a modal: each draws itself, tells its value, and says what is wrong with it. */

import { h } from "./dom.js";
import { fileSize } from "./format.js";
import { icon } from "./icons.js";
import { selectControl } from "./selects.js";

/** @typedef {import("./store.js").Store} Store */
/**
 * @typedef {object} Field
 * @property {string} customId
 * @property {HTMLElement} element
 * @property {HTMLElement} control takes the focus and the label
 * @property {() => any} value text, a list of values, a list of files, or a truth value
 * @property {() => string | null} complaint what is wrong, in words
 */

const PARAGRAPH = 2;
let lastId = 0;

/** @returns {string} */
function freshId() {
  lastId += 1;
  return `field-${lastId}`;
}

/**
 * @param {number} count
 * @param {number} least
 * @param {number} most
 * @returns {string | null}
 */
function countComplaint(count, least, most) {
  if (count < least) return least === 1 ? "This is required." : `Choose at least ${least}.`;
  return count > most ? `Choose at most ${most}.` : null;
}

/** @param {any} component @returns {number} how many values the field needs */
function leastOf(component) {
  if (component.required === false) return 0;
  return component.min_values ?? 1;
}

/** @param {any} component @returns {Field} */
function textField(component) {
  const long = component.style === PARAGRAPH;
  const control = /** @type {HTMLInputElement} */ (
    h(long ? "textarea" : "input", {
      class: "text-input",
      id: freshId(),
      placeholder: component.placeholder,
      rows: long ? 4 : null,
      maxlength: component.max_length ?? 4000,
      type: long ? null : "text",
      autocomplete: "off",
      "aria-required": component.required !== false,
    })
  );
  control.value = component.value ?? "";
  const most = component.max_length;
  const counter = h("span", { class: "field-counter", "aria-hidden": "true" });
  const count = () => {
    counter.textContent = most ? `${control.value.length} / ${most}` : "";
  };
  control.addEventListener("input", count);
  count();
  return {
    customId: component.custom_id,
    control,
    value: () => control.value,
    element: h("div", { class: "field-text" }, control, counter),
    complaint: () => {
      const { length } = control.value;
      if (component.required !== false && !control.value.trim()) return "This is required.";
      const least = component.min_length ?? 0;
      return length && length < least ? `Write at least ${least} characters.` : null;
    },
  };
}

/** @param {any} component @param {Store} store @returns {Field} */
function selectField(component, store) {
  const named = (component.default_values ?? []).map((/** @type {any} */ each) => String(each.id));
  let values = (component.options ?? [])
    .filter((/** @type {any} */ each) => each.default)
    .map((/** @type {any} */ each) => each.value)
    .concat(named);
  const least = leastOf(component);
  const control = selectControl({ ...component, min_values: least }, store, {
    onPick: (_, picked) => {
      values = picked;
    },
  });
  control.id = freshId();
  return {
    customId: component.custom_id,
    control,
    element: control,
    value: () => values,
    complaint: () => countComplaint(values.length, least, component.max_values ?? 1),
  };
}

/**
 * Draw the files that a field holds, each with a button that takes it away.
 *
 * @param {HTMLElement} list
 * @param {File[]} files
 */
function drawFiles(list, files) {
  list.replaceChildren(
    ...files.map((file) => {
      const remove = h(
        "button",
        { class: "icon-button", type: "button", "aria-label": `Remove ${file.name}` },
        icon("close"),
      );
      remove.addEventListener("click", () => {
        files.splice(files.indexOf(file), 1);
        drawFiles(list, files);
      });
      return h(
        "li",
        {},
        icon("file"),
        h("span", { class: "file-name" }, file.name),
        h("span", { class: "file-size" }, fileSize(file.size)),
        remove,
      );
    }),
  );
}

/** @param {any} component @returns {Field} */
function uploadField(component) {
  const most = component.max_values ?? 1;
  /** @type {File[]} */
  const files = [];
  const list = h("ul", { class: "field-files" });
  const input = /** @type {HTMLInputElement} */ (
    h("input", { type: "file", hidden: true, multiple: most > 1 })
  );
  const control = h(
    "button",
    { class: "upload", type: "button", id: freshId() },
    icon("plus"),
    most > 1 ? `Choose up to ${most} files, or drop them here` : "Choose a file, or drop it here",
  );
  const add = (/** @type {Iterable<File>} */ added) => {
    for (const file of added) {
      if (most === 1) files.length = 0;
      if (files.length < most) files.push(file);
    }
    drawFiles(list, files);
  };
  const element = h("div", { class: "field-upload" }, control, input, list);
  control.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(input.files ?? []);
    input.value = "";
  });
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    add(event.dataTransfer?.files ?? []);
  });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
  return {
    customId: component.custom_id,
    control,
    element,
    value: () => files,
    complaint: () => countComplaint(files.length, leastOf(component), most),
  };
}

/**
 * Draw a group of radio buttons or checkboxes.
 *
 * @param {any} component
 * @param {"radio" | "checkbox"} type
 * @returns {{element: HTMLElement, inputs: HTMLInputElement[]}}
 */
function optionGroup(component, type) {
  const name = freshId();
  const inputs = component.options.map(
    (/** @type {any} */ option) =>
      /** @type {HTMLInputElement} */ (
        h("input", {
          type,
          name,
          value: option.value,
          checked: option.default,
        })
      ),
  );
  const rows = component.options.map((/** @type {any} */ option, /** @type {number} */ index) =>
    h(
      "label",
      { class: "option-row" },
      inputs[index],
      h(
        "span",
        { class: "listbox-words" },
        h("span", {}, option.label),
        option.description && h("span", { class: "listbox-about" }, option.description),
      ),
    ),
  );
  return {
    inputs,
    element: h(
      "div",
      { class: "option-group", role: type === "radio" ? "radiogroup" : "group" },
      ...rows,
    ),
  };
}

/** @param {any} component @returns {Field} */
function radioField(component) {
  const { element, inputs } = optionGroup(component, "radio");
  const value = () => inputs.find((each) => each.checked)?.value;
  return {
    customId: component.custom_id,
    element,
    control: element,
    value,
    complaint: () => (component.required !== false && !value() ? "Choose one." : null),
  };
}

/** @param {any} component @returns {Field} */
function checkboxGroupField(component) {
  const { element, inputs } = optionGroup(component, "checkbox");
  const value = () => inputs.filter((each) => each.checked).map((each) => each.value);
  return {
    customId: component.custom_id,
    element,
    control: element,
    value,
    complaint: () =>
      countComplaint(value().length, leastOf(component), component.max_values ?? inputs.length),
  };
}

/** @param {any} component @returns {Field} */
function checkboxField(component) {
  const control = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "checkbox",
      id: freshId(),
      class: "lone-checkbox",
      checked: component.default,
    })
  );
  return {
    customId: component.custom_id,
    control,
    element: control,
    value: () => control.checked,
    complaint: () => null,
  };
}

/** @type {Record<number, (component: any, store: Store) => Field>} */
const FIELDS = {
  3: selectField,
  4: textField,
  5: selectField,
  6: selectField,
  7: selectField,
  8: selectField,
  19: uploadField,
  21: radioField,
  22: checkboxGroupField,
  23: checkboxField,
};

/**
 * Build the field of a component, or null for a type that holds no value.
 *
 * @param {any} component
 * @param {Store} store
 * @returns {Field | null}
 */
export function fieldOf(component, store) {
  return FIELDS[component.type]?.(component, store) ?? null;
}

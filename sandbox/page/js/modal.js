/** Modals: a form that an app opens in answer to a press or a command. */

import { h } from "./dom.js";
import { fieldOf } from "./fields.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./fields.js").Field} Field */
/** @typedef {{field: Field, row: HTMLElement, note: HTMLElement}} Row */

const ACTION_ROW = 1;
const TEXT_DISPLAY = 10;
const LABEL = 18;

/**
 * Wrap a field with its label, its description and the place for a complaint.
 *
 * @param {Field} field
 * @param {{label?: string, description?: string, required?: boolean}} words
 * @returns {Row}
 */
function labelled(field, { label, description, required }) {
  const { control } = field;
  control.id ||= `modal-${field.customId}`;
  const note = h("p", { class: "field-note", id: `${control.id}-note`, role: "alert" });
  const about =
    description && h("p", { class: "field-about", id: `${control.id}-about` }, description);
  const star = required && h("span", { class: "required", "aria-hidden": "true" }, " *");
  control.setAttribute("aria-describedby", `${control.id}-note ${control.id}-about`);
  if (control.getAttribute("role")?.endsWith("group"))
    control.setAttribute("aria-label", label ?? "");
  const title = h(
    "label",
    { class: "field-label", for: control.id, id: `${control.id}-label` },
    label ?? "",
    star,
  );
  if (control.tagName === "BUTTON")
    control.setAttribute("aria-labelledby", `${title.id} ${control.id}`);
  const row = h("div", { class: "field" }, title, about, field.element, note);
  return { field, row, note };
}

/**
 * Build the rows of a modal's components.
 *
 * @param {any[]} components
 * @param {Store} store
 * @returns {{rows: Row[], nodes: HTMLElement[]}}
 */
function rowsOf(components, store) {
  /** @type {Row[]} */
  const rows = [];
  const nodes = components.flatMap((component) => {
    if (component.type === TEXT_DISPLAY) return [markdown(component.content, store)];
    const inner = component.type === LABEL ? [component.component] : (component.components ?? []);
    return inner.flatMap((/** @type {any} */ each) => {
      const field = fieldOf(each, store);
      if (!field) return [];
      const { label = each.label, description } = component.type === ACTION_ROW ? each : component;
      const row = labelled(field, {
        label,
        description,
        required: each.required !== false && each.type !== 23,
      });
      rows.push(row);
      return [row.row];
    });
  });
  return { rows, nodes };
}

/**
 * Show what is wrong at each row; the first wrong one takes the focus.
 *
 * @param {Row[]} rows
 * @returns {boolean} whether all rows are fine
 */
function check(rows) {
  const wrong = rows.filter(({ field, note }) => {
    const complaint = field.complaint();
    note.textContent = complaint ?? "";
    field.control.setAttribute("aria-invalid", String(complaint !== null));
    return complaint !== null;
  });
  wrong[0]?.field.control.focus();
  return wrong.length === 0;
}

/**
 * Return the values of a modal by custom id; files stay files.
 *
 * @param {Row[]} rows
 * @returns {Record<string, any>}
 */
function valuesOf(rows) {
  const pairs = rows.map(({ field }) => [field.customId, field.value()]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/**
 * Open a modal.
 *
 * @param {any} modal
 * @param {Store} store
 * @param {(values: Record<string, any>) => Promise<void>} submit throws what went wrong
 */
export function openModal(modal, store, submit) {
  const { rows, nodes } = rowsOf(modal.components ?? [], store);
  const app = store.apps.get(store.details.application_id)?.name ?? "the app";
  const problem = h("p", { class: "form-problem", role: "alert" });
  const cancel = h("button", { class: "button button-secondary", type: "button" }, "Cancel");
  const send = h("button", { class: "button button-primary", type: "submit" }, "Submit");
  const close = h(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Close" },
    icon("close"),
  );
  const form = h(
    "form",
    { class: "modal-form", method: "dialog", novalidate: true },
    h("header", { class: "modal-head" }, h("h2", { id: "modal-title" }, modal.title), close),
    h(
      "div",
      { class: "modal-body" },
      ...nodes,
      h("p", { class: "modal-hint" }, `This form goes to ${app}. Do not share passwords.`),
      problem,
    ),
    h("footer", { class: "modal-foot" }, cancel, send),
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    h("dialog", { class: "modal", "aria-labelledby": "modal-title" }, form)
  );
  for (const each of [cancel, close]) each.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
      /** @type {HTMLFormElement} */ (form).requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.hasAttribute("disabled") || !check(rows)) return;
    send.setAttribute("disabled", "");
    problem.textContent = "";
    try {
      await submit(valuesOf(rows));
      dialog.close();
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      send.removeAttribute("disabled");
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  (rows[0]?.field.control ?? send).focus();
}

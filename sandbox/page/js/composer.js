/** The message box: plain messages with files, and the way into slash commands. */

import { byId, h } from "./dom.js";
import { ApiError, sendInteraction, sendMessage, uploadFiles } from "./api.js";
import { CommandForm } from "./command_form.js";
import { ATTACHMENT, matching, readCommand, runnables } from "./commands.js";
import { Staging } from "./files.js";
import { icon } from "./icons.js";
import { askChoices, naming } from "./invoking.js";
import { Suggestions } from "./suggestions.js";
import { sampleTray } from "./tray.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./commands.js").Runnable} Runnable */

const COMMAND_LIKE = /^\/[\p{L}\p{N}_-]+(\s|$)/u;
const MOST_USE_HINTS = 4;
const NO_ANSWER = 504;

/**
 * @param {string} label
 * @param {string} name
 * @param {() => void} act
 * @returns {HTMLElement}
 */
function toolButton(label, name, act) {
  const button = h(
    "button",
    { class: "icon-button", type: "button", "aria-label": label, title: label },
    icon(name),
  );
  button.addEventListener("click", act);
  return button;
}

/** The message box. */
export class Composer {
  /**
   * @param {Store} store
   * @param {{onEscape: () => void, onSent: () => void, onFailure: (text: string) => void}} listeners
   */
  constructor(store, listeners) {
    this.store = store;
    this.listeners = listeners;
    /** @type {Runnable[]} */
    this.runnables = [];
    /** @type {CommandForm | null} */
    this.form = null;
    /** @type {Promise<unknown>} */
    this.loaded = Promise.resolve();
    /** @type {(value: unknown) => void} */
    this.finishLoading = () => undefined;
    this.busy = false;
    this.waiting = 0;
    this.suggestions = new Suggestions();
    this.staging = new Staging(() => this.drawHints());
    this.hints = h("div", { class: "use-hints", hidden: true });
    this.problem = h("p", { class: "composer-problem", role: "alert", hidden: true });
    this.text = /** @type {HTMLTextAreaElement} */ (
      h("textarea", {
        class: "composer-text",
        id: "composer-text",
        rows: 1,
        maxlength: 2000,
        "aria-label": "Message",
        "aria-expanded": "false",
        role: "combobox",
        "aria-autocomplete": "list",
        enterkeyhint: "send",
      })
    );
    this.slot = h("div", { class: "composer-slot" }, this.text);
    this.build();
    this.place();
  }

  /** Put the parts together and listen to the message box. */
  build() {
    const picker = /** @type {HTMLInputElement} */ (
      h("input", { type: "file", multiple: true, hidden: true, id: "composer-files" })
    );
    picker.addEventListener("change", () => {
      this.takeFiles([...(picker.files ?? [])]);
      picker.value = "";
    });
    const { tray, toggle } = sampleTray(this.store.details.samples ?? []);
    const send = toolButton("Send", "send", () => this.submit());
    send.classList.add("send");
    this.box = h(
      "div",
      { class: "composer-box" },
      toolButton("Attach files", "plus", () => picker.click()),
      picker,
      this.slot,
      toggle,
      toolButton("Commands", "slash", () => this.write("/")),
      send,
    );
    byId("composer").append(
      this.suggestions.element,
      tray,
      this.staging.element,
      this.hints,
      this.problem,
      this.box,
    );
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener(
      "blur",
      () => this.suggestions.field === this.text && this.suggestions.hide(),
    );
  }

  /** Follow the member and the channel. */
  place() {
    const { name = "", type } = this.store.channel ?? {};
    const hint = window.innerWidth > 560 ? " — type / for commands" : "";
    this.text.placeholder = `Message ${type === 1 ? "@" : "#"}${name}${hint}`;
    this.runnables = [];
    this.loaded = new Promise((resolve) => {
      this.finishLoading = resolve;
    });
    this.drawHints();
  }

  /** @param {any[]} commands that the member may use here */
  setCommands(commands) {
    this.runnables = runnables(commands);
    this.finishLoading(null);
    this.drawHints();
    if (this.suggestions.field === this.text) this.typed();
  }

  /** Move the focus to where writing goes on. */
  focus() {
    if (this.form) this.form.focusNext();
    else this.text.focus();
  }

  /** @param {string} text replaces what is in the message box */
  write(text) {
    this.closeForm();
    this.text.value = text;
    this.text.focus();
    this.typed();
  }

  /** @param {string} text goes to where the caret is */
  insert(text) {
    if (this.form) return;
    this.text.focus();
    this.text.setRangeText(text, this.text.selectionStart, this.text.selectionEnd, "end");
    this.typed();
  }

  /** @param {string | null} text */
  complain(text) {
    this.problem.textContent = text ?? "";
    this.problem.hidden = !text;
  }

  /** React to typing: grow, offer commands, or turn into a command form. */
  typed() {
    this.complain(null);
    this.grow();
    const { value } = this.text;
    const command = readCommand(value, this.runnables);
    if (command) {
      this.openForm(command.runnable, command.rest);
    } else if (value.startsWith("/") && !value.includes("\n")) {
      this.offerCommands(value.slice(1));
    } else {
      this.suggestions.hide();
    }
  }

  /** Make the message box as high as its text, up to a third of the window. */
  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, window.innerHeight / 3)}px`;
  }

  /** @param {string} typed */
  offerCommands(typed) {
    const items = matching(this.runnables, typed).map((runnable) => ({
      label: `/${runnable.name}`,
      about: runnable.description,
      tag: runnable.options
        .filter((each) => each.required)
        .map((each) => each.label)
        .join(", "),
      pick: () => this.openForm(runnable, ""),
    }));
    this.suggestions.show(this.text, {
      title: "Commands",
      about: "type on to narrow them down",
      items,
      eager: true,
      empty: this.runnables.length ? "No command fits" : "No app has offered commands yet",
    });
  }

  /**
   * @param {Runnable} runnable
   * @param {string} rest `option:value` text
   * @returns {CommandForm}
   */
  openForm(runnable, rest) {
    this.suggestions.hide();
    this.form?.element.remove();
    this.form = new CommandForm(runnable, {
      store: this.store,
      suggestions: this.suggestions,
      onSubmit: () => this.submit(),
      onCancel: (text) => this.write(text),
      autocomplete: (focused, options) => askChoices(this.store, { runnable, focused, options }),
    });
    this.showForm(this.form);
    this.complain(null);
    this.staging.add(this.form.takeFiles(this.staging.takeAll()));
    this.form.apply(rest);
    this.drawHints();
    return this.form;
  }

  /** @param {CommandForm} form takes the place of the message box */
  showForm(form) {
    this.text.hidden = true;
    this.slot.append(form.element);
    this.box?.classList.add("commanding");
  }

  /** Go back to the plain message box, emptied. */
  closeForm() {
    this.box?.classList.remove("commanding");
    this.suggestions.hide();
    this.form?.element.remove();
    this.form = null;
    this.text.hidden = false;
    this.text.value = "";
    this.grow();
    this.complain(null);
    this.drawHints();
  }

  /**
   * Open the command of this name; when there is none, its name stands as text.
   *
   * @param {string} name
   */
  async start(name) {
    await this.loaded;
    const runnable = this.runnables.find((each) => each.name === name);
    if (runnable) this.openForm(runnable, "");
    else this.write(`/${name}`);
  }

  /** @param {File[]} files go into the command's options, or wait beside the message */
  takeFiles(files) {
    if (!files.length) return;
    const left = this.form ? this.form.takeFiles(files) : files;
    if (this.form && left.length) this.complain(`/${this.form.runnable.name} takes no more files.`);
    else if (!this.staging.add(left)) this.complain("A message carries at most 10 files.");
    if (!this.form) this.focus();
  }

  /** Offer the commands that take a file while files wait. */
  drawHints() {
    const fitting = this.runnables.filter((each) =>
      each.options.some((option) => option.type === ATTACHMENT),
    );
    this.hints.hidden = Boolean(this.form) || !this.staging.files.length || !fitting.length;
    this.hints.replaceChildren(
      h("span", {}, "Use with"),
      ...fitting.slice(0, MOST_USE_HINTS).map((runnable) => {
        const button = h("button", { class: "use-hint", type: "button" }, `/${runnable.name}`);
        button.addEventListener("click", () => this.openForm(runnable, ""));
        return button;
      }),
    );
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing || this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Backspace" && !this.text.value && this.staging.files.length) {
      this.staging.takeAll();
    } else if (event.key === "ArrowUp" && !this.text.value) {
      event.preventDefault();
      this.listeners.onEscape();
    }
  }

  /** Send what is written, once. */
  async submit() {
    if (this.busy) return;
    this.complain(null);
    this.busy = true;
    this.box?.setAttribute("aria-busy", "true");
    try {
      await (this.form ? this.sendCommand(this.form) : this.sendText());
    } catch (error) {
      this.complain(error instanceof Error ? error.message : String(error));
    } finally {
      this.busy = false;
      this.box?.setAttribute("aria-busy", "false");
    }
  }

  /** Send a plain message with its files. */
  async sendText() {
    const content = this.text.value.trim();
    const { files } = this.staging;
    if (!content && !files.length) return;
    if (COMMAND_LIKE.test(content)) {
      await this.sendTyped(content);
      return;
    }
    const uploaded = await uploadFiles(this.store.memberId, files);
    await sendMessage(this.store.memberId, {
      channel_id: this.store.channelId,
      content,
      attachments: uploaded.map((each) => each.id),
    });
    this.staging.takeAll();
    this.closeForm();
    this.listeners.onSent();
  }

  /**
   * Send a whole command that stands in the message box as text.
   *
   * @param {string} content
   */
  async sendTyped(content) {
    // Somebody may type faster than the commands arrive.
    await this.loaded;
    const command = readCommand(`${content} `, this.runnables);
    // The arrival of the commands may have turned the text into its form already.
    const form = this.form ?? (command && this.openForm(command.runnable, command.rest));
    if (form) await this.sendCommand(form);
    else this.complain(`There is no command ${content.split(/\s/)[0]} here.`);
  }

  /** @param {CommandForm} form */
  async sendCommand(form) {
    const reading = form.read();
    if ("complaint" in reading) {
      this.complain(reading.complaint);
      return;
    }
    this.suggestions.hide();
    const names = Object.keys(reading.files);
    const uploaded = await uploadFiles(this.store.memberId, Object.values(reading.files));
    const options = { ...reading.options };
    names.forEach((name, index) => {
      options[name] = uploaded[index].id;
    });
    const interaction = {
      kind: "command",
      ...naming(form.runnable, this.store.channelId),
      options,
    };
    this.closeForm();
    this.text.focus();
    this.listeners.onSent();
    this.invoke(interaction, form);
  }

  /**
   * Send a command and wait for the app, while the message box is free for the next one.
   *
   * @param {object} interaction
   * @param {CommandForm} form comes back when the command is refused
   */
  async invoke(interaction, form) {
    this.waitFor(1);
    try {
      await sendInteraction(this.store.memberId, interaction);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (error instanceof ApiError && error.status === NO_ANSWER)
        this.listeners.onFailure(`/${form.runnable.name}: ${text}`);
      else this.reopen(form, text);
    } finally {
      this.waitFor(-1);
    }
  }

  /** @param {number} change in how many commands wait for their app */
  waitFor(change) {
    this.waiting += change;
    this.box?.classList.toggle("waiting", this.waiting > 0);
  }

  /**
   * Bring a refused command back, unless something else has been begun.
   *
   * @param {CommandForm} form
   * @param {string} problem
   */
  reopen(form, problem) {
    if (this.form || this.text.value) {
      this.listeners.onFailure(`/${form.runnable.name}: ${problem}`);
      return;
    }
    this.form = form;
    this.showForm(form);
    form.focusNext();
    this.complain(problem);
  }
}

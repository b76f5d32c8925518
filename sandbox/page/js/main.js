/** The page's composition root: it builds the parts and connects them. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { announce, byId, h } from "./dom.js";
import { clearTyping, handleEvent } from "./events.js";
import { carriesFiles, droppedFiles, fileFrom, startPictureDrag } from "./files.js";
import { relativeTime } from "./format.js";
import { closeDrawers, drawFrame } from "./frame.js";
import { openLightbox } from "./lightbox.js";
import { Log } from "./log.js";
import { openMessageMenu, openPersonMenu } from "./menus.js";
import { drawChannels, drawLanguage, drawPeople, drawSwitcher } from "./people.js";
import { Store } from "./store.js";

const BOOT_RETRY_MS = 800;
const CLOCK_MS = 1000;
const NO_ANSWER = 504;

/** The whole page. */
class Page {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.log = new Log(store);
    this.composer = new Composer(store, {
      onEscape: () => this.log.focusNewest(),
      onSent: () => this.log.toEnd(),
      onFailure: (text) => this.log.note(text),
    });
    /** @type {api.EventStream | null} */
    this.stream = null;
    this.visit = 0;
    this.wasConnected = false;
  }

  /** Draw everything for the first time and listen. */
  start() {
    byId("guild-name").textContent = this.store.details.guild_name ?? "Sandbox";
    this.store.addEventListener("changed", (event) =>
      this.draw(/** @type {CustomEvent} */ (event).detail),
    );
    this.listenToParts();
    this.listenToFiles();
    this.listenToKeys();
    drawFrame();
    this.store.changed("place");
    window.setInterval(tickClocks, CLOCK_MS);
  }

  /** @param {string} what changed in the store */
  draw(what) {
    if (what === "place") this.enter();
    if (what === "place" || what === "channels") drawChannels(this.store);
    if (what === "place") drawSwitcher(this.store);
    if (what === "place") drawLanguage(this.store);
    if (what === "place" || what === "people") drawPeople(this.store);
    if (what === "messages") this.log.draw();
  }

  /** Load the channel as the member sees it; say so when that fails. */
  async enter() {
    try {
      await this.load();
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.log.note(error.message);
    }
  }

  /** Fetch channels, messages and commands, unless the member has moved on meanwhile. */
  async load() {
    const { store } = this;
    this.visit += 1;
    const { visit } = this;
    document.title = `#${store.channel?.name ?? ""} · ${store.me?.name ?? ""}`;
    clearTyping();
    this.composer.closeForm();
    this.composer.place();
    this.follow();
    const channels = await api.fetchChannels(store.memberId);
    if (visit !== this.visit) return;
    store.setChannels(channels);
    const messages = await api.fetchMessages(store.memberId, store.channelId);
    if (visit !== this.visit) return;
    store.setMessages(messages);
    await this.loadCommands();
  }

  /** Listen to what the acting member sees, unless that is so already. */
  follow() {
    if (this.stream?.member === this.store.memberId) return;
    this.stream?.close();
    this.wasConnected = false;
    this.stream = new api.EventStream(this.store.memberId, {
      onEvent: (event) => handleEvent(event, this.stage()),
      onState: (connected) => this.connection(connected),
    });
  }

  /** @returns {import("./events.js").Stage} */
  stage() {
    return {
      store: this.store,
      log: this.log,
      loadCommands: () => this.loadCommands(),
      submitModal: (modal, values) => this.submitModal(modal, values),
    };
  }

  /** @param {boolean} connected */
  async connection(connected) {
    const banner = byId("banner");
    banner.hidden = connected;
    banner.textContent = connected ? "" : "The connection is lost. Trying again…";
    if (!connected) {
      await this.reloadInAnotherWorld();
      return;
    }
    const again = this.wasConnected;
    this.wasConnected = true;
    if (!again) return;
    const { memberId, channelId } = this.store;
    const messages = await api.fetchMessages(memberId, channelId);
    if (memberId !== this.store.memberId || channelId !== this.store.channelId) return;
    this.store.messages = [];
    messages.forEach((each) => this.store.take(each));
    this.log.refresh();
    await this.loadCommands();
  }

  /** Start over when the sandbox was started anew: its ids are others, and ours mean nothing. */
  async reloadInAnotherWorld() {
    try {
      const details = await api.fetchDetails();
      if (details.guild_id !== this.store.details.guild_id) location.reload();
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
    }
  }

  /** Ask which commands the member may use here. */
  async loadCommands() {
    const { visit } = this;
    const commands = await api.fetchCommands(this.store.memberId, this.store.channelId);
    if (visit !== this.visit) return;
    this.store.commands = commands;
    this.composer.setCommands(commands);
  }

  /**
   * @param {object} interaction
   * @param {(text: string) => void} fail shows what went wrong
   */
  async interact(interaction, fail) {
    try {
      await api.sendInteraction(this.store.memberId, interaction);
    } catch (error) {
      const silent = error instanceof api.ApiError && error.status === NO_ANSWER;
      fail(
        silent
          ? "This interaction failed."
          : error instanceof Error
            ? error.message
            : String(error),
      );
    }
  }

  /** @param {{message: any, customId: string, values: string[], control: HTMLElement}} press */
  async press({ message, customId, values, control }) {
    if (control.getAttribute("aria-busy") === "true") return;
    control.setAttribute("aria-busy", "true");
    this.log.fail(message.id, null);
    await this.interact(
      {
        kind: "component",
        channel_id: message.channel_id,
        message_id: message.id,
        custom_id: customId,
        values,
      },
      (text) => this.log.fail(message.id, text),
    );
    control.removeAttribute("aria-busy");
  }

  /**
   * @param {any} modal
   * @param {Record<string, any>} values in which files are still files
   */
  async submitModal(modal, values) {
    const { memberId } = this.store;
    const ready = { ...values };
    for (const [name, value] of Object.entries(values)) {
      if (!Array.isArray(value) || !(value[0] instanceof File)) continue;
      const uploaded = await api.uploadFiles(memberId, value);
      ready[name] = uploaded.map((each) => each.id);
    }
    await api.sendInteraction(memberId, { kind: "modal", modal_id: modal.modal_id, values: ready });
  }

  /** @param {"user" | "message"} kind @param {string} name @param {string} targetId */
  invoke(kind, name, targetId) {
    const interaction = { kind, channel_id: this.store.channelId, name, target_id: targetId };
    return this.interact(interaction, (text) => this.log.note(`${name}: ${text}`));
  }

  /** @param {string} id of a message that goes away for everybody who sees it */
  async remove(id) {
    try {
      await api.deleteMessage(this.store.memberId, this.store.channelId, id);
    } catch (error) {
      this.log.fail(id, error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} locale of the acting member from now on */
  async speak(locale) {
    await api.chooseLocale(this.store.memberId, locale);
    this.store.me.locale = locale;
    this.store.changed("place");
  }

  /** @param {{url: string, name: string}} picture */
  async attach({ url, name }) {
    try {
      this.composer.takeFiles([await fileFrom(url, name)]);
      announce(`${name} attached`);
    } catch (error) {
      this.composer.complain(error instanceof Error ? error.message : String(error));
    }
  }

  /** Connect the events that drawn parts send. */
  listenToParts() {
    const { store } = this;
    const actions = {
      invoke: this.invoke.bind(this),
      remove: (/** @type {string} */ id) => this.remove(id),
    };
    /** @type {Record<string, (detail: any, source: HTMLElement) => void>} */
    const handlers = {
      press: (detail) => this.press(detail),
      attach: (detail) => this.attach(detail),
      command: ({ name }) => this.composer.start(name),
      lightbox: ({ media }, source) => openLightbox(source, media),
      dismiss: ({ message }) => this.remove(message.id),
      write: () => this.composer.focus(),
      language: ({ locale }) => this.speak(locale),
      mention: ({ id }) => this.composer.insert(`<@${id}> `),
      channel: ({ id }) => {
        store.moveTo({ channelId: id });
        closeDrawers();
      },
      "message-menu": (detail) => openMessageMenu(store, detail, actions),
      "person-menu": (detail) => openPersonMenu(store, detail, actions),
    };
    for (const [name, handle] of Object.entries(handlers)) {
      document.addEventListener(`page-${name}`, (event) => {
        handle(
          /** @type {CustomEvent} */ (event).detail,
          /** @type {HTMLElement} */ (event.target),
        );
      });
    }
  }

  /** Take files that are dropped or pasted anywhere, except into an open dialog. */
  listenToFiles() {
    const veil = byId("drop-veil");
    document.addEventListener("dragstart", startPictureDrag);
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      veil.hidden = false;
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) veil.hidden = true;
    });
    document.addEventListener("dragend", () => {
      veil.hidden = true;
    });
    document.addEventListener("drop", async (event) => {
      veil.hidden = true;
      if (!carriesFiles(event) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.composer.takeFiles(await droppedFiles(event));
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.composer.takeFiles(files);
    });
  }

  /** Typing anywhere but in a field goes to the message box. */
  listenToKeys() {
    document.addEventListener("keydown", (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const away =
        target === document.body || target.closest(".log-scroll, .people, .sidebar, .room-head");
      const writes =
        event.key.length === 1 &&
        event.key !== " " &&
        !event.ctrlKey &&
        !event.metaKey &&
        !event.altKey;
      if (away && writes && !target.closest("select, input, textarea")) this.composer.focus();
    });
  }
}

/** Bring relative timestamps up to date. */
function tickClocks() {
  for (const clock of document.querySelectorAll("time[data-relative]")) {
    const seconds = Number(/** @type {HTMLElement} */ (clock).dataset.relative);
    const text = relativeTime(new Date(seconds * 1000));
    if (clock.textContent !== text) clock.textContent = text;
  }
}

/** Ask the sandbox for its details until it answers, then build the page. */
async function boot() {
  for (;;) {
    try {
      const details = await api.fetchDetails();
      new Page(new Store({ ...details, samples: await api.fetchSamples() })).start();
      return;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      byId("log").replaceChildren(h("li", { class: "empty-note" }, h("strong", {}, error.message)));
      await new Promise((resolve) => {
        window.setTimeout(resolve, BOOT_RETRY_MS);
      });
    }
  }
}

boot();

/** The scrolling list of messages: order, grouping, staying at the end, keys. */

import { announce, byId, emit, h } from "./dom.js";
import { icon } from "./icons.js";
import {
  authorName,
  continues,
  isEphemeral,
  isThinking,
  messageElement,
  setFailure,
  updateMessage,
} from "./messages.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Message} Message */

const NEAR_END_PX = 90;
const LONG_PRESS_MS = 550;
const SPOKEN_LETTERS = 160;

/** The list of messages of one channel as one member sees it. */
export class Log {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.list = byId("log");
    this.scroller = byId("log-scroll");
    this.jump = byId("jump");
    this.atEnd = true;
    this.lastTop = 0;
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.jump.addEventListener("click", () => this.toEnd());
    this.list.addEventListener("contextmenu", (event) => this.menu(event));
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.watchLongPress();
    const growth = new ResizeObserver(() => this.atEnd && this.toEnd());
    growth.observe(this.list);
    growth.observe(this.scroller);
  }

  /** Draw the channel anew. */
  draw() {
    this.list.replaceChildren(
      ...this.store.messages.map((each) => messageElement(each, this.store)),
    );
    if (!this.store.messages.length) this.list.append(this.emptyNote());
    this.group();
    this.toEnd();
  }

  /** @returns {HTMLElement} */
  emptyNote() {
    return h(
      "li",
      { class: "empty-note" },
      h("span", { class: "empty-mark" }, icon("hash")),
      h("strong", {}, `This is the start of #${this.store.channel.name}`),
      h("span", {}, "Say something, or type / to see what the apps here can do."),
    );
  }

  /** Redraw after a reconnection: messages that are still there keep their place. */
  refresh() {
    const known = new Set(this.store.messages.map((each) => each.id));
    for (const item of [...this.list.children]) {
      if (!known.has(/** @type {HTMLElement} */ (item).dataset.id ?? "")) item.remove();
    }
    this.store.messages.forEach((each) => this.put(each));
    if (!this.store.messages.length) this.draw();
  }

  /**
   * Add a message, or bring a drawn one up to date.
   *
   * @param {Message} message as the store holds it
   */
  put(message) {
    const drawn = this.itemOf(message.id);
    if (drawn) {
      updateMessage(drawn, message, this.store);
    } else {
      this.list.querySelector(".empty-note")?.remove();
      const item = messageElement(message, this.store);
      const after = this.store.messages[this.store.messages.indexOf(message) + 1];
      this.list.insertBefore(item, after ? this.itemOf(after.id) : null);
      item.classList.add("arriving");
    }
    this.group();
    if (!this.atEnd && !drawn) this.jump.hidden = false;
  }

  /** @param {Message} message said aloud when it arrives or when its app has answered */
  speak(message) {
    if (message.author?.id === this.store.memberId) return;
    if (isThinking(message)) {
      announce(`${authorName(message, this.store)} is thinking`);
      return;
    }
    const text = this.itemOf(message.id)?.querySelector(".message-body")?.textContent ?? "";
    const privately = isEphemeral(message) ? " (only you can see this)" : "";
    announce(
      `${authorName(message, this.store)}${privately}: ${text.slice(0, SPOKEN_LETTERS) || "a picture"}`,
    );
  }

  /** @param {string} id */
  remove(id) {
    this.itemOf(id)?.remove();
    if (!this.list.children.length) this.list.append(this.emptyNote());
    this.group();
  }

  /**
   * @param {string} id
   * @param {string | null} text
   */
  fail(id, text) {
    const item = this.itemOf(id);
    if (item) setFailure(item, text);
  }

  /**
   * Show a note of the page's own at the end; it goes away when it is dismissed.
   *
   * @param {string} text
   */
  note(text) {
    const dismiss = h("button", { class: "text-button", type: "button" }, "Dismiss");
    const item = h(
      "li",
      { class: "notice", role: "alert" },
      icon("warning"),
      h("span", {}, text),
      dismiss,
    );
    dismiss.addEventListener("click", () => item.remove());
    this.list.append(item);
    this.toEnd();
  }

  /** @param {string} id @returns {HTMLElement | null} */
  itemOf(id) {
    return document.getElementById(`message-${id}`);
  }

  /** Hide the headings of messages that follow their author's last one; let one item be tabbed to. */
  group() {
    this.store.messages.forEach((message, index) => {
      const item = this.itemOf(message.id);
      item?.classList.toggle("continues", continues(message, this.store.messages[index - 1]));
    });
    const items = this.items();
    if (!items.some((each) => each.tabIndex === 0) && items.length)
      items[items.length - 1].tabIndex = 0;
  }

  /** @returns {HTMLElement[]} */
  items() {
    return [...this.list.querySelectorAll(".message")].map(
      (each) => /** @type {HTMLElement} */ (each),
    );
  }

  /** Move to the newest message. */
  toEnd() {
    this.atEnd = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.jump.hidden = true;
  }

  /** Remember whether the end is in sight: new messages follow only then. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const near = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    // Growing content also fires this event: only a move upwards means that somebody reads back.
    if (near || scrollTop < this.lastTop) this.atEnd = near;
    this.lastTop = scrollTop;
    if (this.atEnd) this.jump.hidden = true;
  }

  /** @param {MouseEvent} event */
  menu(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const item = /** @type {HTMLElement | null} */ (target.closest(".message"));
    if (!item || target.closest("a, input") || event.shiftKey) return;
    event.preventDefault();
    const anchor =
      event.clientX || event.clientY ? new DOMRect(event.clientX, event.clientY, 0, 0) : item;
    emit(item, "message-menu", { id: item.dataset.id, anchor });
  }

  /** Open the menu of a message that a finger stays on. */
  watchLongPress() {
    let timer = 0;
    const stop = () => window.clearTimeout(timer);
    this.list.addEventListener("pointerdown", (event) => {
      const item = /** @type {HTMLElement} */ (event.target).closest(".message");
      if (event.pointerType !== "touch" || !item) return;
      const anchor = new DOMRect(event.clientX, event.clientY, 0, 0);
      timer = window.setTimeout(
        () =>
          emit(item, "message-menu", { id: /** @type {HTMLElement} */ (item).dataset.id, anchor }),
        LONG_PRESS_MS,
      );
    });
    for (const name of ["pointerup", "pointercancel", "pointermove"])
      this.list.addEventListener(name, stop);
  }

  /** @param {KeyboardEvent} event arrows move between messages, Enter opens the menu of one */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!target.classList.contains("message")) return;
    const items = this.items();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Enter") {
      event.preventDefault();
      emit(target, "message-menu", { id: target.dataset.id, anchor: target });
    } else if (step) {
      event.preventDefault();
      const next = items[items.indexOf(target) + step];
      if (next) this.focus(next);
      else if (step > 0) emit(target, "write");
    }
  }

  /** @param {HTMLElement} item */
  focus(item) {
    for (const each of this.items()) each.tabIndex = each === item ? 0 : -1;
    item.focus();
  }

  /** Move the focus into the list, to its newest message. */
  focusNewest() {
    const newest = this.items().pop();
    if (newest) this.focus(newest);
  }
}

/** What the page knows: members, channels, commands, messages, and who is acting. */

/** @typedef {{id: string, name: string, admin?: boolean, bot?: boolean,
 *            locale?: string}} Person */
/** @typedef {{id: string, name: string, type?: number, bot?: any}} Channel */
/** @typedef {Record<string, any> & {id: string, channel_id: string}} Message */

const REMEMBERED = "sandbox-page";

/**
 * Order two snowflakes, which are too long for numbers.
 *
 * @param {string} first
 * @param {string} second
 * @returns {number}
 */
export function compareIds(first, second) {
  return first.length - second.length || (first < second ? -1 : Number(first > second));
}

/** The state of the page; `changed` events name what to draw again. */
export class Store extends EventTarget {
  /** @param {any} details the sandbox's own description */
  constructor(details) {
    super();
    this.details = details;
    /** @type {Person[]} */
    this.members = details.members;
    /** @type {Channel[]} */
    this.channels = details.channels;
    /** @type {Map<string, Person>} */
    this.apps = new Map();
    /** @type {Message[]} */
    this.messages = [];
    /** @type {any[]} */
    this.commands = [];
    /** @type {Set<string>} */
    this.unread = new Set();
    const remembered = this.remembered();
    this.memberId = this.known(this.members, remembered.member);
    this.channelId = this.known(this.channels, remembered.channel);
  }

  /** @returns {{member?: string, channel?: string}} the last visit's place, if still there */
  remembered() {
    try {
      return JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "{}");
    } catch {
      return {};
    }
  }

  /**
   * @param {{id: string}[]} list
   * @param {string | undefined} id
   * @returns {string} the id if it is in the list, else the first one's
   */
  known(list, id) {
    return (list.find((each) => each.id === id) ?? list[0])?.id ?? "";
  }

  /** @param {string} what */
  changed(what) {
    this.dispatchEvent(new CustomEvent("changed", { detail: what }));
  }

  /** @param {{memberId?: string, channelId?: string}} place */
  moveTo({ memberId = this.memberId, channelId = this.channelId }) {
    this.memberId = memberId;
    this.channelId = channelId;
    this.unread.delete(channelId);
    this.messages = [];
    sessionStorage.setItem(REMEMBERED, JSON.stringify({ member: memberId, channel: channelId }));
    this.changed("place");
  }

  /** @returns {Person} the member who acts */
  get me() {
    return this.members.find((each) => each.id === this.memberId) ?? this.members[0];
  }

  /** @returns {Channel} */
  get channel() {
    return this.channels.find((each) => each.id === this.channelId) ?? this.channels[0];
  }

  /** @param {Channel[]} channels that the acting member sees */
  setChannels(channels) {
    this.channels = channels;
    for (const { bot, name } of channels) this.meet(bot && { ...bot, global_name: name });
    this.channelId = this.known(channels, this.channelId);
    this.changed("channels");
  }

  /** @param {Message[]} messages of the current channel, in any order */
  setMessages(messages) {
    this.messages = [...messages].sort((a, b) => compareIds(a.id, b.id));
    messages.forEach((each) => this.meet(each.author));
    this.changed("messages");
  }

  /**
   * Take a new or edited message; an edit that lists only some fields keeps the others.
   *
   * @param {Message} message
   * @returns {boolean} whether it was not known before
   */
  take(message) {
    this.meet(message.author);
    const index = this.messages.findIndex((each) => each.id === message.id);
    if (index >= 0) {
      this.messages[index] = { ...this.messages[index], ...message };
    } else {
      this.messages.push(message);
      this.messages.sort((a, b) => compareIds(a.id, b.id));
    }
    return index < 0;
  }

  /** @param {string} id */
  forget(id) {
    this.messages = this.messages.filter((each) => each.id !== id);
  }

  /** @param {any} author remembered as an app when it is one */
  meet(author) {
    if (!author?.bot || this.apps.has(author.id)) return;
    this.apps.set(author.id, {
      id: author.id,
      name: author.global_name ?? author.username,
      bot: true,
    });
    this.changed("people");
  }

  /** @returns {Person[]} members and the apps met so far */
  get people() {
    return [...this.members, ...this.apps.values()];
  }

  /** @returns {{id: string, name: string}[]} */
  get roles() {
    return this.details.roles ?? [];
  }

  /** @param {string} id */
  userName(id) {
    return this.people.find((each) => each.id === id)?.name ?? "unknown member";
  }

  /** @param {string} id */
  roleName(id) {
    return this.roles.find((each) => each.id === id)?.name ?? "role";
  }

  /** @param {string} id */
  channelName(id) {
    return this.channels.find((each) => each.id === id)?.name ?? "unknown channel";
  }
}

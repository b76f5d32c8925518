/** The member interface of the sandbox over HTTP, and its stream of events. */

const RETRY_FIRST_MS = 300;
const RETRY_LONGEST_MS = 4000;

/** An answer that is not a success; `message` is meant for the member. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/**
 * Return what an error answer says, whatever its form.
 *
 * @param {Response} response
 * @returns {Promise<string>}
 */
async function explain(response) {
  const text = await response.text();
  if (response.status === 504) return "The app did not respond in time.";
  try {
    const body = JSON.parse(text);
    return String(body.message ?? body.error ?? text);
  } catch {
    return text || `The sandbox answered ${response.status}.`;
  }
}

/**
 * Ask the sandbox and return the JSON of its answer.
 *
 * @param {string} path
 * @param {RequestInit} [request]
 * @returns {Promise<any>}
 */
async function ask(path, request) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...request });
  } catch {
    throw new ApiError(0, "The sandbox cannot be reached. Is it still running?");
  }
  if (!response.ok) throw new ApiError(response.status, await explain(response));
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 */
function send(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method, headers, body: JSON.stringify(body) });
}

/**
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 */
const post = (path, body) => send("POST", path, body);

/** @returns {Promise<any>} addresses, channels, members, samples */
export const fetchDetails = () => ask("/sandbox/");

/** @returns {Promise<any[]>} the sample pictures; none when the sandbox offers none */
export const fetchSamples = () => ask("/sandbox/samples").catch(() => []);

/** @param {string} member @returns {Promise<any[]>} the channels that this member sees */
export const fetchChannels = (member) => ask(`/sandbox/members/${member}/channels`);

/** @param {string} member @param {string} channel @returns {Promise<any[]>} */
export const fetchMessages = (member, channel) =>
  ask(`/sandbox/members/${member}/channels/${channel}/messages?limit=100`);

/** @param {string} member @param {string} channel @returns {Promise<any[]>} */
export const fetchCommands = (member, channel) =>
  ask(`/sandbox/members/${member}/channels/${channel}/commands`);

/** @param {string} member @param {string} locale @returns {Promise<null>} */
export const chooseLocale = (member, locale) =>
  send("PUT", `/sandbox/members/${member}/locale`, { locale });

/** @param {string} member @param {object} message @returns {Promise<any>} */
export const sendMessage = (member, message) =>
  post(`/sandbox/members/${member}/messages`, message);

/** @param {string} member @param {string} channel @param {string} id @returns {Promise<null>} */
export const deleteMessage = (member, channel, id) =>
  ask(`/sandbox/members/${member}/channels/${channel}/messages/${id}`, { method: "DELETE" });

/** @param {string} member @param {object} interaction @returns {Promise<any>} */
export const sendInteraction = (member, interaction) =>
  post(`/sandbox/members/${member}/interactions`, interaction);

/**
 * Upload files and return their attachments, in the same order.
 *
 * @param {string} member
 * @param {File[]} files
 * @returns {Promise<{id: string, filename: string, size: number, url: string}[]>}
 */
export function uploadFiles(member, files) {
  if (!files.length) return Promise.resolve([]);
  const form = new FormData();
  files.forEach((file, index) => form.append(`files[${index}]`, file, file.name));
  return ask(`/sandbox/members/${member}/attachments`, { method: "POST", body: form });
}

/** A websocket of events that reconnects by itself until it is closed. */
export class EventStream {
  /**
   * @param {string} member
   * @param {{onEvent: (event: {type: string, data: any}) => void,
   *          onState: (connected: boolean) => void}} listeners
   */
  constructor(member, listeners) {
    this.member = member;
    this.listeners = listeners;
    this.closed = false;
    this.retryMs = RETRY_FIRST_MS;
    this.timer = 0;
    this.open();
  }

  /** Open the socket once; `close` and `open` of the socket decide what comes next. */
  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const address = `${scheme}://${location.host}/sandbox/members/${this.member}/events`;
    this.socket = new WebSocket(address);
    this.socket.onopen = () => {
      if (this.closed) {
        this.socket.close();
        return;
      }
      this.retryMs = RETRY_FIRST_MS;
      this.listeners.onState(true);
    };
    this.socket.onmessage = (frame) => {
      if (!this.closed) this.listeners.onEvent(JSON.parse(frame.data));
    };
    this.socket.onclose = () => this.retry();
  }

  /** Try again after a pause that doubles up to a few seconds. */
  retry() {
    if (this.closed) return;
    this.listeners.onState(false);
    this.timer = window.setTimeout(() => this.open(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, RETRY_LONGEST_MS);
  }

  /** Stop for good: another member takes over. Browsers complain of closing what is not open yet. */
  close() {
    this.closed = true;
    window.clearTimeout(this.timer);
    if (this.socket.readyState !== WebSocket.CONNECTING) this.socket.close();
  }
}

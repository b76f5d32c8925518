/** Commands as the member interface wants them named, and the choices that apps suggest. */

import { ApiError, sendInteraction } from "./api.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./commands.js").Runnable} Runnable */

/**
 * Name a command, and its subcommand if it is one.
 *
 * @param {Runnable} runnable
 * @param {string} channelId
 * @returns {object}
 */
export function naming({ command, path }, channelId) {
  const named = { channel_id: channelId, name: command };
  if (!path.length) return named;
  return { ...named, subcommand: path.length > 1 ? path : path[0] };
}

/**
 * Ask the app for the choices of an option; an app that does not answer offers none.
 *
 * @param {Store} store
 * @param {{runnable: Runnable, focused: string, options: Record<string, any>}} question
 * @returns {Promise<{name: string, value: any}[]>}
 */
export async function askChoices(store, { runnable, focused, options }) {
  const named = naming(runnable, store.channelId);
  try {
    const reply = await sendInteraction(store.memberId, {
      kind: "autocomplete",
      ...named,
      options,
      focused,
    });
    return reply.choices ?? [];
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
}

/** Slash commands as a member types them: finding, matching, and reading `option:value` text. */

/**
 * @typedef {{name: string, label: string, description?: string, type: number, required?: boolean, options?: any[],
 *            choices?: {name: string, value: any}[], autocomplete?: boolean, min_value?: number,
 *            max_value?: number, min_length?: number, max_length?: number}} Option
 * @typedef {{name: string, command: string, path: string[], description: string, options: Option[],
 *            app: string}} Runnable a command, or one subcommand of it
 */

const SLASH = 1;
const SUBCOMMAND = 1;
const GROUP = 2;
export const ATTACHMENT = 11;

/**
 * Put required options first, as Discord demands of apps anyway, in the member's language.
 *
 * @param {Option[]} options
 * @returns {Option[]}
 */
function requiredFirst(options) {
  return options.map(spoken).sort((a, b) => Number(Boolean(b.required)) - Number(Boolean(a.required)));
}

/**
 * Take what an option and its choices are called in the member's language, where the app says so.
 *
 * @param {any} option
 * @returns {Option}
 */
function spoken(option) {
  return {
    ...option,
    label: option.name_localized ?? option.name,
    description: option.description_localized ?? option.description,
    choices: option.choices?.map((/** @type {any} */ each) => ({
      ...each,
      name: each.name_localized ?? each.name,
    })),
  };
}

/**
 * @param {any} command
 * @param {any} node the command itself, a group, or a subcommand
 * @param {string[]} path
 * @returns {Runnable[]}
 */
function leaves(command, node, path) {
  const options = node.options ?? [];
  const inner = options.filter(
    (/** @type {Option} */ each) => each.type === SUBCOMMAND || each.type === GROUP,
  );
  if (inner.length) {
    return inner.flatMap((/** @type {any} */ each) => leaves(command, each, [...path, each.name]));
  }
  return [
    {
      name: [command.name, ...path].join(" "),
      command: command.name,
      path,
      description: node.description_localized ?? node.description ?? "",
      options: requiredFirst(options),
      app: command.application_name ?? "",
    },
  ];
}

/**
 * Return everything that can be run with a slash, subcommands one by one.
 *
 * @param {any[]} commands
 * @returns {Runnable[]}
 */
export function runnables(commands) {
  return commands
    .filter((each) => (each.type ?? SLASH) === SLASH)
    .flatMap((each) => leaves(each, each, []))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * Return the runnables that fit what was typed after the slash, best first.
 *
 * @param {Runnable[]} list
 * @param {string} typed
 * @returns {Runnable[]}
 */
export function matching(list, typed) {
  const wanted = typed.trim().toLowerCase();
  const rank = (/** @type {Runnable} */ each) => {
    if (each.name.startsWith(wanted)) return 0;
    if (each.name.includes(wanted)) return 1;
    return each.description.toLowerCase().includes(wanted) ? 2 : 3;
  };
  return list.filter((each) => rank(each) < 3).sort((a, b) => rank(a) - rank(b));
}

/**
 * Read `/name rest` when the text starts with a whole command name and a space.
 *
 * @param {string} text
 * @param {Runnable[]} list
 * @returns {{runnable: Runnable, rest: string} | null}
 */
export function readCommand(text, list) {
  const longestFirst = [...list].sort((a, b) => b.name.length - a.name.length);
  const runnable = longestFirst.find((each) => text.startsWith(`/${each.name} `));
  return runnable ? { runnable, rest: text.slice(runnable.name.length + 2) } : null;
}

/**
 * Read `prompt:a quiet night strength:0.5`: a value reaches up to the next option's name, which is
 * the one in the member's language, or the app's own.
 *
 * @param {string} text
 * @param {Option[]} options
 * @returns {{before: string, values: [string, string][]}} what stood before the first option's name
 */
export function readOptions(text, options) {
  const called = new Map(
    options.flatMap((each) => [
      [each.label, each.name],
      [each.name, each.name],
    ]),
  );
  const names = [...called.keys()].map((each) => each.replace(/[-/\\^$*+?.()|[\]{}]/g, "\\$&"));
  if (!names.length) return { before: text, values: [] };
  const parts = text.split(new RegExp(`(?:^|\\s)(${names.join("|")}):[ ]?`, "u"));
  /** @type {[string, string][]} */
  const values = [];
  for (let index = 1; index < parts.length; index += 2)
    values.push([called.get(parts[index]) ?? parts[index], parts[index + 1].trim()]);
  return { before: parts[0], values };
}

/**
 * Return an option's limits in words.
 *
 * @param {Option} option
 * @returns {string}
 */
export function limitsOf(option) {
  const { min_value: low, max_value: high, max_length: longest } = option;
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (low !== undefined) return `at least ${low}`;
  if (high !== undefined) return `at most ${high}`;
  return longest ? `up to ${longest} characters` : "";
}

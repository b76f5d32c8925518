/**
 * Building and patching DOM nodes.
 *
 * Text always becomes text nodes: nothing that a stranger wrote is ever parsed as HTML.
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Apply one property of `h` to an element.
 *
 * @param {Element} element
 * @param {string} key
 * @param {any} value
 */
function setProperty(element, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key === "on") {
    for (const [name, listener] of Object.entries(value)) element.addEventListener(name, listener);
  } else if (key === "data") {
    Object.assign(/** @type {HTMLElement} */ (element).dataset, value);
  } else if (key === "style") {
    for (const [name, set] of Object.entries(value)) {
      /** @type {HTMLElement} */ (element).style.setProperty(name, String(set));
    }
  } else {
    element.setAttribute(key, value === true ? "" : String(value));
  }
}

/**
 * Build an element with attributes, listeners (`on`), dataset (`data`), style and children.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) setProperty(element, key, value);
  for (const child of children.flat()) {
    if (child || child === "") element.append(/** @type {Node | string} */ (child));
  }
  return element;
}

/**
 * Return the element with this id, which index.html must hold.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element #${id}`);
  return element;
}

/**
 * Send a bubbling event that main.js listens for, so that drawing code needs no references to it.
 *
 * @param {EventTarget} source
 * @param {string} name
 * @param {any} [detail]
 */
export function emit(source, name, detail) {
  source.dispatchEvent(new CustomEvent(`page-${name}`, { bubbles: true, detail }));
}

/** @type {WeakMap<Element, string>} the data that elements were drawn from, as text */
const prints = new WeakMap();

/**
 * Mark an element with the data it was drawn from, so that `patchChildren` can keep it unchanged.
 *
 * @template {HTMLElement} T
 * @param {T} element
 * @param {any} source
 * @param {string} [holder] kind of an element whose children may be patched one by one
 * @returns {T}
 */
export function printed(element, source, holder) {
  prints.set(element, JSON.stringify(source));
  if (holder) element.dataset.holder = holder;
  return element;
}

/**
 * Keep pictures on the screen while a block is redrawn.
 *
 * The same picture moves over as it is; another picture shows the old one behind it until it has
 * loaded, so a preview that changes every two seconds never flashes.
 *
 * @param {HTMLElement} old
 * @param {HTMLElement} fresh
 */
function carryPictures(old, fresh) {
  const before = [...old.querySelectorAll("img")];
  [...fresh.querySelectorAll("img")].forEach((picture, index) => {
    const same = before.find((each) => each.dataset.key === picture.dataset.key);
    if (same) {
      picture.replaceWith(same);
      return;
    }
    const predecessor = before[index];
    if (!predecessor?.complete || !predecessor.naturalWidth) return;
    picture.style.backgroundImage = `url("${predecessor.currentSrc}")`;
    picture.addEventListener("load", () => picture.style.removeProperty("background-image"));
  });
}

/**
 * Copy all attributes of one element to another.
 *
 * @param {HTMLElement} target
 * @param {HTMLElement} source
 */
function copyAttributes(target, source) {
  for (const { name } of [...target.attributes]) {
    if (!source.hasAttribute(name)) target.removeAttribute(name);
  }
  for (const { name, value } of source.attributes) {
    // The page's own policy forbids style attributes; the same text is allowed as a property.
    if (name === "style") target.style.cssText = value;
    else target.setAttribute(name, value);
  }
}

/**
 * Replace the children of a node by fresh ones, keeping those whose data did not change.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} fresh
 */
export function patchChildren(parent, fresh) {
  const old = /** @type {HTMLElement[]} */ ([...parent.children]);
  fresh.forEach((node, index) => {
    const now = old[index];
    if (!now) {
      parent.append(node);
    } else if (prints.has(now) && prints.get(now) === prints.get(node)) {
      return;
    } else if (now.dataset.holder && now.dataset.holder === node.dataset.holder) {
      copyAttributes(now, node);
      prints.set(now, prints.get(node) ?? "");
      patchChildren(now, /** @type {HTMLElement[]} */ ([...node.children]));
    } else {
      carryPictures(now, node);
      now.replaceWith(node);
    }
  });
  for (const gone of old.slice(fresh.length)) gone.remove();
}

/**
 * Say a short text to screen readers.
 *
 * @param {string} text
 */
export function announce(text) {
  byId("announcer").textContent = text;
}

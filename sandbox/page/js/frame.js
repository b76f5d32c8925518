/** The frame around the room: channels and people, which narrow windows show as drawers. */

import { byId } from "./dom.js";
import { icon } from "./icons.js";

const NARROW = "(max-width: 900px)";

/** Open and close the list of people: a column in wide windows, a drawer in narrow ones. */
function togglePeople() {
  const app = byId("app");
  const narrow = window.matchMedia(NARROW).matches;
  const toggled = app.classList.toggle(narrow ? "show-people" : "hide-people");
  byId("toggle-people").setAttribute("aria-expanded", String(toggled === narrow));
  byId("scrim").hidden = !app.classList.contains("show-people");
}

/** Open the drawer of channels. */
function showChannels() {
  byId("app").classList.add("show-sidebar");
  byId("open-sidebar").setAttribute("aria-expanded", "true");
  byId("scrim").hidden = false;
  /** @type {HTMLElement | null} */ (byId("channels").querySelector("[aria-current]"))?.focus();
}

/** Close the drawers that lie over the room. */
export function closeDrawers() {
  byId("app").classList.remove("show-people", "show-sidebar");
  byId("open-sidebar").setAttribute("aria-expanded", "false");
  byId("scrim").hidden = true;
}

/** Build the buttons of the frame. */
export function drawFrame() {
  const people = byId("toggle-people");
  const channels = byId("open-sidebar");
  people.append(icon("people"));
  channels.append(icon("menu"));
  people.setAttribute("aria-expanded", String(!window.matchMedia(NARROW).matches));
  people.addEventListener("click", togglePeople);
  channels.addEventListener("click", showChannels);
  byId("scrim").addEventListener("click", closeDrawers);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeDrawers();
  });
}

// The page of `gristmill judge`. All that comes from samples goes into textContent, never into markup.
"use strict";

const CHOICES = [
  ["left", "←", "1 is better"],
  ["tie", "T", "Tie"],
  ["both_bad", "B", "Both bad"],
  ["right", "→", "2 is better"],
];
// numbers name the texts, since the letter B is taken
const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", t: "tie", b: "both_bad" };
const RATINGS = [1, 2, 3, 4, 5];
const key = location.hash.slice(1);
const at = (id) => document.getElementById(id);

let state = null;
let ratings = [];
let waiting = false; // for the server: one answer at a time
let unsent = null; // a call that failed, to be made again
let seen = 0; // milliseconds that this item was on the screen
let since = performance.now();

function made(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

function textBox(text) {
  const box = made("div", { class: text ? "text" : "text nothing", dir: "auto" });
  box.textContent = text || "(no text)";
  return box;
}

async function call(path, body) {
  if (waiting) return false;
  waiting = true;
  try {
    const headers = { "X-Judge-Key": key, "Content-Type": "application/json" };
    const answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
    const told = await answer.json();
    if (!answer.ok) {
      unsent = answer.status >= 500 ? [path, body] : answer.status === 409 ? ["state"] : null; // 409: this page is behind
      return problem(`${told.error}.${unsent ? " Press R to go on." : ""}`);
    }
    unsent = null;
    at("problem").hidden = true;
    state = told;
    show();
    return true;
  } catch {
    unsent = [path, body];
    return problem("The server does not answer; this is not saved. Press R to go on.");
  } finally {
    waiting = false;
  }
}

function problem(what) {
  at("problem").textContent = what;
  at("problem").hidden = false;
  return false;
}

function show() {
  const { item, done, total, paired, questions, annotator } = state;
  ratings = [];
  seen = 0;
  since = performance.now();
  at("bar").max = total || 1;
  at("bar").value = done;
  at("count").textContent = `${done.toLocaleString("en")} of ${total.toLocaleString("en")} · ${annotator}`;
  document.title = item ? `${done + 1} of ${total} – judging` : "All judged";
  at("main").hidden = at("choices").hidden = at("skip").hidden = !item;
  at("end").hidden = Boolean(item);
  at("actions").hidden = false;
  at("undo").disabled = !state.can_undo;
  at("question").textContent = paired || questions.length === 1 ? questions[0] : "How good is this text?";
  at("said").textContent = item ? `${done} of ${total} judged` : "Everything is judged";
  if (item) showItem(item);
  window.scrollTo(0, 0);
  (item ? at("prompt") : at("end").querySelector("h2")).focus({ preventScroll: true });
}

function showItem(item) {
  at("prompt-text").textContent = item.prompt || "(the beginning of a document)";
  at("prompt-text").classList.toggle("nothing", !item.prompt);
  const names = state.paired ? ["Text 1", "Text 2"] : ["Text"];
  at("texts").replaceChildren(
    ...item.texts.map((text, number) =>
      made("section", { "aria-labelledby": `text-${number}` }, made("h2", { id: `text-${number}` }, names[number]), textBox(text)),
    ),
  );
  at("comment").value = item.comment;
  at("remark").open = Boolean(item.comment);
  at("choices").classList.toggle("rated", !state.paired);
  at("choices").replaceChildren(...(state.paired ? choiceButtons() : ratingGroups()));
}

function choiceButtons() {
  return CHOICES.map(([choice, shortcut, label]) => {
    const button = made("button", { type: "button", "data-choice": choice }, made("kbd", {}, shortcut), ` ${label}`);
    button.addEventListener("click", () => vote({ choice }));
    return button;
  });
}

function ratingGroups() {
  const { questions } = state;
  const groups = questions.map((question, number) => {
    const group = made("div", { class: "rating", role: "group", "aria-labelledby": `question-${number}` });
    group.append(made("span", { id: `question-${number}` }, question));
    for (const rating of RATINGS) {
      const button = made("button", { type: "button", "aria-pressed": "false", "data-rating": rating }, String(rating));
      button.addEventListener("click", () => rate(number, rating));
      group.append(button);
    }
    return group;
  });
  groups.at(-1).append(made("div", { class: "ends" }, made("span", {}, "1: very bad"), made("span", {}, "5: very good")));
  groups[0].classList.add("now");
  return groups;
}

function rate(number, rating) {
  if (waiting) return;
  ratings[number] = rating;
  showRatings();
  if (open() < 0) vote({ ratings });
}

const open = () => state.questions.findIndex((_, number) => !ratings[number]);

function showRatings() {
  [...at("choices").children].forEach((group, number) => {
    group.classList.toggle("now", number === open());
    for (const button of group.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.rating) === ratings[number]));
    }
  });
}

function vote(answer) {
  if (waiting || !state.item) return;
  const seconds = Math.round(seen + (document.hidden ? 0 : performance.now() - since)) / 1000;
  at("choices").querySelector(`[data-choice="${answer.choice}"]`)?.classList.add("chosen");
  call("vote", { ticket: state.item.ticket, comment: at("comment").value, seconds, ...answer }).then((saved) => {
    if (!saved) for (const button of document.querySelectorAll(".chosen")) button.classList.remove("chosen");
  });
}

function undo() {
  if (!state.paired && state.item && ratings.some(Boolean)) {
    ratings[ratings.findLastIndex(Boolean)] = undefined;
    showRatings();
  } else if (state.can_undo) {
    call("undo", {});
  }
}

function comment() {
  at("remark").open = true;
  at("comment").focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target === at("comment")) {
    if (event.key === "Escape") at("prompt").focus();
    return;
  }
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (unsent && name === "r") return void call(...unsent);
  if (!state || !at("keys").checked) return;
  const doing = action(name);
  if (!doing) return;
  event.preventDefault();
  doing();
}

function action(name) {
  if (name === "u" || name === "Backspace") return undo;
  if (!state.item) return null;
  if (name === "s") return () => vote({ skip: true });
  if (name === "c") return comment;
  if (state.paired) return KEYS[name] && (() => vote({ choice: KEYS[name] }));
  return RATINGS.includes(Number(name)) && (() => rate(Math.max(0, open()), Number(name)));
}

document.addEventListener("keydown", pressed);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) seen += performance.now() - since;
  since = performance.now();
});
window.addEventListener("hashchange", () => location.reload());
at("skip").addEventListener("click", () => vote({ skip: true }));
at("undo").addEventListener("click", undo);
at("keys").addEventListener("change", () => document.body.classList.toggle("keyless", !at("keys").checked));
call("state");

// A text field that numbers its lines, colours YAML, underlines what is wrong and completes names.

import { suggest } from "./complete.js";
import { byId, make } from "./dom.js";

const TOKENS = /(#.*$)|("(?:[^"\\]|\\.)*"|'[^']*')|(\$\{[^}]*\})|([\w.]+(?=:(?:\s|$)))|(\b(?:true|false|null)\b)|([-+]?\b\d[\d.eE+-]*\b)/g;
const CLASSES = ["comment", "string", "variable", "key", "word", "number"];
const MOST = 60; // completions that are listed

export class Editor {
  constructor(onChange) {
    this.field = byId("yaml");
    this.box = byId("completion");
    this.list = byId("completions");
    this.operators = [];
    this.problems = [];
    this.chosen = -1;
    this.onChange = onChange;
    this.field.addEventListener("input", (event) => this.typed(event));
    this.field.addEventListener("scroll", () => this.scroll());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("blur", () => this.close());
    this.field.addEventListener("click", () => this.close());
    this.draw();
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    this.field.value = value;
    this.problems = [];
    this.draw();
  }

  typed(event) {
    this.problems = [];
    this.draw();
    this.onChange(this.text);
    if (event.inputType?.startsWith("insert") && event.inputType !== "insertLineBreak") this.complete(false);
    else this.close();
  }

  /** Underline problems. */
  mark(problems) {
    this.problems = problems;
    this.field.setAttribute("aria-invalid", String(problems.some((one) => one.severity === "error")));
    this.draw();
  }

  draw() {
    const lines = this.text.split("\n");
    byId("lines").replaceChildren(...lines.map((_, i) => {
      const worst = this.problems.filter((one) => one.line === i + 1).map((one) => one.severity);
      const kind = worst.includes("error") ? "error" : worst.includes("warning") ? "warning" : "";
      return make("span", { class: `line-number ${kind}`, text: `${i + 1}\n` });
    }));
    byId("paint").replaceChildren(...lines.flatMap((line) => [...painted(line), "\n"]));
    byId("marks").replaceChildren(...lines.flatMap((line, i) => [...this.underlined(line, i + 1), "\n"]));
    this.scroll();
  }

  underlined(line, number) {
    const here = this.problems.filter((one) => one.line === number).sort((a, b) => a.column - b.column);
    const characters = Array.from(line);
    const parts = [];
    let at = 0;
    for (const { column, end_column: end, severity } of here) {
      if (column - 1 < at) continue;
      parts.push(characters.slice(at, column - 1).join(""));
      parts.push(make("span", { class: `wrong ${severity}`, text: characters.slice(column - 1, end - 1).join("") || " " }));
      at = end - 1;
    }
    return [...parts, characters.slice(at).join("")];
  }

  scroll() {
    const { scrollLeft, scrollTop } = this.field;
    for (const id of ["paint", "marks"]) byId(id).style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
    byId("lines").style.transform = `translateY(${-scrollTop}px)`;
  }

  /** Put the caret at a line and column, from 1. */
  goTo(line, column) {
    const lines = this.text.split("\n").slice(0, line);
    const last = Array.from(lines.pop() || "").slice(0, column - 1).join("");
    const caret = lines.reduce((sum, one) => sum + one.length + 1, 0) + last.length;
    this.field.focus();
    this.field.setSelectionRange(caret, caret);
    this.field.scrollTop = Math.max(0, (line - 4) * this.metrics().high);
  }

  key(event) {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.complete(true);
    } else if (event.key === "Escape" && !this.box.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (!this.box.hidden && this.move(event)) {
      event.preventDefault();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.newLine();
    }
  }

  /** Handle a key while completions are shown. */
  move(event) {
    const count = this.offer.items.length;
    if (event.key === "ArrowDown") this.choose((this.chosen + 1) % count);
    else if (event.key === "ArrowUp") this.choose((this.chosen + count - 1) % count);
    else if (event.key === "Enter" || event.key === "Tab") this.accept(this.chosen);
    else return false;
    return true;
  }

  newLine() {
    const { selectionStart: caret, selectionEnd: end } = this.field;
    const line = this.text.slice(this.text.lastIndexOf("\n", caret - 1) + 1, caret);
    const column = line.match(/^\s*(?:- +)*/)[0].length;
    const deeper = /:\s*$/.test(line) ? 2 : 0;
    this.insert(`\n${" ".repeat(column + deeper)}`, caret, end);
    this.close();
  }

  insert(text, from, to) {
    this.field.setSelectionRange(from, to);
    // the one way that keeps the field's own undo; deprecated, and without a successor
    if (!document.execCommand("insertText", false, text)) {
      this.field.setRangeText(text, from, to, "end");
      this.field.dispatchEvent(new InputEvent("input"));
    }
  }

  complete(asked) {
    const found = suggest(this.text, this.field.selectionStart, this.operators, asked);
    const whole = this.text.slice(found.from, found.to);
    const items = found.items.slice(0, MOST);
    if (!items.length || (items.length === 1 && items[0].insert === whole)) {
      this.close();
      return;
    }
    this.offer = { ...found, items };
    this.list.replaceChildren(...items.map((item, i) => make(
      "li", { role: "option", id: `completion-${i}`, onpointerdown: (event) => { event.preventDefault(); this.accept(i); } },
      make("span", { text: item.label }), make("span", { class: "faint", text: item.detail }),
    )));
    this.box.hidden = false;
    this.place(found.from);
    this.choose(0);
  }

  choose(index) {
    this.chosen = index;
    [...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    this.list.children[index].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `completion-${index}`);
    byId("completion-note").textContent = this.offer.items[index].note || "";
  }

  accept(index) {
    const { from, to, items } = this.offer;
    this.close();
    this.insert(items[index].insert, from, to);
    this.field.focus();
    if (items[index].insert.endsWith(": ")) this.complete(true);
    else this.close();
  }

  close() {
    this.box.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  metrics() {
    if (!this.measured) {
      const probe = make("span", { text: "m".repeat(100) });
      byId("paint").append(probe);
      const box = probe.getBoundingClientRect();
      probe.remove();
      if (!box.width) return { wide: 8, high: 20 };
      this.measured = { wide: box.width / 100, high: parseFloat(getComputedStyle(this.field).lineHeight) };
    }
    return this.measured;
  }

  /** Put the list under the word that it completes, within the field. */
  place(index) {
    const { wide, high } = this.metrics();
    const above = this.text.slice(0, index).split("\n");
    const sheet = this.field.getBoundingClientRect();
    const left = Math.min(above.at(-1).length * wide - this.field.scrollLeft + 8, Math.max(sheet.width - 300, 0));
    const top = above.length * high - this.field.scrollTop + 10;
    this.box.style.left = `${Math.max(left, 0)}px`;
    this.box.style.top = `${top}px`;
  }
}

/** Return a line as coloured pieces. */
function painted(line) {
  const parts = [];
  let at = 0;
  for (const match of line.matchAll(TOKENS)) {
    parts.push(line.slice(at, match.index));
    const kind = CLASSES[match.slice(1).findIndex((one) => one !== undefined)];
    parts.push(make("span", { class: `token-${kind}`, text: match[0] }));
    at = match.index + match[0].length;
  }
  parts.push(line.slice(at));
  return parts;
}

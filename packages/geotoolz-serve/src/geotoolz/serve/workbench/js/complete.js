// What could stand at the caret: an operator, one of its parameters, one of a parameter's values.

const TARGET = "_target_";

/** Return the column at which a line's key or value starts: behind its indentation and dashes. */
const start = (line) => line.match(/^\s*(?:- +)*/)[0].length;

/** Return `{target, given}` of the object whose keys stand at a column around a line, or null. */
export function enclosing(lines, index, column) {
  const found = { target: null, given: new Set() };
  const take = (line) => {
    const key = line.slice(column).match(/^([\w.]+):\s*(\S*)/);
    if (!key) return;
    if (key[1] === TARGET) found.target = key[2];
    else found.given.add(key[1]);
  };
  const blank = (line) => /^\s*(#|$)/.test(line);
  const opens = (line) => /^\s*- /.test(line) && start(line) === column;
  if (!opens(lines[index])) {
    for (let i = index - 1; i >= 0; i--) {
      if (blank(lines[i])) continue;
      if (start(lines[i]) < column) break;
      if (start(lines[i]) === column) take(lines[i]);
      if (opens(lines[i])) break;
    }
  }
  for (let i = index + 1; i < lines.length; i++) {
    if (blank(lines[i])) continue;
    if (start(lines[i]) < column || opens(lines[i])) break;
    if (start(lines[i]) === column) take(lines[i]);
  }
  const here = lines[index].slice(column).match(/^([\w.]+):\s*(\S*)/);
  if (here && here[1] === TARGET) found.target = here[2];
  return found.target === null && !found.given.size ? null : found;
}

/** Return those of some operators that fit what was typed, the best first. */
export function fitting(operators, typed) {
  const word = typed.toLowerCase();
  const rank = ({ name, path, summary }) => {
    const short = name.toLowerCase();
    if (short.startsWith(word)) return 0;
    if (short.includes(word)) return 1;
    if (path.toLowerCase().includes(word)) return 2;
    return summary.toLowerCase().includes(word) ? 3 : 9;
  };
  return operators.map((one) => [rank(one), one]).filter(([r]) => r < 9)
    .sort((a, b) => a[0] - b[0] || a[1].name.localeCompare(b[1].name)).map(([, one]) => one);
}

function operatorItems(operators, typed, prefix) {
  return fitting(operators, typed).map((one) => ({
    label: one.name, detail: one.path.slice(0, one.path.lastIndexOf(".")), note: one.summary, insert: prefix + one.path,
  }));
}

function plain(value) {
  return typeof value === "string" && /[:#{}[\],&*!|>'"%@`]|^\s|\s$|^$/.test(value) ? JSON.stringify(value) : String(value);
}

function parameterItems(operator, given, typed, column) {
  const indent = " ".repeat(column + 2);
  return operator.parameters
    .filter((one) => !given.has(one.name) && one.name.toLowerCase().includes(typed.toLowerCase()))
    .sort((a, b) => b.required - a.required)
    .map((one) => {
      let insert = `${one.name}: `;
      if (one.type === "operator") insert = `${one.name}:\n${indent}${TARGET}: `;
      else if (one.type.startsWith("list of operator")) insert = `${one.name}:\n${indent}- ${TARGET}: `;
      else if (!one.required && ["string", "number", "boolean"].includes(typeof one.default)) insert += plain(one.default);
      return { label: one.name, detail: one.required ? `${one.type}, required` : one.type, note: one.description, insert };
    });
}

/** Return `{from, to, items}`: what may replace the text from … to, at a caret. */
export function suggest(text, caret, operators, asked = true) {
  const lines = text.split("\n");
  const index = text.slice(0, caret).split("\n").length - 1;
  const begin = text.lastIndexOf("\n", caret - 1) + 1;
  const before = text.slice(begin, caret);
  const rest = text.slice(caret).match(/^[\w.]*/)[0].length;
  const nothing = { from: caret, to: caret, items: [] };
  const target = before.match(/^\s*(?:- +)*_target_:\s*([\w.]*)$/);
  if (target) return { from: caret - target[1].length, to: caret + rest, items: operatorItems(operators, target[1], "") };
  const key = before.match(/^(\s*(?:- +)*)(\w*)$/);
  const column = start(lines[index].slice(0, before.length));
  const around = enclosing(lines, index, column);
  const operator = around && operators.find((one) => one.path === around.target);
  if (key) {
    if (!asked && !key[2]) return nothing;
    const items = operator
      ? parameterItems(operator, around.given, key[2], column)
      : around?.target ? [] : operatorItems(operators, key[2], `${TARGET}: `);
    return { from: caret - key[2].length, to: caret + rest, items };
  }
  const value = before.match(/^\s*(?:- +)*(\w+):\s+(\w*)$/);
  const parameter = value && operator?.parameters.find((one) => one.name === value[1]);
  if (!parameter) return nothing;
  const items = parameter.choices.map(plain).filter((one) => one.startsWith(value[2]))
    .map((one) => ({ label: one, detail: "", note: parameter.description, insert: one }));
  return { from: caret - value[2].length, to: caret + rest, items };
}

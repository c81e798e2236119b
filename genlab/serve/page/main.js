// The page: what is chosen on it, and the pictures that follow from that.

import { chart } from "./curves.js";
import { colour, LatentMap } from "./map.js";

const find = (id) => document.getElementById(id);
const made = (name, parent, text = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  parent.append(element);
  return element;
};

const STEPS = 12;
const facts = await (await fetch("run.json")).json();
const chosen = { point: 0, path: null };

// While one picture is on its way, only the last of the requests that come meanwhile is kept.
const requests = new Map();
function show(image, url) {
  const request = requests.get(image) ?? { busy: false, next: null };
  requests.set(image, request);
  if (request.busy) { request.next = url; return; }
  request.busy = true;
  image.onload = image.onerror = () => {
    const next = request.next;
    [request.busy, request.next] = [false, null];
    if (next !== null) show(image, next);
  };
  image.src = url;
}

const sliders = Array.from({ length: facts.directions }, (_, i) => {
  const label = made("label", find("directions"), `${i + 1}`);
  const slider = made("input", label), output = made("output", label, "0");
  Object.assign(slider, { type: "range", min: -4, max: 4, step: 0.1, value: 0, ariaLabel: `direction ${i + 1}` });
  slider.addEventListener("input", () => { output.textContent = slider.value; decode(); });
  return { slider, output };
});

const label = () => (facts.conditional ? find("class").value : "");

function decode() {
  const along = sliders.map(({ slider }) => slider.value).join(",");
  const moved = sliders.some(({ slider }) => Number(slider.value));
  show(find("decoded"), `decoded.png?${new URLSearchParams({ point: chosen.point, along, label: label() })}`);
  find("decoded-caption").textContent = (facts.encoded ? "reconstruction" : "decoded") + (moved ? ", moved" : "");
}

function rest() {
  for (const { slider, output } of sliders) [slider.value, output.textContent] = [0, "0"];
}

const name = (point) => (facts.labels[point] < 0 ? "" : ` (${facts.classes[facts.labels[point]]})`);

function choose(point) {
  chosen.point = point;
  rest();
  find("point").textContent = `${point}${name(point)}`;
  if (facts.conditional) find("class").value = facts.labels[point];
  if (facts.encoded) show(find("original"), `original.png?point=${point}`);
  decode();
  map.show(point, chosen.path);
}

function connect(start, end) {
  chosen.path = [start, end];
  find("ends").textContent = `${start}${name(start)} and ${end}${name(end)}`;
  const query = { start, end, steps: facts.images ? STEPS : 32, how: find("how").value, label: facts.conditional ? label() : "" };
  show(find("between"), `between.png?${new URLSearchParams(query)}`);
  map.show(chosen.point, chosen.path);
}

const map = new LatentMap(find("map"), facts.places, facts.labels, facts.classes, choose, (start, end) => {
  choose(start);
  connect(start, end);
});

function describe() {
  document.title = `${facts.run} - genlab`;
  find("run").textContent = facts.run;
  const weights = facts.ema ? "averaged weights" : "last weights";
  find("facts").textContent = `${facts.method} on ${facts.data}, iteration ${facts.step.toLocaleString("en")}, ${weights}`;
  find("about").textContent = facts.about;
  find("others").hidden = location.pathname === "/"; // served among several runs
  find("original-figure").hidden = !facts.encoded;
  find("thumbnails-choice").hidden = !facts.images;
  find("how").value = facts.path;
  find("between").classList.toggle("plane", !facts.images);
  const present = [...new Set(facts.labels)].filter((i) => i >= 0).sort((a, b) => a - b);
  for (const i of present.slice(0, 40)) {
    const entry = made("span", find("legend"));
    made("i", entry).style.background = colour(i);
    entry.append(facts.classes[i]);
  }
  find("class-choice").hidden = !facts.conditional;
  facts.classes.forEach((text, i) => { made("option", find("class"), text).value = i; });
}

function thumbnails() {
  if (!facts.images) return;
  const atlas = new Image();
  atlas.onload = () => { map.atlas = atlas; map.draw(); };
  atlas.src = "atlas.png";
  find("thumbnails").addEventListener("change", (event) => { map.thumbnails = event.target.checked; map.draw(); });
}

function history() {
  const kinds = Object.keys(facts.pictures), [kind, step] = [find("kind"), find("step")];
  find("history").hidden = !kinds.length;
  if (!kinds.length) return;
  for (const text of kinds) made("option", kind, text);
  kind.value = kinds.includes("samples") ? "samples" : kinds[0];
  const draw = () => {
    const [number, file] = facts.pictures[kind.value][step.value];
    show(find("sample"), `samples/${file}`);
    find("step-name").textContent = `step ${number.toLocaleString("en")}`;
  };
  const start = () => { step.max = facts.pictures[kind.value].length - 1; step.value = step.max; draw(); };
  step.addEventListener("input", draw);
  kind.addEventListener("change", start);
  start();
}

function curves() {
  const names = Object.keys(facts.curves), headline = facts.headline.filter((text) => names.includes(text));
  const groups = { headline, ...Object.groupBy(names, (text) => text.split("/").slice(0, -1).join("/")) };
  find("course").hidden = !names.length;
  for (const text of Object.keys(groups)) made("option", find("group"), text);
  const draw = () => find("curves").replaceChildren(
    ...groups[find("group").value].map((text) => chart(text, facts.curves[text])));
  find("group").addEventListener("change", draw);
  draw();
}

describe();
thumbnails();
history();
curves();
choose(0);
connect(0, map.farthest(0));
find("reset").addEventListener("click", () => { rest(); decode(); });
find("class").addEventListener("change", () => { decode(); connect(...chosen.path); });
find("how").addEventListener("change", () => connect(...chosen.path));
document.body.dataset.ready = "yes";

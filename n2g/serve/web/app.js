// The pages work without this script: tables are filtered by forms, neurons have addresses. It adds what a form cannot
// do: scrolling through any number of rows, brushes, live text, a run that is watched, keys.
"use strict";
(() => {
  const body = document.body, root = body.dataset.root, isStatic = !!body.dataset.static;
  const api = root + "api/v1";
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

  // make an element with attributes and children; texts are never read as markup.
  const make = (name, attributes = {}, ...children) => {
    const svg = ["svg", "rect", "title"].includes(name);
    const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== false) e.setAttribute(key, value);
    e.append(...children);
    return e;
  };
  const ask = async (method, path, value, signal) => {
    const answer = await fetch(api + path, {
      method, signal, headers: value ? { "Content-Type": "application/json" } : {}, body: value && JSON.stringify(value),
    });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error || answer.statusText);
    return data;
  };
  const say = (text) => { $("#status").textContent = text; };
  const link = (layer, neuron) => `${root}neurons/${layer}/${neuron}${isStatic ? ".html" : ""}`;
  const later = (wait, f) => { let timer; return (...args) => { clearTimeout(timer); timer = setTimeout(() => f(...args), wait); }; };

  const short = (v) => v === 0 || v == null ? "" : typeof v === "string" ? v : String(Number(v.toPrecision(3)));
  const two = (v) => v == null ? "" : v.toFixed(2);
  const percent = (v) => v == null ? "" : Number((100 * v).toPrecision(2)) + " %";
  const lead = (v) => v == null ? "" : (v < 0 ? "−" : "+") + Math.abs(v).toFixed(2);

  // The glyphs of characters that have no picture, as the server writes them.
  const glyphs = (token) => {
    const parts = [];
    for (const c of token) {
      const code = c.codePointAt(0);
      let shown = c, pale = true;
      if (c === " ") shown = "·";
      else if (c === "\n") shown = "↵";
      else if (c === "\t") shown = "→";
      else if (code < 32) shown = String.fromCodePoint(0x2400 + code);
      else if (code === 127) shown = "\u2421";
      else if (/[\p{Zs}\p{Zl}\p{Zp}\p{Cc}\p{Cn}\p{Cs}]/u.test(c) || (/\p{Cf}/u.test(c) && code !== 0x200c && code !== 0x200d))
        shown = "\\u{" + code.toString(16) + "}";
      else pale = false;
      const last = parts[parts.length - 1];
      if (last && last.pale === pale) last.text += shown; else parts.push({ text: shown, pale });
    }
    return parts.map((p) => p.pale ? make("u", {}, p.text) : p.text);
  };
  const plain = (token) => glyphs(token).map((p) => p.textContent ?? p).join("");

  // The tokens of a label stand between backticks, quoted as Go quotes them.
  const unquote = (text) => {
    const named = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "\\": "\\", '"': '"' };
    return text.replace(/\\(?:([ntrabfv\\"])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))/g,
      (all, name, x, u, long) => name ? named[name] : x ? all : String.fromCodePoint(parseInt(u || long, 16)));
  };
  // What a label says of a graph that rests on few firings stands first, where no line cuts it.
  const labelled = (text) => {
    const [, label, few] = /^(.*?)(?: \(few: ([0-9]+ firings?)\))?$/s.exec(text || "");
    const badge = few ? [make("span", { class: "kind few", title: "the graph rests on few firing tokens: " + few }, "few: " + few), " "] : [];
    const parts = label.split("`");
    if (parts.length % 2 === 0) return [...badge, label];
    return badge.concat(parts.map((part, i) => i % 2 ? make("code", {}, ...glyphs(unquote(part))) : part).filter((p) => p !== ""));
  };

  /* ---- the table of neurons ---- */

  // rows gives pages of the table: from the server, or in a site from the shards of all rows, filtered here.
  const server = {
    page: (q, offset, limit, signal) => ask("GET", `/neurons?${q}&offset=${offset}&limit=${limit}`, null, signal),
    histograms: (q, signal) => ask("GET", `/histograms?${q}`, null, signal),
  };
  const shards = () => {
    const info = window.n2gSite, all = [];
    let ready;
    const load = () => ready ||= (async () => {
      window.n2gRows = (rows, words) => { for (const r of rows) { r.words = words; all.push(r); } };
      for (let i = 0; i < info.shards; i++)
        await new Promise((done, failed) => document.head.append(Object.assign(make("script"), { src: `${root}data/rows-${i}.js`, onload: done, onerror: failed })));
      for (const r of all) r.key = r.layer * 1e7 + r.neuron;
      all.sort((a, b) => a.key - b.key);
    })();
    const columns = ["maximum", "density", "f1", "lead", "context_f1", "context_lead"];
    const number = (q, name) => q.get(name) ? Number(q.get(name)) : null;
    // A question for tokens, as n2g search reads it: TOKEN, TOKEN:activating, TOKEN:important, BEGINNING*.
    const read = (word) => {
      const [, body, kind] = /^(.+?)(?::(activating|important|any))?$/.exec(word);
      const star = /^(?:[^]*[^\\])?(?:\\\\)*\*$/.test(body), named = { n: "\n", t: "\t", r: "\r" };
      const token = (star ? body.slice(0, -1) : body).replace(/\\([ntr*\\])/g, (all, c) => named[c] || c);
      return { token: normal(token), prefix: star, kinds: kind === "activating" || kind === "important" ? [kind] : ["activating", "important"] };
    };
    // Spellings that graphs do not tell apart: title case is lower case, and words have no blanks around them.
    const normal = (token) => {
      if ([...token].length < 2) return token;
      let title = false, cased = false;
      for (const c of token) {
        const upper = /[\p{Lu}\p{Lt}]/u.test(c), lower = /\p{Ll}/u.test(c);
        if (upper && cased || lower && !cased) { title = false; break; }
        title ||= upper; cased = upper || lower;
      }
      if (title) token = token.toLowerCase();
      return /\p{L}/u.test(token) ? token.trim() : token;
    };
    const has = (term) => {
      const numbers = new Map(); // of the words that are meant, by the list of words
      return (r) => {
        if (!numbers.has(r.words)) {
          const meant = new Set();
          (r.words || []).forEach((w, i) => { if (term.token && (term.prefix ? w.startsWith(term.token) : w === term.token)) meant.add(i); });
          numbers.set(r.words, meant);
        }
        const meant = numbers.get(r.words);
        return meant.size > 0 && term.kinds.some((kind) => {
          let at = 0;
          return r[kind] && r[kind].split(" ").some((step) => meant.has(at += parseInt(step, 36)));
        });
      };
    };
    const chosen = (q) => {
      const promotes = (q.get("promotes") || "").trim().toLowerCase();
      const terms = (q.get("token") || "").split(/\s+/).filter(Boolean).map((word) => has(read(word)));
      const label = (q.get("label") || "").toLowerCase();
      const ranges = columns.map((c) => [c, number(q, "min_" + c), number(q, "max_" + c)]).filter((r) => r[1] !== null || r[2] !== null);
      return all.filter((r) => (!q.get("layer") || r.layer === Number(q.get("layer"))) && (!q.get("kind") || r.kind === q.get("kind")) &&
        (!q.get("state") || r.state === q.get("state")) && (!label || (r.label || "").toLowerCase().includes(label)) &&
        terms.every((term) => term(r)) &&
        (!promotes || (r.promotes || "").toLowerCase().split(" ").some((t) => t.replace(/^·/, "") === promotes)) &&
        ranges.every(([c, low, high]) => r[c] != null && (low === null || r[c] >= low) && (high === null || r[c] <= high)));
    };
    let last, kept;
    const sorted = (q) => {
      const text = q.toString();
      if (text === last) return kept;
      const rows = chosen(q), sort = q.get("sort") || "neuron", name = sort.replace(/^-/, ""), sign = sort.startsWith("-") ? -1 : 1;
      if (name === "neuron") rows.sort((a, b) => sign * (a.key - b.key));
      else rows.sort((a, b) => (a[name] == null) - (b[name] == null) || sign * (a[name] - b[name]) || a.key - b.key);
      last = text; kept = rows;
      return rows;
    };
    const distribution = (name, rows, log) => {
      const values = (list) => list.map((r) => r[name]).filter((v) => v != null && !(log && v <= 0));
      const range = values(all);
      let low = range.reduce((a, b) => Math.min(a, b), Infinity), high = range.reduce((a, b) => Math.max(a, b), -Infinity);
      if (!range.length) return { edges: [], counts: [], log };
      if (name.endsWith("f1")) { low = 0; high = 1; }
      if (low === high) high = log ? low * 2 : low + 1;
      const n = 40, edges = [], counts = Array(n).fill(0);
      for (let i = 0; i <= n; i++) edges.push(log ? low * Math.pow(high / low, i / n) : low + (high - low) * i / n);
      for (const v of values(rows)) {
        const share = log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
        counts[Math.max(0, Math.min(n - 1, Math.floor(share * n)))]++;
      }
      return { edges, counts, log };
    };
    return {
      page: async (q, offset, limit) => {
        await load();
        const rows = sorted(new URLSearchParams(q));
        return { total: all.length, matched: rows.length, rows: rows.slice(offset, offset + limit) };
      },
      histograms: async (q) => {
        await load();
        const rows = chosen(new URLSearchParams(q));
        return Object.fromEntries(columns.map((c) => [c, distribution(c, rows, c === "maximum" || c === "density")]));
      },
    };
  };

  const explorer = () => {
    const source = isStatic ? shards() : server;
    const form = $("#filter"), scroll = $("#scroll"), table = $("#neurons"), tbody = $("tbody", table);
    body.classList.add("scripted");
    $(".filters").open = innerWidth > 820;
    const rowHeight = 35, pageSize = 100, ahead = 12;
    let sort = new URLSearchParams(location.search).get("sort") || "", total = 0, matched = 0;
    let pages = new Map(), asked = new AbortController(), current = -1, query = "";

    const read = () => {
      const q = new URLSearchParams();
      for (const [name, value] of new FormData(form)) if (String(value).trim()) q.set(name, String(value).trim());
      if (sort) q.set("sort", sort);
      return q.toString();
    };
    const cells = (r, at) => {
      const href = link(r.layer, r.neuron);
      const label = make("td", { class: "label", title: r.label });
      if (r.label) label.append(...labelled(r.label));
      else label.append(make("span", { class: "note" }, r.state === "failed" ? r.reason || "failed" : r.state === "open" ? "not explained yet" : ""));
      const f1 = (value, context) => {
        const td = make("td", { class: "num f1" + context });
        if (value != null) td.append(make("meter", { min: 0, max: 1, value, "aria-hidden": "true" }), " " + two(value));
        return td;
      };
      const tr = make("tr", { "data-href": href, "aria-rowindex": at + 2, class: at === current ? "here" : false },
        make("th", { scope: "row" }, make("a", { href }, `${r.layer}/${r.neuron}`)), label,
        make("td", {}, r.kind ? make("span", { class: "kind " + r.kind }, r.kind) : ""),
        make("td", { class: "num" }, short(r.maximum)), make("td", { class: "num" }, percent(r.density)),
        f1(r.context_f1, " context"), make("td", { class: "num context" }, lead(r.context_lead)), f1(r.f1, ""), make("td", { class: "num" }, lead(r.lead)), make("td", { class: "num" }, r.nodes ? String(r.nodes) : ""),
        make("td", { class: "num" }, r.behaviours != null ? String(r.behaviours) : ""));
      tr.dataset.at = at;
      return tr;
    };
    const space = (rows) => {
      const tr = make("tr", { class: "space", "aria-hidden": "true" }, make("td", { colspan: 11 }));
      tr.firstChild.style.height = rows * rowHeight + "px";
      return tr;
    };
    const row = (at) => pages.get(Math.floor(at / pageSize))?.[at % pageSize];
    const draw = () => {
      const height = scroll.clientHeight || 800;
      const first = Math.max(0, Math.floor(scroll.scrollTop / rowHeight) - ahead);
      const last = Math.min(matched, first + Math.ceil(height / rowHeight) + 2 * ahead);
      for (let page = Math.floor(first / pageSize); page <= Math.floor(Math.max(first, last - 1) / pageSize); page++) fetchPage(page);
      const rows = [];
      if (first > 0) rows.push(space(first));
      for (let at = first; at < last; at++) {
        const r = row(at);
        rows.push(r ? cells(r, at) : space(1));
      }
      if (last < matched) rows.push(space(matched - last));
      const focus = document.activeElement?.closest?.("tr")?.dataset.at;
      tbody.replaceChildren(...rows);
      if (focus !== undefined) $(`tr[data-at="${focus}"] a`, tbody)?.focus({ preventScroll: true });
      $(".empty")?.remove();
      if (!matched) scroll.append(make("p", { class: "empty" }, "No neuron is like that."));
    };
    const fetchPage = async (page) => {
      if (pages.has(page)) return;
      pages.set(page, null);
      const mine = asked;
      try {
        const answer = await source.page(query, page * pageSize, pageSize, mine.signal);
        if (mine !== asked) return;
        pages.set(page, answer.rows);
        total = answer.total; matched = answer.matched;
        $("#count").textContent = matched === total ? `${total.toLocaleString("en")}` : `${matched.toLocaleString("en")} of ${total.toLocaleString("en")}`;
        table.setAttribute("aria-rowcount", matched + 1);
        draw();
      } catch (error) {
        if (mine !== asked) return;
        pages.delete(page);
        if (error.name !== "AbortError") say(error.message);
      }
    };
    const refresh = (push = true) => {
      asked.abort(); asked = new AbortController();
      query = read(); pages = new Map(); current = -1;
      scroll.scrollTop = 0;
      if (push && !isStatic) history.replaceState(null, "", query ? "?" + query : location.pathname);
      fetchPage(0);
      brushes();
    };

    const brushes = async () => {
      const mine = asked;
      try {
        const all = await source.histograms(query, mine.signal);
        if (mine !== asked) return;
        for (const set of $$(".brush", form)) {
          set.hidden = !all[set.dataset.column].counts.length && !$$("input", set).some((i) => i.value);
          bars(set, all[set.dataset.column]);
        }
        table.classList.toggle("no-context", !all.context_f1.counts.length);
      } catch { /* the table says what is wrong */ }
    };
    const bars = (set, d) => {
      const svg = $("svg", set), n = d.counts.length, most = Math.max(1, ...d.counts);
      set.distribution = d;
      const [low, high] = $$("input", set).map((i) => i.value === "" ? null : Number(i.value));
      const rects = d.counts.map((count, i) => {
        const height = count ? Math.max(1.5, 42 * Math.sqrt(count / most)) : 0;
        const out = low !== null && d.edges[i + 1] < low || high !== null && d.edges[i] > high;
        return make("rect", { class: out ? "out" : "bar", x: i * 200 / n + 0.4, width: 200 / n - 0.8, y: 43 - height, height });
      });
      svg.replaceChildren(...rects);
    };
    for (const set of $$(".brush", form)) {
      const svg = $("svg", set), [from, to] = $$("input", set);
      let start = null, mark;
      const share = (e) => Math.max(0, Math.min(1, (e.clientX - svg.getBoundingClientRect().left) / svg.clientWidth));
      const value = (s) => {
        const { edges, log } = set.distribution, low = edges[0], high = edges[edges.length - 1];
        return Number((log ? low * Math.pow(high / low, s) : low + (high - low) * s).toPrecision(3));
      };
      svg.addEventListener("pointerdown", (e) => {
        if (!set.distribution?.counts.length) return;
        start = share(e); svg.setPointerCapture(e.pointerId);
        mark = make("rect", { class: "sel", y: 0, height: 44 }); svg.append(mark);
      });
      svg.addEventListener("pointermove", (e) => {
        if (start === null) return;
        const s = share(e);
        mark.setAttribute("x", 200 * Math.min(s, start)); mark.setAttribute("width", 200 * Math.abs(s - start));
      });
      svg.addEventListener("pointerup", (e) => {
        if (start === null) return;
        const a = Math.min(start, share(e)), b = Math.max(start, share(e));
        start = null;
        from.value = b - a < 0.02 || a < 0.005 ? "" : value(a);
        to.value = b - a < 0.02 || b > 0.995 ? "" : value(b);
        refresh();
      });
    }

    form.addEventListener("submit", (e) => { e.preventDefault(); refresh(); });
    form.addEventListener("input", later(150, () => refresh()));
    for (const a of $$("thead a", table)) a.addEventListener("click", (e) => {
      e.preventDefault();
      const name = a.dataset.sort, numeric = a.closest("th").classList.contains("num");
      sort = sort === name ? "-" + name : sort === "-" + name ? name : (numeric ? "-" : "") + name;
      for (const th of $$("thead th", table)) th.removeAttribute("aria-sort");
      a.closest("th").setAttribute("aria-sort", sort.startsWith("-") ? "descending" : "ascending");
      refresh();
    });
    scroll.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
    addEventListener("resize", later(100, draw));
    tbody.addEventListener("click", (e) => {
      const tr = e.target.closest("tr[data-href]");
      if (tr && !e.target.closest("a")) location.href = tr.dataset.href;
    });
    keys({
      j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
      Enter: () => { const r = row(current); if (r) location.href = link(r.layer, r.neuron); },
    });
    const step = (by) => {
      current = Math.max(0, Math.min(matched - 1, current + by));
      const top = current * rowHeight, view = scroll.clientHeight - 2 * rowHeight;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      if (top > scroll.scrollTop + view) scroll.scrollTop = top - view;
      draw();
      const r = row(current);
      if (r) say(`${r.layer}/${r.neuron} ${r.label || ""}`);
    };
    fires();
    refresh(false);
  };

  // fires lists the neurons that a typed text excites most, in place of the table.
  const fires = () => {
    const form = $("#fires");
    if (!form) return;
    const input = $("textarea", form), scroll = $("#scroll");
    let asked = new AbortController(), list;
    const show = later(120, async () => {
      asked.abort(); asked = new AbortController();
      list?.remove(); list = null;
      $("#neurons").hidden = false;
      if (!input.value.trim()) return;
      try {
        const answer = await ask("POST", "/fires", { text: input.value, limit: 60 }, asked.signal);
        list?.remove();
        list = make("table", { class: "neurons" }, make("thead", {}, make("tr", {}, ...["neuron", "fires on", "token", "share of its maximum"].map((h) => make("th", { scope: "col" }, h)))),
          make("tbody", {}, ...answer.hits.map((h) => make("tr", {}, make("th", { scope: "row" }, make("a", { href: `${root}live?${new URLSearchParams({ layer: h.layer, neuron: h.neuron, text: input.value })}` }, `${h.layer}/${h.neuron}`)),
            make("td", { class: "label" }, ...labelled(h.label)), make("td", { class: "label" }, ...glyphs(answer.tokens[h.position])),
            make("td", {}, make("meter", { min: 0, max: 1, value: h.share, "aria-hidden": "true" }), " " + percent(h.share) + (h.known ? "" : " of the layer's"))))));
        $("#neurons").hidden = true;
        scroll.prepend(list);
        say(`${answer.hits.length} neurons`);
      } catch (error) { if (error.name !== "AbortError") say(error.message); }
    });
    input.addEventListener("input", show);
    form.addEventListener("submit", (e) => e.preventDefault());
  };

  /* ---- live text ---- */

  const live = (article) => {
    const form = $("form.live", article);
    if (!form) return;
    const layer = Number(article.dataset.layer), neuron = Number(article.dataset.neuron);
    const input = $("textarea", form), out = $(".live-out", form), tokens = $(".tokens", form), detail = $(".detail", form), wrong = $(".live-error", form);
    let asked = new AbortController(), shown, chosen = -1;
    const colours = { red: [197, 15, 31], violet: [118, 56, 190], grey: [84, 90, 100], blue: [20, 84, 196] };
    const rgba = (name, share) => `rgba(${colours[name]},${Math.max(0, Math.min(1, share))})`;
    // paint colours a token's ground, and its text black or white, whichever can be read better on that.
    const paint = (e, name, share) => {
      share = Math.max(0, Math.min(1, share));
      e.style.background = rgba(name, share);
      if (share < 0.1) return;
      const page = getComputedStyle(document.documentElement).backgroundColor.match(/[\d.]+/g).map(Number);
      const linear = colours[name].map((c, i) => (c * share + page[i] * (1 - share)) / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      e.style.color = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
    };
    const run = async () => {
      asked.abort(); asked = new AbortController();
      wrong.hidden = true;
      if (!input.value.trim()) { out.hidden = true; return; }
      const started = performance.now();
      try {
        shown = await ask("POST", "/live", { layer, neuron, text: input.value }, asked.signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        wrong.textContent = error.message; wrong.hidden = false;
        return;
      }
      const { maximum, fire, predictions, context, first } = shown;
      tokens.replaceChildren(...shown.tokens.map((token, i) => {
        const value = shown.activations[i], share = maximum > 0 ? value / maximum : 0;
        // A graph differs where it is wrong about firing.
        const graphs = [["neuron", predictions, fire, "violet"], ["context", context, shown.context_fire, "blue"]].filter((g) => g[1])
          .map(([name, list, from, colour]) => ({ name, predicted: list[i], colour, wrong: i >= first && (share >= fire) !== (list[i] >= from) }));
        const says = `${plain(token)}: activation ${value}` + graphs.map((g) => `, the ${g.name} graph predicts ${Number((g.predicted * maximum).toPrecision(3))}${g.wrong ? " (wrong)" : ""}`).join("");
        const b = make("button", {
          type: "button", class: "tok" + (i < first ? " bos" : "") + (graphs.some((g) => g.wrong) ? " wrong" : "") + (i === chosen ? " chosen" : ""), title: says, "aria-label": says,
          "data-activation": value, "data-position": i, "aria-pressed": i === chosen, tabindex: i === Math.max(chosen, first) ? 0 : -1,
        }, ...glyphs(token));
        if (i >= first) paint(b, share < 0 ? "grey" : "red", Math.abs(share));
        for (const g of graphs) {
          const strip = make("i", { class: g.wrong ? "wrong" : false });
          if (g.predicted > 0) strip.style.background = rgba(g.colour, g.predicted);
          b.append(strip);
        }
        return token.includes("\n") ? [b, make("br")] : [b];
      }).flat());
      $(".legend-max", form).textContent = maximum > 0 ? `(full colour ${Number(Number(maximum).toPrecision(3))}${shown.known ? ", its maximum" : ", the text’s strongest"})` : "";
      $(".legend-graph", form).hidden = !predictions; $(".legend-context", form).hidden = !context;
      $(".legend-wrong", form).hidden = !predictions && !context;
      $(".took", form).textContent = `${Math.round(performance.now() - started)} ms`;
      form.dataset.took = performance.now() - started;
      out.hidden = false;
      if (chosen >= shown.tokens.length) chosen = -1;
      if (chosen >= 0) choose(chosen); else detail.hidden = true;
    };
    const choose = async (position) => {
      chosen = position;
      for (const b of $$(".tok", tokens)) {
        const on = Number(b.dataset.position) === position;
        b.classList.toggle("chosen", on); b.setAttribute("aria-pressed", on); b.tabIndex = on ? 0 : -1;
      }
      const what = $(".detail-what", detail), text = input.value;
      try {
        const [matters, others] = await Promise.all([
          ask("POST", "/importance", { layer, neuron, text, position }), ask("POST", "/fires", { text, position, limit: 12 })]);
        if (chosen !== position || text !== input.value) return;
        const line = make("div", { class: "tokens" }, ...matters.tokens.slice(shown.first).map((token, i) => {
          const at = i + shown.first, share = at === position ? 1 : matters.importances[at];
          const b = make("span", { class: "tok", title: `${plain(token)}: importance ${Number(share.toPrecision(3))}` }, ...glyphs(token));
          paint(b, share < 0 ? "grey" : "blue", Math.abs(share));
          return b;
        }));
        const quiet = !(Math.abs(matters.activation) > 0.02 * shown.maximum);
        what.replaceChildren(
          make("h3", {}, quiet ? `The neuron is quiet on ${plain(shown.tokens[position])}` : `What matters for ${plain(shown.tokens[position])} (activation ${short(matters.activation)})`),
          quiet ? "" : line,
          make("h3", {}, "Neurons that are highest on it"), make("ul", { class: "hits" }, ...others.hits.map((h) =>
            make("li", {}, make("a", { href: link(h.layer, h.neuron) }, `${h.layer}/${h.neuron}`), h.known ? ` ${percent(h.share)} ` : ` ${short(h.activation)}, maximum unknown `, make("span", { class: "label" }, ...labelled(h.label))))));
        detail.hidden = false;
        steer();
      } catch (error) { wrong.textContent = error.message; wrong.hidden = false; }
    };
    const steer = later(60, async () => {
      if (!form.dataset.effects) return;
      const box = $(".steer", detail), range = $("input", box), value = Number(range.value) * (shown.maximum || 1);
      $("output", box).textContent = Number(value.toPrecision(3));
      try {
        const answer = await ask("POST", "/effects", { layer, neuron, text: input.value, value });
        const before = new Map(answer.before.map((t) => [t.token, t.probability]));
        // What the change makes a quarter likelier or less likely is coloured.
        const way = (t) => { const ratio = before.has(t.token) ? t.probability / before.get(t.token) : 2; return ratio > 1.25 ? "up" : ratio < 0.8 ? "down" : false; };
        const line = (list) => list.map((t) => make("td", { class: way(t) }, ...glyphs(t.token), ` ${(100 * t.probability).toFixed(1)} %`));
        $(".next", box).replaceChildren(make("tr", {}, make("th", { scope: "row" }, "as it is"), ...line(answer.before)), make("tr", {}, make("th", { scope: "row" }, "set"), ...line(answer.after)));
        box.hidden = false;
      } catch (error) { say(error.message); }
    });
    $(".steer input", detail).addEventListener("input", steer);
    tokens.addEventListener("click", (e) => { const b = e.target.closest(".tok"); if (b) choose(Number(b.dataset.position)); });
    tokens.addEventListener("keydown", (e) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[e.key];
      if (!by) return;
      e.stopPropagation();
      const all = $$(".tok", tokens), next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + by))];
      if (next) { e.preventDefault(); next.focus(); }
    });
    input.addEventListener("input", later(40, run));
    form.addEventListener("submit", (e) => e.preventDefault());
    run();
  };

  /* ---- what a neuron is connected with ---- */

  const connected = async (article) => {
    const section = $("#connected");
    if (!section) return;
    let found;
    try {
      found = await ask("GET", `/neurons/${article.dataset.layer}/${article.dataset.neuron}/connected`);
    } catch (error) { say(error.message); return; }
    const list = (name, help, rows, value) => rows.length ? [make("div", {}, make("h3", { title: help }, name), make("ul", { class: "links" }, ...rows.map((r) =>
      make("li", {}, make("a", { href: link(r.layer, r.neuron) }, `${r.layer}/${r.neuron}`), make("span", { class: "num" }, value(r)), make("span", { class: "label" }, ...labelled(r.label))))))] : [];
    const cosine = (r) => lead(r.cosine) + (r.through === "gate" ? " gate" : "");
    const lists = [
      ...list("fire with it", "on the tokens of the corpus on which it fires", found.together || [], (r) => percent(r.fired)),
      ...list("read what it writes", "cosine of its output weights and their input weights", found.down || [], cosine),
      ...list("write what it reads", "cosine of their output weights and its input weights", found.up || [], cosine),
      ...list("read alike", "cosine of the input weights", found.like_in || [], cosine), ...list("write alike", "cosine of the output weights", found.like_out || [], cosine),
    ];
    if (!lists.length) return;
    $(".note", section).textContent = "Firing together: the share of its firing tokens on which the other fires too. By the weights: cosines, the norm’s weight folded in.";
    $(".connected", section).replaceChildren(...lists);
    section.hidden = false;
  };

  // A graph a little wider than its frame is shown smaller, one that is much wider scrolls.
  const fit = () => {
    for (const svg of $$(".graph > svg")) {
      svg.natural ||= svg.getBoundingClientRect().width;
      const room = svg.parentElement.clientWidth - 16;
      svg.style.width = Math.min(svg.natural, Math.max(room, 0.6 * svg.natural)) + "px";
      svg.style.height = "auto";
    }
  };

  /* ---- a run ---- */

  const watch = () => {
    const time = (s) => s > 5400 ? (s / 3600).toFixed(1) + " h" : s > 90 ? Math.round(s / 60) + " min" : Math.round(s) + " s";
    const states = { idle: "not running", running: "running", watched: "another process is at it", done: "done", stopped: "stopped", failed: "failed" };
    const put = (kind, name, value) => { const e = $(`[data-${kind}=${name}]`); if (e.textContent !== String(value)) e.textContent = value; };
    const fill = (kind, s, of, done) => {
      const state = $(`[data-${kind}=state]`), said = states[s.state];
      if (state.textContent !== said) { state.textContent = said; state.dataset.state = s.state; say(`${kind}: ${said}`); }
      put(kind, "error", s.error || "");
      put(kind, "rate", s.rate ? s.rate.toFixed(1) : "–"); put(kind, "left", s.left ? time(s.left) : "–");
      const bar = $("progress", state.closest("section")); bar.max = Math.max(1, of); bar.value = done;
    };
    const show = (s) => {
      fill("run", s, s.planned, s.done + s.failed);
      put("run", "done", s.done); put("run", "planned", s.planned); put("run", "failed", s.failed); put("run", "mean_f1", s.mean_f1 ? s.mean_f1.toFixed(3) : "–");
      if (s.failures?.length) $("#failures").replaceChildren(...s.failures.map((f) => make("li", {}, make("a", { href: link(f.layer, f.neuron) }, `${f.layer}/${f.neuron}`), " " + f.reason)));
      const m = s.mine;
      if (!m || !$("#mining")) return;
      fill("mine", m, m.windows, m.done);
      put("mine", "done", m.done.toLocaleString("en")); put("mine", "windows", m.windows ? m.windows.toLocaleString("en") : "–");
      const button = $("#mine button");
      if ($("#mine")) $("#mine").hidden = m.state === "done";
      if (button) { button.disabled = ["running", "watched", "done"].includes(m.state); button.textContent = m.done && m.state !== "done" ? "Go on" : "Mine"; }
    };
    const events = new EventSource(api + "/run/events");
    events.onmessage = (e) => show(JSON.parse(e.data));
    addEventListener("pagehide", () => events.close());
    const form = (selector, path, read) => {
      const start = $(selector);
      if (!start) return;
      const wrong = $(".error", start);
      const post = async (path, value) => {
        try { wrong.hidden = true; show(await ask("POST", path, value)); } catch (error) { wrong.textContent = error.message; wrong.hidden = false; }
      };
      start.addEventListener("submit", (e) => { e.preventDefault(); post(path, read(new FormData(start))); });
      $(".stop", start).addEventListener("click", () => post(path + "/stop", {}));
    };
    form("#start", "/run", (f) => ({ layers: f.get("layers"), neurons: f.get("neurons"), sample: Number(f.get("sample")) || 0 }));
    form("#mine", "/mine", (f) => ({ layers: f.get("layers") }));
  };

  /* ---- keys ---- */

  const typing = (e) => e.target.closest?.("input,textarea,select,[contenteditable]");
  function keys(map) {
    addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
      if (e.key === "Enter" && e.target.closest?.("a,button,summary")) return;
      const f = map[e.key];
      if (f) { e.preventDefault(); f(); }
    });
  }
  keys({
    "/": () => {
      const field = $("#token");
      if (field) field.focus(); else location.href = $(".brand").href;
    },
  });
  const neighbours = () => {
    const go = (rel) => () => { const a = $(`a[rel=${rel}]`); if (a) location.href = a.href; };
    keys({ j: go("next"), k: go("prev"), ArrowRight: go("next"), ArrowLeft: go("prev") });
  };

  const start = { explorer, run: watch, live: () => live($("article")), neuron: () => { neighbours(); live($("article")); connected($("article")); fit(); addEventListener("resize", later(100, fit)); } }[body.dataset.page];
  if (start) start();
})();

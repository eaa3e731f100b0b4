"use strict";

const REFRESH_MS = 2000;
const ROWS_MAX = 500;
const by = (id) => document.getElementById(id);

function cell(text, className) {
  const td = document.createElement("td");
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

function fill(body, rows, columns, empty) {
  body.replaceChildren(...rows.slice(0, ROWS_MAX).map((cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells);
    return tr;
  }));
  const note = rows.length > ROWS_MAX ? `and ${rows.length - ROWS_MAX} more in /status` : rows.length ? "" : empty;
  if (note) {
    const td = cell(note, "empty");
    td.colSpan = columns;
    const tr = document.createElement("tr");
    tr.append(td);
    body.append(tr);
  }
}

function size(bytes) {
  return bytes === null ? "?" : `${(bytes / 1048576).toFixed(1)} MiB`;
}

function since(time) {
  let seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  const parts = [];
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]]) {
    const count = Math.floor(seconds / length);
    seconds -= count * length;
    if (count || (unit === "s" && !parts.length)) parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}

function show(status) {
  setState(status.state);
  by("summary").textContent =
    `${status.listen.join(", ")} → ${status.upstream.join(", ")} · ${status.version} · up ${since(status.started_at)}`;
  const c = status.connections;
  const numbers = [["Clients", `${c.client} / ${c.limit}`], ["Active", c.active], ["Idle", c.idle],
    ["Starting", c.starting], ["Server connections", c.server],
    ["Workers", `${status.processes.length} / ${status.workers}`]];
  by("numbers").replaceChildren(...numbers.map(([name, value]) => {
    const group = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    group.append(dt, dd);
    return group;
  }));
  const rules = status.rules;
  by("problems").hidden = rules.problems.length === 0;
  by("problem-list").replaceChildren(...rules.problems.map((p) => {
    const li = document.createElement("li");
    const where = p.line === null ? p.file : `${p.file}:${p.line}:${p.column}`;
    li.textContent = `${where}: ${p.key_path ? p.key_path + ": " : ""}${p.message}${p.hint ? ` (${p.hint})` : ""}`;
    return li;
  }));
  by("rules").textContent = rules.source === null
    ? "No rule files are given; everything is passed through."
    : `${rules.source} · digest ${rules.digest ?? "differs between workers"} · good since ${since(rules.loaded_at)}`;
  fill(by("tables"), status.tables.map((t) => {
    const held = t.requested !== t.effective;
    const forced = t.overridden.length ? `forced past: ${t.overridden.join("; ")}` : "";
    return [cell(title(t)), cell(t.requested),
      cell(t.effective, held ? "held" : ""), cell(t.collection), cell(t.reasons.join("; ") || forced, held ? "held" : "")];
  }), 5, "No table has a rule.");
  showMirror(status);
  showHistory(status);
  showShadow(status);
  showServing(status);
  fill(by("processes"), status.processes.map((p) => [cell(p.worker), cell(p.pid), cell(p.state),
    cell(p.connections.client), cell(p.connections.active), cell(p.connections.server), cell(size(p.rss_bytes)),
    cell(`${p.cpu_seconds.toFixed(1)} s`),
    cell(`${(p.loop_lag_seconds * 1000).toFixed(1)} ms, most ${(p.loop_lag_max * 1000).toFixed(1)} ms`)]), 9, "No process answers.");
}

function span(seconds) {
  if (seconds === null) return "-";
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

function showMirror(status) {
  const m = status.mirror;
  by("mirror").hidden = !m;
  if (!m) return;
  const looked = m.statement_cache_hits + m.statement_cache_misses;
  const catalogues = m.catalogues.filter((c) => c.state !== "ok")
    .map((c) => `catalogue of ${c.database}: ${c.state}${c.error ? ` (${c.error})` : ""}`);
  by("store").textContent = [`store: ${m.store}${m.store_error ? ` (${m.store_error})` : ""}`,
    `memory ${size(m.memory_bytes)}`, `spool ${size(m.spool_bytes)} (${m.spool_entries} transactions)`,
    looked ? `${(100 * m.statement_cache_hits / looked).toFixed(1)} % of ${looked} statements cached` : "",
    ...catalogues].filter(Boolean).join(" · ");
  fill(by("mirrored"), status.tables.filter((t) => t.mirror).map((t) => {
    const c = t.mirror;
    const gaps = Object.entries(c.gaps).map(([cause, count]) => `${cause}: ${count}`).join(", ");
    return [cell(title(t)), cell(c.captured), cell(c.applied), cell(c.queued), cell(c.queued ? span(c.oldest_seconds) : "-"),
      cell(c.queued ? `${span(c.lag_seconds)}, ${size(c.lag_bytes)}` : "-"),
      cell(`${span(c.store_write_p50)} / ${span(c.store_write_p99)}`), cell(c.retried), cell(gaps || "none", gaps ? "gaps" : "")];
  }), 9, "No table is mirrored.");
}

function bar(share, className) {
  const td = cell("", "tight");
  if (share !== null) {
    const progress = document.createElement("progress");
    progress.max = 1;
    progress.value = share;
    progress.className = className;
    td.append(progress);
  }
  const label = document.createElement("span");
  label.textContent = share === null ? "?" : `${Math.floor(100 * share)} %`;
  td.append(label);
  return td;
}

function many(count) {
  return count.toLocaleString("en");
}

function left(count) {
  return cell(many(count), count ? "gaps" : "");
}

function three(p) {
  return p.p50 === null ? "-" : `${span(p.p50)} / ${span(p.p95)} / ${span(p.p99)}`;
}

function showShadow(status) {
  const s = status.shadow;
  by("shadow").hidden = !s;
  if (!s) return;
  by("shadow-state").textContent = `shadow process: ${s.up ? "runs" : "away"} · ${many(s.waiting)} under way · ` +
    `${many(s.restarts)} restarts`;
  const shown = ["match", "mismatch", "ignored", "transient", "nondeterministic", "unsupported", "timeout", "error",
    "skipped", "dropped"];
  fill(by("shadow-tables"), s.tables.map((t) => [cell(`${t.database}: ${t.table}`),
    ...shown.map((name) => cell(many(t.outcomes[name] ?? 0), name === "mismatch" && t.outcomes[name] ? "gaps" : ""))]),
  11, "No read was sampled yet.");
  fill(by("shadow-statements"), s.statements.map((t) => {
    const wrong = t.outcomes.mismatch ?? 0;
    const reads = Object.values(t.outcomes).reduce((sum, count) => sum + count, 0);
    return [cell(t.fingerprint, wrong ? "gaps" : ""), cell(t.statement), cell(many(reads)), cell(many(wrong), wrong ? "gaps" : ""),
      cell(three(t.postgres)), cell(three(t.store))];
  }), 6, "");
  fill(by("shadow-reasons"), s.reasons.map((r) => [cell(r.outcome), cell(r.reason), cell(many(r.count))]), 3, "");
}

function showServing(status) {
  const s = status.serving;
  by("serving").hidden = !s;
  if (!s) return;
  const states = {closed: "is asked", half_open: "is tried again", open: "is not asked, after errors"};
  by("serving-state").textContent = `the store ${states[s.breaker]} · ${many(s.running)} under way · ` +
    `breaker opened ${many(s.opened)} times`;
  by("serving-state").className = s.breaker === "closed" ? "" : "gaps";
  fill(by("serving-tables"), s.tables.map((t) => [cell(`${t.database}: ${t.table}`), cell(many(t.store)), cell(many(t.postgres)),
    cell(`${(100 * t.store / (t.store + t.postgres)).toFixed(1)} %`), cell(three(t.latency))]), 5, "No read was counted yet.");
  fill(by("serving-reasons"), s.reasons.map((r) => [cell(r.reason), cell(many(r.count))]), 2, "");
}

function showHistory(status) {
  const copied = status.tables.filter((t) => t.backfill);
  by("backfill").hidden = !copied.length;
  fill(by("backfills"), copied.map((t) => {
    const b = t.backfill;
    const running = b.status === "running";
    const why = b.reason || b.throttled || (running && !b.workers ? "no worker takes part" : "");
    return [cell(title(t)), cell(b.status, b.status), bar(b.share, b.status), cell(many(b.rows)),
      cell(running ? many(Math.round(b.rate)) : "-"), cell(running ? span(b.remaining_seconds) : "-", "tight"),
      cell(many(b.seeded)), cell(many(b.stale)), left(b.poisoned), cell(b.workers), cell(why, running ? "held" : "")];
  }), 11, "");
  const compared = status.tables.filter((t) => t.verify);
  by("verify").hidden = !compared.length;
  fill(by("verifications"), compared.map((t) => {
    const v = t.verify;
    const columns = Object.entries(v.columns).map(([name, count]) => `${name}: ${many(count)}`).join(", ");
    return [cell(title(t)), cell(v.complete ? v.outcome : `${v.outcome}, in part`, v.outcome), bar(v.share, v.outcome),
      cell(v.ended_at ? `${since(v.ended_at)} ago` : "-", "tight"), cell(many(v.rows)), left(v.missing), left(v.extra), left(v.different),
      cell(many(v.repaired)), left(v.left), cell(many(v.transient)), cell(v.reason || columns)];
  }), 12, "");
}

function title(table) {
  return table.database ? `${table.database}: ${table.table}` : table.table;
}

function setState(state) {
  by("state").textContent = state;
  by("state").className = `badge ${state}`;
}

async function refresh() {
  try {
    const answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    show(await answer.json());
    by("updated").textContent = `updated ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    setState("unreachable");
    by("updated").textContent = `${error.message}; what is shown may be old`;
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();

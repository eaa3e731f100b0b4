'use strict'
// postgres.js: pipelines by itself, prepares by itself, cancels, copies, subscribes to logical replication.

const assert = require('node:assert/strict')
const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const postgres = require('postgres')
const { run, until, deferred } = require('./scenarios.js')

const withSql = async (work, options = {}) => {
  const sql = postgres({ ssl: false, onnotice: () => {}, ...options })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

run({
  'values and helpers': () => withSql(async (sql) => {
    const when = new Date('2024-02-29T12:00:00.123Z')
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
    const [row] = await sql`SELECT ${42}::int AS i, ${"é漢😀 ' \\"}::text AS t, ${bytes}::bytea AS b, ${when}::timestamptz AS w, ${sql.json({ a: [1, null] })}::jsonb AS j, ${[1, 2]}::int[] AS a, ${null}::text AS n`
    assert.deepEqual({ ...row }, { i: 42, t: "é漢😀 ' \\", b: bytes, w: when, j: { a: [1, null] }, a: [1, 2], n: null })
    await sql`CREATE TABLE people (id serial PRIMARY KEY, name text, age int)`
    const rows = Array.from({ length: 1000 }, (_, n) => ({ name: `person ${n}`, age: n % 90 }))
    const inserted = await sql`INSERT INTO people ${sql(rows, 'name', 'age')} RETURNING id`
    assert.equal(inserted.length, 1000)
    assert.equal(inserted.command, 'INSERT')
    const updated = await sql`UPDATE people SET ${sql({ name: 'renamed' })} WHERE age IN ${sql([1, 2, 3])}`
    assert.equal(updated.count, 36)
    const [{ count }] = await sql`SELECT count(*)::int FROM ${sql('people')} WHERE name = 'renamed'`
    assert.equal(count, 36)
    const described = await sql`SELECT id, name FROM people WHERE age = ${1}`.describe()
    assert.deepEqual(described.columns.map((column) => column.name), ['id', 'name'])
    const results = await sql`SELECT 1 AS a; SELECT 2 AS b, 3 AS c`.simple()
    assert.deepEqual(results.map((result) => ({ ...result[0] })), [{ a: 1 }, { b: 2, c: 3 }])
    await assert.rejects(sql`INSERT INTO people (id) VALUES (1)`, { code: '23505', constraint_name: 'people_pkey' })
  }),

  'pipelining on one connection': () => withSql(async (sql) => {
    const answers = await Promise.allSettled(Array.from({ length: 600 }, (_, n) => n % 50 === 49
      ? sql`SELECT 1 / ${0}::int AS n`
      : sql`SELECT ${n}::int AS n, repeat('x', ${n * 10}) AS v`))
    answers.forEach((answer, n) => {
      if (n % 50 === 49) assert.equal(answer.reason.code, '22012')
      else assert.deepEqual([answer.value[0].n, answer.value[0].v.length], [n, n * 10])
    })
  }, { max: 1 }),

  'without prepared statements': () => withSql(async (sql) => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => sql`SELECT ${n}::int AS n`))
    assert.deepEqual(answers.map(([row]) => row.n), Array.from({ length: 100 }, (_, n) => n))
    const [{ statements }] = await sql`SELECT count(*)::int AS statements FROM pg_prepared_statements`
    assert.equal(statements, 0)
  }, { prepare: false, max: 3 }),

  'transactions and savepoints': () => withSql(async (sql) => {
    await sql`CREATE TABLE t (n int PRIMARY KEY)`
    await sql.begin(async (tx) => {
      await tx`INSERT INTO t VALUES (1)`
      await assert.rejects(tx.savepoint(async (inner) => {
        await inner`INSERT INTO t VALUES (2)`
        await inner`INSERT INTO t VALUES (1)`
      }), { code: '23505' })
      await tx.savepoint((inner) => inner`INSERT INTO t VALUES (3)`)
    })
    await assert.rejects(sql.begin('ISOLATION LEVEL SERIALIZABLE', async (tx) => {
      await tx`DELETE FROM t`
      throw new Error('changed my mind')
    }), /changed my mind/)
    const [first, second] = await sql.begin((tx) => [tx`INSERT INTO t VALUES (4) RETURNING n`, tx`SELECT count(*)::int AS n FROM t`])
    assert.deepEqual([first[0].n, second[0].n], [4, 3])
    const reserved = await sql.reserve()
    const [[a], [b]] = [await reserved`SELECT pg_backend_pid() AS pid`, await reserved`SELECT pg_backend_pid() AS pid`]
    assert.equal(a.pid, b.pid)
    reserved.release()
  }),

  'cursors and forEach': () => withSql(async (sql) => {
    const sizes = []
    for await (const rows of sql`SELECT n FROM generate_series(1, 1000) n`.cursor(300)) sizes.push(rows.length)
    assert.deepEqual(sizes, [300, 300, 300, 100])
    let batches = 0
    await sql`SELECT n FROM generate_series(1, 1000000) n`.cursor(10, () => ++batches === 3 ? sql.CLOSE : undefined)
    assert.equal(batches, 3)
    let sum = 0
    await sql`SELECT n FROM generate_series(1, 20000) n`.forEach((row) => { sum += row.n })
    assert.equal(sum, 20000 * 20001 / 2)
    const [{ one }] = await sql`SELECT 1 AS one`
    assert.equal(one, 1)
  }, { max: 1 }),

  copy: () => withSql(async (sql) => {
    await sql`CREATE TABLE t (id int, v text)`
    const lines = function * (total, bad = -1) {
      for (let n = 0; n < total; n++) yield n === bad ? 'bad\tline\n' : `${n}\tvalue é ${n}\n`
    }
    await pipeline(Readable.from(lines(30000)), await sql`COPY t FROM STDIN`.writable())
    const [{ count }] = await sql`SELECT count(*)::int FROM t`
    assert.equal(count, 30000)
    // Last of all: postgres.js leaves its socket paused when the final chunk of a COPY filled the stream's buffer.
    const chunks = []
    for await (const chunk of await sql`COPY (SELECT * FROM t ORDER BY id) TO STDOUT`.readable()) chunks.push(chunk)
    assert.equal(Buffer.concat(chunks).toString(), [...lines(30000)].join(''))
  }),

  'listen and notify': () => withSql(async (sql) => {
    const heard = []
    const enough = deferred()
    const { unlisten } = await sql.listen('news', (payload) => {
      heard.push(payload)
      if (heard.length === 3) enough.resolve()
    })
    await sql.notify('news', 'one')
    await sql.begin(async (tx) => {
      await tx.notify('news', 'two')
      await tx.notify('news', 'three é')
    })
    await enough.promise
    assert.deepEqual(heard, ['one', 'two', 'three é'])
    await unlisten()
  }),

  cancel: () => withSql(async (sql) => {
    for (let round = 0; round < 3; round++) {
      const query = sql`SELECT pg_sleep(${1000 + round})`
      query.execute()
      await until(async () => (await sql`SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid() AND datname = current_database()`).length === 1)
      query.cancel()
      await assert.rejects(query, { code: '57014' })
    }
    const [{ one }] = await sql`SELECT 1 AS one`
    assert.equal(one, 1)
  }, { max: 2 }),

  'large object': () => withSql(async (sql) => {
    const content = Buffer.alloc(200000, 'lorem ipsum ')
    const large = await sql.largeObject()
    await pipeline(Readable.from([content]), await large.writable())
    await large.seek(0)
    const chunks = []
    for await (const chunk of await large.readable({ highWaterMark: 7000 })) chunks.push(chunk)
    assert.deepEqual(Buffer.concat(chunks), content)
    await large.close()
  }),

  'subscribe to changes': () => withSql(async (sql) => {
    await sql`CREATE TABLE watched (id int PRIMARY KEY, v text)`
    await sql`CREATE PUBLICATION watching FOR TABLE watched`
    const seen = []
    const enough = deferred()
    const subscription = await sql.subscribe('*', (row, { command }) => {
      seen.push([command, row.id])
      if (seen.length === 4) enough.resolve()
    })
    await sql`INSERT INTO watched VALUES (1, 'one'), (2, 'two')`
    await sql`UPDATE watched SET v = 'uno' WHERE id = 1`
    await sql`DELETE FROM watched WHERE id = 2`
    await enough.promise
    assert.deepEqual(seen, [['insert', 1], ['insert', 2], ['update', 1], ['delete', 2]])
    subscription.unsubscribe()
  }, { publications: 'watching' }),

  'unix socket': () => withSql(async (sql) => {
    const [{ answer }] = await sql`SELECT 6 * 7 AS answer`
    assert.equal(answer, 42)
  }, { path: `${process.env.SOCKET_DIRECTORY}/.s.PGSQL.${process.env.SOCKET_PORT}` }),

  tls: () => withSql(async (sql) => {
    const [{ v }] = await sql`SELECT repeat('x', 1000000) AS v`
    assert.equal(v.length, 1000000)
  }, { ssl: { ca: require('node:fs').readFileSync(process.env.ROOT_CERTIFICATE, 'utf8') } })
})
